/* A core without an FPU has none to enable. */
    .section .text.el_fpu_enable, "ax"
    .globl el_fpu_enable
    .type el_fpu_enable, @function
el_fpu_enable:
    ret
    .size el_fpu_enable, . - el_fpu_enable
