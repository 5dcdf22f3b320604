/* What the HALs of real chips have in common. */
#ifndef EL_SILICON_H
#define EL_SILICON_H

#include <stdint.h>

static inline volatile uint32_t *el_register(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

/* Wait for bits, but not for ever: at least 40 ms at the clock that a chip comes out of reset with, and crystals start
   in a few. Nonzero once all bits are as wanted. */
static inline int el_becomes(const volatile uint32_t *word, uint32_t mask, uint32_t wanted)
{
    for (uint32_t turn = 0; turn < 200000u; turn++) {
        if ((*word & mask) == wanted) {
            return 1;
        }
    }
    return 0;
}

/* Hz of the core's clock, whatever came of the attempt to make it fast. */
uint32_t el_core_hz(void);

/* Wait until the last byte that was written has left. */
void el_uart_drain(void);

/* The end of a program that can't go on. */
_Noreturn void el_fault(void);

#endif
