/* Counter: retired instructions. QEMU counts them only with -icount. */
#include "el/hal.h"
#include "riscv/counter.h"

EL_COUNTER(el_hal_ticks, minstret)

uint32_t el_hal_counter_hz(void)
{
    return 0; /* instructions */
}
