/* Semihosting through three words of memory, for a simulator that has no debugger: operation, arguments, result. */
#include "bare/semihost.h"
#include "board.h"

uint32_t el_semihost(uint32_t operation, const uint32_t *block)
{
    volatile uint32_t *const door = (volatile uint32_t *)EL_DOOR_BASE;

    __asm volatile("" ::: "memory"); /* the arguments are in memory before the door is opened */
    door[0] = operation;
    door[1] = (uint32_t)(uintptr_t)block;
    const uint32_t result = door[2];
    __asm volatile("" ::: "memory");
    return result;
}
