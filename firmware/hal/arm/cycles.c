/* Counter: clock cycles by the DWT, 32 bits carried on to 64. SysTick interrupts every 2^24 cycles, long before the
   DWT wraps, to look at it. Where there is no DWT, in QEMU, SysTick itself counts; with -icount its ticks count
   instructions (see the board's `tick_ns`). */
#include "arm/cycles.h"

#include "bare/silicon.h"
#include "el/hal.h"

enum { COUNT = 1 };

static volatile uint32_t *const dwt = (volatile uint32_t *)0xE0001000u;
static volatile uint32_t *const dwt_lock = (volatile uint32_t *)0xE0001FB0u; /* on Cortex-M7 */

static struct {
    uint64_t total; /* of the DWT, up to `last`; without one, what SysTick counted otherwise */
    uint32_t last;
    uint32_t running;
    volatile uint32_t wraps; /* of SysTick */
    volatile uint32_t resting;
} counter;

static void advance(void)
{
    const uint32_t now = dwt[1];
    counter.total += now - counter.last;
    counter.last = now;
}

void el_systick(void);
void el_systick(void)
{
    counter.wraps += !counter.resting;
    if (el_has_cycles()) {
        advance();
    }
}

static void start(void)
{
    counter.running = 1;
    if (el_has_cycles()) {
        *dwt_lock = 0xC5ACCE55u;
        dwt[1] = 0;
        dwt[0] |= COUNT;
    }
    el_systick_restart(EL_SYSTICK_LAST);
}

static uint64_t ticks_of_systick(void)
{
    uint32_t wraps;
    uint32_t value;
    do {
        wraps = counter.wraps;
        value = el_systick_timer->value;
    } while (wraps != counter.wraps || (*el_interrupt_state & EL_SYSTICK_PENDING) != 0);
    return counter.total + ((uint64_t)wraps << 24) + (EL_SYSTICK_LAST - value);
}

uint64_t el_hal_ticks(void)
{
    if (!counter.running) {
        start();
    }
    if (!el_has_cycles()) {
        if (counter.resting) {
            el_systick_restart(EL_SYSTICK_LAST);
            counter.resting = 0; /* what was pending of the fast ticks has come by now */
        }
        return ticks_of_systick();
    }
    __asm volatile("cpsid i" ::: "memory");
    advance();
    const uint64_t total = counter.total;
    __asm volatile("cpsie i" ::: "memory");
    return total;
}

uint32_t el_hal_counter_hz(void)
{
    return el_has_cycles() ? el_core_hz() : 0;
}

void el_ticks_rest(uint32_t period)
{
    if (!counter.resting) {
        counter.total = el_hal_ticks();
        counter.wraps = 0;
        counter.resting = 1;
        el_systick_restart(period);
    }
}
