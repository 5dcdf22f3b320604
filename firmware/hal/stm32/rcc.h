/* What the clocks of STM32F4, F7 and H7 have in common: HSI, HSE and the PLL in the first register. */
#ifndef EL_STM32_RCC_H
#define EL_STM32_RCC_H

#include "stm32/chip.h"

enum { HSION = 1 << 0, HSEON = 1 << 16, HSERDY = 1 << 17, HSEBYP = 1 << 18, PLLON = 1 << 24, PLLRDY = 1 << 25 };

/* As it is at reset; a bootloader may have left the PLL running, which then can't be changed. `ready` is HSI's bit,
   `source` the bits that say what the core runs on. */
static inline void rcc_goes_back_to_hsi(volatile uint32_t *control, volatile uint32_t *config, uint32_t ready,
                                        uint32_t source)
{
    if ((*config & source) != 0) {
        *control |= HSION;
        (void)el_becomes(control, ready, ready);
        *config = 0;
        (void)el_becomes(config, source, 0);
    }
    *control &= ~(uint32_t)PLLON;
    (void)el_becomes(control, PLLRDY, 0);
}

static inline int rcc_starts_hse(volatile uint32_t *control)
{
    *control |= (EL_HSE_BYPASS ? HSEBYP : 0u) | HSEON;
    return el_becomes(control, HSERDY, HSERDY);
}

static inline int rcc_locks_pll(volatile uint32_t *control)
{
    *control |= PLLON;
    return el_becomes(control, PLLRDY, PLLRDY);
}

#endif
