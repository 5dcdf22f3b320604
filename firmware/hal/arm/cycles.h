/* Counters of a Cortex-M. */
#ifndef EL_ARM_CYCLES_H
#define EL_ARM_CYCLES_H

#include <stdint.h>

typedef struct {
    volatile uint32_t control;
    volatile uint32_t reload;
    volatile uint32_t value; /* counts down; a write starts it at the reload */
} el_systick_registers;

enum { EL_SYSTICK_LAST = 0xFFFFFF, EL_SYSTICK_ON = 1 | 2 | 4 }; /* with its interrupt, by the core's clock */
enum { EL_SYSTICK_FORGET = 1 << 25, EL_SYSTICK_PENDING = 1 << 26 };

static el_systick_registers *const el_systick_timer = (el_systick_registers *)0xE000E010u;
static volatile uint32_t *const el_interrupt_state = (volatile uint32_t *)0xE000ED04u; /* ICSR */

/* A full count from the top on; until the reload is there the value reads zero, which would look like a whole count. */
static inline void el_systick_restart(uint32_t reload)
{
    el_systick_timer->reload = reload;
    el_systick_timer->value = 0;
    el_systick_timer->control = EL_SYSTICK_ON;
    while (el_systick_timer->value == 0) {
    }
}

/* Whether this core counts its cycles: QEMU has no DWT, and reads zero where a chip says how many comparators its own
   has, once tracing is on. */
static inline int el_has_cycles(void)
{
    *(volatile uint32_t *)0xE000EDFCu |= 1u << 24; /* DEMCR.TRCENA */
    __asm volatile("dsb" ::: "memory");
    return *(const volatile uint32_t *)0xE0001000u >> 28 != 0;
}

/* Only where there are no cycles: let SysTick interrupt every `period` ticks, until el_hal_ticks() is asked again. It
   goes on from where it was. */
void el_ticks_rest(uint32_t period);

/* Sleep until an interrupt is pending, with interrupts masked. */
void el_doze(void);

#endif
