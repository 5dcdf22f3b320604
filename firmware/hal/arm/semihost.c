/* Semihosting on Cortex-M is one breakpoint instruction. */
#include "bare/semihost.h"

uint32_t el_semihost(uint32_t operation, const uint32_t *block)
{
    register uint32_t r0 __asm("r0") = operation;
    register const uint32_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
