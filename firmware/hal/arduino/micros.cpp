// Counter: the core's microseconds, for chips that do not count cycles.
#include <Arduino.h>

extern "C" {
#include "el/hal.h"
}

extern "C" {

// It wraps after 71 minutes; whoever asks at least that often sees it grow on.
uint64_t el_hal_ticks(void)
{
    static uint64_t total;
    static uint32_t last;
    const uint32_t now = (uint32_t)micros();

    total += (uint32_t)(now - last);
    last = now;
    return total;
}

uint32_t el_hal_counter_hz(void)
{
    return 1000000u;
}
}
