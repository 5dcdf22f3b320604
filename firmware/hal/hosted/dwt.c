/* Cycles of a Cortex-M3 or larger by its DWT. A debugger or the framework may have started it already. */
#include "hosted/cycles.h"

enum { TRACE = 1 << 24, COUNT = 1 };

uint32_t el_cycles(void)
{
    static volatile uint32_t *const debug = (volatile uint32_t *)0xE000EDFCu; /* DEMCR */
    static volatile uint32_t *const dwt = (volatile uint32_t *)0xE0001000u;
    static volatile uint32_t *const lock = (volatile uint32_t *)0xE0001FB0u; /* on Cortex-M7 */

    if ((dwt[0] & COUNT) == 0) {
        *debug |= TRACE;
        *lock = 0xC5ACCE55u;
        dwt[0] |= COUNT;
    }
    return dwt[1];
}
