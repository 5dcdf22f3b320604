/* All harts but the first, before C: each gets its share of the reserved stack. */
#include "board.h"

    .section .text.el_hart_wait, "ax"
    .globl el_hart_wait
    .type el_hart_wait, @function
el_hart_wait:
    csrr s0, mhartid
    la t0, el_trap
    csrw mtvec, t0
    la sp, el_stack_top
    la t0, el_stack_bottom
    sub t0, sp, t0
    li t1, EL_HARTS
    divu t0, t0, t1
    mul t0, t0, s0
    sub sp, sp, t0
    call el_fpu_enable
    mv a0, s0
    tail el_hart_serve
    .size el_hart_wait, . - el_hart_wait
