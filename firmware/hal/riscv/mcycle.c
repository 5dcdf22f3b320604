/* Counter: clock cycles. */
#include "el/hal.h"
#include "riscv/counter.h"

EL_COUNTER(el_hal_ticks, mcycle)

uint32_t el_hal_counter_hz(void)
{
    return 0; /* a simulated core's: cycles without a clock */
}
