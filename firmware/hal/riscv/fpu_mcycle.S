/* As fpu.S, for a core that comes out of reset with its counters stopped. */
    .section .text.el_fpu_enable, "ax"
    .globl el_fpu_enable
    .type el_fpu_enable, @function
el_fpu_enable:
    li t0, 1 << 13
    csrs mstatus, t0
    csrw fcsr, zero
    csrwi mcountinhibit, 0
    ret
    .size el_fpu_enable, . - el_fpu_enable
