/* A native process in place of a board: no counter, no stack of its own, and an exit code. */
#include <stdlib.h>

#include "el/hal.h"

extern const uint32_t el_stack_reserved;
const uint32_t el_stack_reserved = 0;

uint64_t el_hal_ticks(void)
{
    return 0;
}

uint32_t el_hal_counter_hz(void)
{
    return 0;
}

uint32_t el_hal_overruns(void)
{
    return 0;
}

uint32_t el_hal_stack_used(void)
{
    return 0;
}

_Noreturn void el_hal_exit(int code)
{
    exit(code);
}
