/* Cortex-M4: what caches there are belong to the flash, and come with its wait states. */
#include "stm32/chip.h"

void el_caches_on(void)
{
}
