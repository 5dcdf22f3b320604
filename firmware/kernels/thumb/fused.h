/* Multiply-adds for tile.h, one instruction each: fewest instructions, and fewest cycles where the FPU takes one a
 * cycle. */
#define EL_MACS(c0, c1, c2, c3, a)                                                                                     \
    "vfma.f32 " c0 ", " a ", s25\n\tvfma.f32 " c1 ", " a ", s26\n\tvfma.f32 " c2 ", " a ", s27\n\tvfma.f32 " c3 ", " a \
    ", s28\n\t"
/* s20-s23 += c * s28 */
#define EL_SCALED(c0, c1, c2, c3)                                                                                      \
    "vfma.f32 s20, " c0 ", s28\n\tvfma.f32 s21, " c1 ", s28\n\tvfma.f32 s22, " c2 ", s28\n\tvfma.f32 s23, " c3         \
    ", s28\n\t"
#define EL_BYTES_5 "88"
#define EL_BYTES_4 "72"
