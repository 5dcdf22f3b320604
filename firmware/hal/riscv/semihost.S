/* Semihosting on RISC-V is a breakpoint between two marker instructions, all uncompressed and on one page. */
    .section .text.el_semihost, "ax"
    .globl el_semihost
    .type el_semihost, @function
    .balign 16
    .option push
    .option norvc
el_semihost:
    slli zero, zero, 0x1f
    ebreak
    srai zero, zero, 7
    ret
    .option pop
    .size el_semihost, . - el_semihost
