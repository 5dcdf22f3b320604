/* STM32: what has to be done before variables are set up: some of their memories have no clock yet, and all of it
   goes faster with one. Nothing here may rely on a variable. Who jumped here may have left vectors of its own. */
    .syntax unified
    .thumb

#include "arm/fpu.h"

    .equ VTOR, 0xE000ED08

    .section .text.el_reset, "ax"
    .globl el_reset
    .thumb_func
    .type el_reset, %function
el_reset:
    fpu_on
    ldr r0, =VTOR
    ldr r1, =el_vectors
    str r1, [r0]
    bl el_caches_on
    bl el_clock_up
    b el_start
    .ltorg
    .size el_reset, . - el_reset
