/* RISC-V in machine mode: the few instructions before C. One hart runs; the others sleep, unless the board says what
   else they do. */
    .section .vectors, "ax"
    .globl el_reset
    .type el_reset, @function
el_reset:
    csrr t0, mhartid
    bnez t0, el_hart_wait
    la t0, el_trap
    csrw mtvec, t0
    la sp, el_stack_top
    call el_fpu_enable
    tail el_start
    .size el_reset, . - el_reset

    .weak el_hart_wait
    .type el_hart_wait, @function
el_hart_wait:
    wfi
    j el_hart_wait
    .size el_hart_wait, . - el_hart_wait

    .section .text.el_trap, "ax"
    .weak el_trap /* a chip that takes interrupts has its own */
    .type el_trap, @function
    .balign 256 /* mtvec of some cores has no bits below */
el_trap:
    la sp, el_stack_top /* the stack may be what failed */
    tail el_fault
    .size el_trap, . - el_trap

    .section .rodata.el_stack_reserved, "a"
    .globl el_stack_reserved
    .type el_stack_reserved, @object
    .balign 4
el_stack_reserved:
    .word el_stack_size
    .size el_stack_reserved, 4
