/* Multiply-adds for tile.h in two instructions. A Cortex-M4 takes three cycles for VFMA, one each for VMUL and VADD,
 * and one more where the next instruction reads the result (Cortex-M4 TRM, table of FPU instructions): each product is
 * read two instructions later. */
#define EL_MACS(c0, c1, c2, c3, a)                                                                                     \
    "vmul.f32 s29, " a ", s25\n\tvmul.f32 s30, " a ", s26\n\tvadd.f32 " c0 ", " c0 ", s29\n\tvmul.f32 s31, " a         \
    ", s27\n\tvadd.f32 " c1 ", " c1 ", s30\n\tvmul.f32 s29, " a ", s28\n\tvadd.f32 " c2 ", " c2                        \
    ", s31\n\tvadd.f32 " c3 ", " c3 ", s29\n\t"
/* s20-s23 += c * s28 */
#define EL_SCALED(c0, c1, c2, c3)                                                                                      \
    "vmul.f32 " c0 ", " c0 ", s28\n\tvmul.f32 " c1 ", " c1 ", s28\n\tvadd.f32 s20, s20, " c0 "\n\tvmul.f32 " c2        \
    ", " c2 ", s28\n\tvadd.f32 s21, s21, " c1 "\n\tvmul.f32 " c3 ", " c3 ", s28\n\tvadd.f32 s22, s22, " c2             \
    "\n\tvadd.f32 s23, s23, " c3 "\n\t"
#define EL_BYTES_5 "168"
#define EL_BYTES_4 "136"
