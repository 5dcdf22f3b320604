/* Start-up after the reset code has made the core fit for C: a painted stack, .data, .bss, main. The linker script
   gives the addresses. */
#include <stdint.h>

#include "el/hal.h"

#include "board.h"

enum { PAINT_BYTE = 0xC5 };

extern uint32_t el_stack_bottom[];
extern uint32_t el_stack_free[]; /* above it lies what el_start itself may have pushed */
extern uint32_t el_stack_top[];
extern uint32_t el_data_start[];
extern uint32_t el_data_end[];
extern const uint32_t el_data_load[];
extern uint32_t *const el_zero_table[]; /* where each memory's variables start and end, by turns */
extern uint32_t *const el_zero_table_end[];

int main(void);
_Noreturn void el_start(void);
_Noreturn void el_fault(void);

static const uint32_t paint = PAINT_BYTE * 0x01010101u;

/* The loops are volatile: a call of memset could use what they are about to prepare. */
_Noreturn void el_start(void)
{
    const uint32_t *from = el_data_load;

    for (volatile uint32_t *p = el_stack_bottom; p < el_stack_free; p++) {
        *p = paint;
    }
    for (volatile uint32_t *to = el_data_start; to < el_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *const *part = el_zero_table; part < el_zero_table_end; part += 2) {
        for (volatile uint32_t *to = part[0]; to < part[1]; to++) {
            *to = 0;
        }
    }
    (void)main();
    el_hal_exit(EL_EXIT_OK);
}

/* Nothing enables an interrupt: whatever comes is a fault, and the host learns of it by the exit code. */
_Noreturn void el_fault(void)
{
    el_hal_exit(EL_EXIT_FAULT);
}

uint32_t el_hal_stack_used(void)
{
    const volatile uint32_t *p = el_stack_bottom;
    const uint32_t share = (uint32_t)((uintptr_t)el_stack_top - (uintptr_t)el_stack_bottom) / EL_HARTS;
    uint32_t deepest = 0;
    for (uint32_t hart = 0; hart < EL_HARTS; hart++) {
        const uint32_t *end = el_stack_bottom + (hart + 1) * share / sizeof *p;
        while (p < end && *p == paint) {
            p++;
        }
        const uint32_t used = (uint32_t)((uintptr_t)end - (uintptr_t)p);
        deepest = used > deepest ? used : deepest;
        p = end;
    }
    return deepest * EL_HARTS; /* as if all harts had gone as deep: the reserve must hold the deepest of them */
}
