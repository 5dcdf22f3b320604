/* mstatus.FS = Initial, and a clean control register: without it the first float instruction traps. */
    .section .text.el_fpu_enable, "ax"
    .globl el_fpu_enable
    .type el_fpu_enable, @function
el_fpu_enable:
    li t0, 1 << 13
    csrs mstatus, t0
    csrw fcsr, zero
    ret
    .size el_fpu_enable, . - el_fpu_enable
