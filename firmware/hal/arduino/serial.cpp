// Boards that an Arduino core starts: its first serial port carries the frames, be that a UART or a USB device. The
// core receives by interrupt into buffers of its own, and its stack is not ours to measure.
#include <Arduino.h>

extern "C" {
#include "el/hal.h"
}

#include "board.h"

extern "C" {

extern const uint32_t el_stack_reserved;
const uint32_t el_stack_reserved = 0;

void el_hal_init(void)
{
    Serial.begin(EL_UART_BAUD);
}

// A board without a host waits for one. yield() is where cores serve USB and other tasks.
uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    uint32_t got = 0;

    while (Serial.available() <= 0) {
        yield();
    }
    while (got < max && Serial.available() > 0) {
        to[got++] = (uint8_t)Serial.read();
    }
    return got;
}

// A USB port takes what fits its buffer, and nothing while no host has it open.
void el_hal_write(const uint8_t *from, uint32_t count)
{
    while (count > 0) {
        const uint32_t done = (uint32_t)Serial.write(from, count);
        if (done == 0) {
            if (!Serial) {
                return;
            }
            yield();
        }
        from += done;
        count -= done;
    }
    Serial.flush();
}

uint32_t el_hal_overruns(void)
{
    return 0;
}

uint32_t el_hal_stack_used(void)
{
    return 0;
}

// There is nothing to leave to: whoever resets the board starts over.
void el_hal_exit(int code)
{
    (void)code;
    for (;;) {
        yield();
    }
}
}
