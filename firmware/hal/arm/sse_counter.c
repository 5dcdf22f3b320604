/* Counter: the 64-bit system counter of the SSE-300. With QEMU's -icount its ticks count instructions exactly. */
#include "board.h"
#include "el/hal.h"

typedef struct {
    volatile uint32_t control;
    volatile uint32_t status;
    volatile uint32_t value_low;
    volatile uint32_t value_high;
} sse_counter;

uint64_t el_hal_ticks(void)
{
    sse_counter *counter = (sse_counter *)EL_COUNTER_BASE;
    uint32_t high;
    uint32_t low;

    counter->control = 1; /* on; it keeps its value where it was on already */
    do {
        high = counter->value_high;
        low = counter->value_low;
    } while (high != counter->value_high);
    return (uint64_t)high << 32 | low;
}

uint32_t el_hal_counter_hz(void)
{
    return 0; /* an emulator's: the host makes instructions of its ticks */
}
