/* Counter: clock cycles. */
#include "el/hal.h"

uint64_t el_hal_ticks(void)
{
    uint32_t high;
    uint32_t low;
    uint32_t again;
    do {
        __asm volatile("csrr %0, mcycleh" : "=r"(high));
        __asm volatile("csrr %0, mcycle" : "=r"(low));
        __asm volatile("csrr %0, mcycleh" : "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

uint32_t el_hal_counter_hz(void)
{
    return 0; /* a simulated core's: cycles without a clock */
}
