/* clang-format off */
/* C may already be compiled to use the registers of the FPU or of Helium, so these are switched on before any of it
   runs; cores without them ignore the write. */
    .equ CPACR, 0xE000ED88

    .macro fpu_on
    ldr r0, =CPACR
    ldr r1, [r0]
    orr r1, r1, #(0xF << 20)
    str r1, [r0]
    dsb
    isb
    .endm
