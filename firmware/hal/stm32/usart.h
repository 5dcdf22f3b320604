/* What both generations of USART have in common: how their control registers begin. */
#ifndef EL_STM32_USART_H
#define EL_STM32_USART_H

#include "stm32/chip.h"

enum { RE = 1 << 2, TE = 1 << 3, RXNEIE = 1 << 5 }; /* control[0] */

/* `enable` is the bit that switches it on, and is another one in each. */
static inline void usart_begins(volatile uint32_t control[3], volatile uint32_t *divider, uint32_t value,
                                uint32_t enable)
{
    control[0] = 0;
    control[1] = 0;
    control[2] = 0;
    *divider = value;
    control[0] = enable | TE | RE | RXNEIE;
}

#endif
