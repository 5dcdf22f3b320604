/* Counter: retired instructions. QEMU counts them only with -icount. */
#include "el/hal.h"

uint64_t el_hal_ticks(void)
{
    uint32_t high;
    uint32_t low;
    uint32_t again;
    do {
        __asm volatile("csrr %0, minstreth" : "=r"(high));
        __asm volatile("csrr %0, minstret" : "=r"(low));
        __asm volatile("csrr %0, minstreth" : "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

uint32_t el_hal_counter_hz(void)
{
    return 0; /* instructions */
}
