/* Cortex-M4: what caches there are belong to the flash, and come with its wait states. */
#include "stm32/chip.h"

enum { DATA_CACHE = 1 << 10, FORGET_DATA = 1 << 12 }; /* FLASH_ACR */

void el_caches_on(void)
{
}

/* The data cache is forgotten as a whole, while it is off. */
void el_cache_forget(uint32_t address, uint32_t count)
{
    volatile uint32_t *const access = el_register(EL_FLASH_BASE);
    const uint32_t before = *access;

    (void)address;
    (void)count;
    *access = before & ~(uint32_t)DATA_CACHE;
    *access |= FORGET_DATA;
    *access &= ~(uint32_t)FORGET_DATA;
    *access = before;
}
