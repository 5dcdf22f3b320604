/* mstatus.FS and .VS = Initial, clean control registers: without it the first float or vector instruction traps.
   Fixed-point results round to nearest, as the reset value of vxrm is nobody's promise. */
    .section .text.el_fpu_enable, "ax"
    .globl el_fpu_enable
    .type el_fpu_enable, @function
el_fpu_enable:
    li t0, (1 << 13) | (1 << 9)
    csrs mstatus, t0
    csrw fcsr, zero
    csrw vcsr, zero
    ret
    .size el_fpu_enable, . - el_fpu_enable
