/* Nothing to do: the core sleeps until an interrupt. */
#include "arm/cycles.h"

void el_doze(void)
{
    __asm volatile("dsb\n\twfi" ::: "memory");
}
