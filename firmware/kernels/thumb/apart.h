/* Multiply-adds in two instructions. A Cortex-M4 takes three cycles for VFMA, one each for VMUL and VADD, and one more
 * where the next instruction reads the result (Cortex-M4 TRM, table of FPU instructions): every product is read two
 * instructions later. */

/* tile.h: a row of four sums */
#define EL_MACS(c0, c1, c2, c3, a)                                                                                     \
    "vmul.f32 s29, " a ", s25\n\t"                                                                                     \
    "vmul.f32 s30, " a ", s26\n\t"                                                                                     \
    "vadd.f32 " c0 ", " c0 ", s29\n\t"                                                                                 \
    "vmul.f32 s31, " a ", s27\n\t"                                                                                     \
    "vadd.f32 " c1 ", " c1 ", s30\n\t"                                                                                 \
    "vmul.f32 s29, " a ", s28\n\t"                                                                                     \
    "vadd.f32 " c2 ", " c2 ", s31\n\t"                                                                                 \
    "vadd.f32 " c3 ", " c3 ", s29\n\t"
/* s20-s23 += c * s28 */
#define EL_SCALED(c0, c1, c2, c3)                                                                                      \
    "vmul.f32 " c0 ", " c0 ", s28\n\t"                                                                                 \
    "vmul.f32 " c1 ", " c1 ", s28\n\t"                                                                                 \
    "vadd.f32 s20, s20, " c0 "\n\t"                                                                                    \
    "vmul.f32 " c2 ", " c2 ", s28\n\t"                                                                                 \
    "vadd.f32 s21, s21, " c1 "\n\t"                                                                                    \
    "vmul.f32 " c3 ", " c3 ", s28\n\t"                                                                                 \
    "vadd.f32 s22, s22, " c2 "\n\t"                                                                                    \
    "vadd.f32 s23, s23, " c3 "\n\t"
#define EL_BYTES_5 "168"
#define EL_BYTES_4 "136"

/* wide.h: s16-s17 and s18-s19 two terms of the rows, s20-s27 a term of the columns */
#define EL_WIDE_TERM(a0, a1)                                                                                           \
    "vldmia %[b]!, {s20-s27}\n\t"                                                                                      \
    "vmul.f32 s28, " a0 ", s20\n\t"                                                                                    \
    "vmul.f32 s29, " a0 ", s21\n\t"                                                                                    \
    "vadd.f32 s0, s0, s28\n\t"                                                                                         \
    "vmul.f32 s30, " a0 ", s22\n\t"                                                                                    \
    "vadd.f32 s1, s1, s29\n\t"                                                                                         \
    "vmul.f32 s31, " a0 ", s23\n\t"                                                                                    \
    "vadd.f32 s2, s2, s30\n\t"                                                                                         \
    "vmul.f32 s28, " a0 ", s24\n\t"                                                                                    \
    "vadd.f32 s3, s3, s31\n\t"                                                                                         \
    "vmul.f32 s29, " a0 ", s25\n\t"                                                                                    \
    "vadd.f32 s4, s4, s28\n\t"                                                                                         \
    "vmul.f32 s30, " a0 ", s26\n\t"                                                                                    \
    "vadd.f32 s5, s5, s29\n\t"                                                                                         \
    "vmul.f32 s31, " a0 ", s27\n\t"                                                                                    \
    "vadd.f32 s6, s6, s30\n\t"                                                                                         \
    "vmul.f32 s28, " a1 ", s20\n\t"                                                                                    \
    "vadd.f32 s7, s7, s31\n\t"                                                                                         \
    "vmul.f32 s29, " a1 ", s21\n\t"                                                                                    \
    "vadd.f32 s8, s8, s28\n\t"                                                                                         \
    "vmul.f32 s30, " a1 ", s22\n\t"                                                                                    \
    "vadd.f32 s9, s9, s29\n\t"                                                                                         \
    "vmul.f32 s31, " a1 ", s23\n\t"                                                                                    \
    "vadd.f32 s10, s10, s30\n\t"                                                                                       \
    "vmul.f32 s28, " a1 ", s24\n\t"                                                                                    \
    "vadd.f32 s11, s11, s31\n\t"                                                                                       \
    "vmul.f32 s29, " a1 ", s25\n\t"                                                                                    \
    "vadd.f32 s12, s12, s28\n\t"                                                                                       \
    "vmul.f32 s30, " a1 ", s26\n\t"                                                                                    \
    "vadd.f32 s13, s13, s29\n\t"                                                                                       \
    "vmul.f32 s31, " a1 ", s27\n\t"                                                                                    \
    "vadd.f32 s14, s14, s30\n\t"                                                                                       \
    "vadd.f32 s15, s15, s31\n\t"
#define EL_WIDE_TWO                                                                                                    \
    "vldmia %[a0]!, {s16-s17}\n\tvldmia %[a1]!, {s18-s19}\n\t" EL_WIDE_TERM("s16", "s18") EL_WIDE_TERM("s17", "s19")
#define EL_WIDE_FOUR EL_WIDE_TWO EL_WIDE_TWO
#define EL_WIDE_ONE "vldmia %[a0]!, {s16}\n\tvldmia %[a1]!, {s18}\n\t" EL_WIDE_TERM("s16", "s18")
#define EL_WIDE_BYTES "544"

/* lanes.h: s0-s7 += s8-s15 * s16-s23, and s8-s15 += s0-s7 * scale */
#define EL_LANES_MACS                                                                                                  \
    "vmul.f32 s8, s8, s16\n\t"                                                                                         \
    "vmul.f32 s9, s9, s17\n\t"                                                                                         \
    "vadd.f32 s0, s0, s8\n\t"                                                                                          \
    "vmul.f32 s10, s10, s18\n\t"                                                                                       \
    "vadd.f32 s1, s1, s9\n\t"                                                                                          \
    "vmul.f32 s11, s11, s19\n\t"                                                                                       \
    "vadd.f32 s2, s2, s10\n\t"                                                                                         \
    "vmul.f32 s12, s12, s20\n\t"                                                                                       \
    "vadd.f32 s3, s3, s11\n\t"                                                                                         \
    "vmul.f32 s13, s13, s21\n\t"                                                                                       \
    "vadd.f32 s4, s4, s12\n\t"                                                                                         \
    "vmul.f32 s14, s14, s22\n\t"                                                                                       \
    "vadd.f32 s5, s5, s13\n\t"                                                                                         \
    "vmul.f32 s15, s15, s23\n\t"                                                                                       \
    "vadd.f32 s6, s6, s14\n\t"                                                                                         \
    "vadd.f32 s7, s7, s15\n\t"
#define EL_LANES_SCALED                                                                                                \
    "vmul.f32 s0, s0, %[scale]\n\t"                                                                                    \
    "vmul.f32 s1, s1, %[scale]\n\t"                                                                                    \
    "vadd.f32 s8, s8, s0\n\t"                                                                                          \
    "vmul.f32 s2, s2, %[scale]\n\t"                                                                                    \
    "vadd.f32 s9, s9, s1\n\t"                                                                                          \
    "vmul.f32 s3, s3, %[scale]\n\t"                                                                                    \
    "vadd.f32 s10, s10, s2\n\t"                                                                                        \
    "vmul.f32 s4, s4, %[scale]\n\t"                                                                                    \
    "vadd.f32 s11, s11, s3\n\t"                                                                                        \
    "vmul.f32 s5, s5, %[scale]\n\t"                                                                                    \
    "vadd.f32 s12, s12, s4\n\t"                                                                                        \
    "vmul.f32 s6, s6, %[scale]\n\t"                                                                                    \
    "vadd.f32 s13, s13, s5\n\t"                                                                                        \
    "vmul.f32 s7, s7, %[scale]\n\t"                                                                                    \
    "vadd.f32 s14, s14, s6\n\t"                                                                                        \
    "vadd.f32 s15, s15, s7\n\t"

/* dense.h: s0-s3 += s4-s7 * each of s8-s11, s12-s15, s16-s19, s20-s23 */
#define EL_DENSE_DOT                                                                                                   \
    "vmul.f32 s8, s8, s4\n\t"                                                                                          \
    "vmul.f32 s12, s12, s4\n\t"                                                                                        \
    "vadd.f32 s0, s0, s8\n\t"                                                                                          \
    "vmul.f32 s16, s16, s4\n\t"                                                                                        \
    "vadd.f32 s1, s1, s12\n\t"                                                                                         \
    "vmul.f32 s20, s20, s4\n\t"                                                                                        \
    "vadd.f32 s2, s2, s16\n\t"                                                                                         \
    "vmul.f32 s9, s9, s5\n\t"                                                                                          \
    "vadd.f32 s3, s3, s20\n\t"                                                                                         \
    "vmul.f32 s13, s13, s5\n\t"                                                                                        \
    "vadd.f32 s0, s0, s9\n\t"                                                                                          \
    "vmul.f32 s17, s17, s5\n\t"                                                                                        \
    "vadd.f32 s1, s1, s13\n\t"                                                                                         \
    "vmul.f32 s21, s21, s5\n\t"                                                                                        \
    "vadd.f32 s2, s2, s17\n\t"                                                                                         \
    "vmul.f32 s10, s10, s6\n\t"                                                                                        \
    "vadd.f32 s3, s3, s21\n\t"                                                                                         \
    "vmul.f32 s14, s14, s6\n\t"                                                                                        \
    "vadd.f32 s0, s0, s10\n\t"                                                                                         \
    "vmul.f32 s18, s18, s6\n\t"                                                                                        \
    "vadd.f32 s1, s1, s14\n\t"                                                                                         \
    "vmul.f32 s22, s22, s6\n\t"                                                                                        \
    "vadd.f32 s2, s2, s18\n\t"                                                                                         \
    "vmul.f32 s11, s11, s7\n\t"                                                                                        \
    "vadd.f32 s3, s3, s22\n\t"                                                                                         \
    "vmul.f32 s15, s15, s7\n\t"                                                                                        \
    "vadd.f32 s0, s0, s11\n\t"                                                                                         \
    "vmul.f32 s19, s19, s7\n\t"                                                                                        \
    "vadd.f32 s1, s1, s15\n\t"                                                                                         \
    "vmul.f32 s23, s23, s7\n\t"                                                                                        \
    "vadd.f32 s2, s2, s19\n\t"                                                                                         \
    "vadd.f32 s3, s3, s23\n\t"
/* s0-s7, s8-s15 += s16-s23 * s24, and s16-s23 += s0-s7, s8-s15 * s24 */
#define EL_DENSE_BACK_LOW                                                                                              \
    "vmul.f32 s16, s16, s24\n\t"                                                                                       \
    "vmul.f32 s17, s17, s24\n\t"                                                                                       \
    "vadd.f32 s0, s0, s16\n\t"                                                                                         \
    "vmul.f32 s18, s18, s24\n\t"                                                                                       \
    "vadd.f32 s1, s1, s17\n\t"                                                                                         \
    "vmul.f32 s19, s19, s24\n\t"                                                                                       \
    "vadd.f32 s2, s2, s18\n\t"                                                                                         \
    "vmul.f32 s20, s20, s24\n\t"                                                                                       \
    "vadd.f32 s3, s3, s19\n\t"                                                                                         \
    "vmul.f32 s21, s21, s24\n\t"                                                                                       \
    "vadd.f32 s4, s4, s20\n\t"                                                                                         \
    "vmul.f32 s22, s22, s24\n\t"                                                                                       \
    "vadd.f32 s5, s5, s21\n\t"                                                                                         \
    "vmul.f32 s23, s23, s24\n\t"                                                                                       \
    "vadd.f32 s6, s6, s22\n\t"                                                                                         \
    "vadd.f32 s7, s7, s23\n\t"
#define EL_DENSE_OUTER_LOW                                                                                             \
    "vmul.f32 s26, s0, s24\n\t"                                                                                        \
    "vmul.f32 s27, s1, s24\n\t"                                                                                        \
    "vadd.f32 s16, s16, s26\n\t"                                                                                       \
    "vmul.f32 s28, s2, s24\n\t"                                                                                        \
    "vadd.f32 s17, s17, s27\n\t"                                                                                       \
    "vmul.f32 s29, s3, s24\n\t"                                                                                        \
    "vadd.f32 s18, s18, s28\n\t"                                                                                       \
    "vmul.f32 s26, s4, s24\n\t"                                                                                        \
    "vadd.f32 s19, s19, s29\n\t"                                                                                       \
    "vmul.f32 s27, s5, s24\n\t"                                                                                        \
    "vadd.f32 s20, s20, s26\n\t"                                                                                       \
    "vmul.f32 s28, s6, s24\n\t"                                                                                        \
    "vadd.f32 s21, s21, s27\n\t"                                                                                       \
    "vmul.f32 s29, s7, s24\n\t"                                                                                        \
    "vadd.f32 s22, s22, s28\n\t"                                                                                       \
    "vadd.f32 s23, s23, s29\n\t"
#define EL_DENSE_BACK_HIGH                                                                                             \
    "vmul.f32 s16, s16, s24\n\t"                                                                                       \
    "vmul.f32 s17, s17, s24\n\t"                                                                                       \
    "vadd.f32 s8, s8, s16\n\t"                                                                                         \
    "vmul.f32 s18, s18, s24\n\t"                                                                                       \
    "vadd.f32 s9, s9, s17\n\t"                                                                                         \
    "vmul.f32 s19, s19, s24\n\t"                                                                                       \
    "vadd.f32 s10, s10, s18\n\t"                                                                                       \
    "vmul.f32 s20, s20, s24\n\t"                                                                                       \
    "vadd.f32 s11, s11, s19\n\t"                                                                                       \
    "vmul.f32 s21, s21, s24\n\t"                                                                                       \
    "vadd.f32 s12, s12, s20\n\t"                                                                                       \
    "vmul.f32 s22, s22, s24\n\t"                                                                                       \
    "vadd.f32 s13, s13, s21\n\t"                                                                                       \
    "vmul.f32 s23, s23, s24\n\t"                                                                                       \
    "vadd.f32 s14, s14, s22\n\t"                                                                                       \
    "vadd.f32 s15, s15, s23\n\t"
#define EL_DENSE_OUTER_HIGH                                                                                            \
    "vmul.f32 s26, s8, s24\n\t"                                                                                        \
    "vmul.f32 s27, s9, s24\n\t"                                                                                        \
    "vadd.f32 s16, s16, s26\n\t"                                                                                       \
    "vmul.f32 s28, s10, s24\n\t"                                                                                       \
    "vadd.f32 s17, s17, s27\n\t"                                                                                       \
    "vmul.f32 s29, s11, s24\n\t"                                                                                       \
    "vadd.f32 s18, s18, s28\n\t"                                                                                       \
    "vmul.f32 s26, s12, s24\n\t"                                                                                       \
    "vadd.f32 s19, s19, s29\n\t"                                                                                       \
    "vmul.f32 s27, s13, s24\n\t"                                                                                       \
    "vadd.f32 s20, s20, s26\n\t"                                                                                       \
    "vmul.f32 s28, s14, s24\n\t"                                                                                       \
    "vadd.f32 s21, s21, s27\n\t"                                                                                       \
    "vmul.f32 s29, s15, s24\n\t"                                                                                       \
    "vadd.f32 s22, s22, s28\n\t"                                                                                       \
    "vadd.f32 s23, s23, s29\n\t"
