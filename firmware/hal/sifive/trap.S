/* Traps of a chip that takes interrupts: what C may change is kept on the stack of whoever was interrupted. */
    .section .text.el_trap, "ax"
    .globl el_trap
    .type el_trap, @function
    .balign 256
el_trap:
    addi sp, sp, -64
    sw t0, 0(sp)
    csrr t0, mcause
    bgez t0, fault
    sw t1, 4(sp)
    sw t2, 8(sp)
    sw t3, 12(sp)
    sw t4, 16(sp)
    sw t5, 20(sp)
    sw t6, 24(sp)
    sw a0, 28(sp)
    sw a1, 32(sp)
    sw a2, 36(sp)
    sw a3, 40(sp)
    sw a4, 44(sp)
    sw a5, 48(sp)
    sw a6, 52(sp)
    sw a7, 56(sp)
    sw ra, 60(sp)
    call el_interrupt
    lw t0, 0(sp)
    lw t1, 4(sp)
    lw t2, 8(sp)
    lw t3, 12(sp)
    lw t4, 16(sp)
    lw t5, 20(sp)
    lw t6, 24(sp)
    lw a0, 28(sp)
    lw a1, 32(sp)
    lw a2, 36(sp)
    lw a3, 40(sp)
    lw a4, 44(sp)
    lw a5, 48(sp)
    lw a6, 52(sp)
    lw a7, 56(sp)
    lw ra, 60(sp)
    addi sp, sp, 64
    mret

fault:
    la sp, el_stack_top /* the stack may be what failed */
    tail el_fault
    .size el_trap, . - el_trap
