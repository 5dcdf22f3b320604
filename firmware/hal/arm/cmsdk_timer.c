/* Counter: the CMSDK APB timer, a 32-bit down-counter, carried on to 64 bits. With QEMU's -icount its ticks count
   instructions exactly (see the board's `tick_ns`). Two reads must not be more than 2^33 ticks apart. */
#include "board.h"
#include "el/hal.h"

typedef struct {
    volatile uint32_t control;
    volatile uint32_t value;
    volatile uint32_t reload;
    volatile uint32_t interrupt;
} cmsdk_timer;

enum { ENABLE = 1, INTERRUPT_ENABLE = 8 }; /* the flag is set only with the interrupt on; the NVIC keeps it off */

static struct {
    uint32_t wraps;
    uint32_t running;
} timer_state;

static cmsdk_timer *timer(void)
{
    return (cmsdk_timer *)EL_TIMER_BASE;
}

uint64_t el_hal_ticks(void)
{
    if (!timer_state.running) {
        timer_state.running = 1;
        timer()->reload = 0xFFFFFFFFu;
        timer()->value = 0xFFFFFFFFu;
        timer()->control = ENABLE | INTERRUPT_ENABLE;
    }
    uint32_t value = timer()->value;
    if (timer()->interrupt & 1u) {
        timer()->interrupt = 1;
        timer_state.wraps++;
        value = timer()->value; /* read again: the wrap may have come in between */
    }
    return ((uint64_t)timer_state.wraps << 32) + (0xFFFFFFFFu - value);
}

uint32_t el_hal_counter_hz(void)
{
    return 0; /* an emulator's: the host makes instructions of its ticks */
}
