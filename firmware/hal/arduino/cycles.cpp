// Counter: clock cycles, of which the chip keeps 32 bits or more. The core's microseconds say how often 32 bits have
// wrapped since the counter was last read.
#include <Arduino.h>

extern "C" {
#include "el/hal.h"
#include "hosted/cycles.h"
}

#include "board.h"

extern "C" {

uint64_t el_hal_ticks(void)
{
    static uint64_t total;
    static uint32_t before;
    const uint32_t now = (uint32_t)micros();
    const uint32_t passed = now - before;

    total = el_cycles_extend(total + (uint64_t)passed * (EL_CORE_HZ / 1000000u), el_cycles());
    before = now;
    return total;
}

uint32_t el_hal_counter_hz(void)
{
    return EL_CORE_HZ;
}
}
