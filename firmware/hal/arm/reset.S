/* Cortex-M: vectors, and the few instructions before C. A chip that has more to do at reset, or takes interrupts, has
   functions of these names; without them an interrupt is a fault. */
    .syntax unified
    .thumb

#include "arm/fpu.h"

    .equ EXTERNAL_INTERRUPTS, 112

    .section .vectors, "a"
    .globl el_vectors
    .type el_vectors, %object
el_vectors:
    .word el_stack_top
    .word el_reset
    .word el_nmi
    .rept 12
    .word el_trap
    .endr
    .word el_systick
    .rept EXTERNAL_INTERRUPTS
    .word el_interrupt /* no chip enables more than one */
    .endr
    .size el_vectors, . - el_vectors

    .weak el_nmi
    .thumb_set el_nmi, el_trap
    .weak el_systick
    .thumb_set el_systick, el_trap
    .weak el_interrupt
    .thumb_set el_interrupt, el_trap

    .section .text.el_reset, "ax"
    .weak el_reset
    .thumb_func
    .type el_reset, %function
el_reset:
    fpu_on
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
