/* Cortex-M: vectors, and the few instructions before C. C may already be compiled to use the registers of the FPU or
   of Helium, so these are switched on first; cores without them ignore the write. */
    .syntax unified
    .thumb

    .equ EXTERNAL_INTERRUPTS, 112
    .equ CPACR, 0xE000ED88

    .section .vectors, "a"
    .globl el_vectors
    .type el_vectors, %object
el_vectors:
    .word el_stack_top
    .word el_reset
    .rept 14 + EXTERNAL_INTERRUPTS
    .word el_trap
    .endr
    .size el_vectors, . - el_vectors

    .section .text.el_reset, "ax"
    .globl el_reset
    .thumb_func
    .type el_reset, %function
el_reset:
    ldr r0, =CPACR
    ldr r1, [r0]
    orr r1, r1, #(0xF << 20)
    str r1, [r0]
    dsb
    isb
    b el_start
    .ltorg
    .size el_reset, . - el_reset

    .section .text.el_trap, "ax"
    .thumb_func
    .type el_trap, %function
el_trap:
    ldr r0, =el_stack_top /* the stack may be what failed */
    mov sp, r0
    b el_fault
    .ltorg
    .size el_trap, . - el_trap

    .section .rodata.el_stack_reserved, "a"
    .globl el_stack_reserved
    .type el_stack_reserved, %object
    .balign 4
el_stack_reserved:
    .word el_stack_size
    .size el_stack_reserved, 4
