/* Multiply-adds in one instruction: fewest instructions, and fewest cycles where the FPU starts one in every cycle. */

/* wide.h: s16-s19 and s20-s23 four terms of the rows, s24-s31 a term of the columns */
#define EL_WIDE_TERM(a0, a1)                                                                                           \
    "vldmia %[b]!, {s24-s31}\n\t"                                                                                      \
    "vfma.f32 s0, " a0 ", s24\n\t"                                                                                     \
    "vfma.f32 s1, " a0 ", s25\n\t"                                                                                     \
    "vfma.f32 s2, " a0 ", s26\n\t"                                                                                     \
    "vfma.f32 s3, " a0 ", s27\n\t"                                                                                     \
    "vfma.f32 s4, " a0 ", s28\n\t"                                                                                     \
    "vfma.f32 s5, " a0 ", s29\n\t"                                                                                     \
    "vfma.f32 s6, " a0 ", s30\n\t"                                                                                     \
    "vfma.f32 s7, " a0 ", s31\n\t"                                                                                     \
    "vfma.f32 s8, " a1 ", s24\n\t"                                                                                     \
    "vfma.f32 s9, " a1 ", s25\n\t"                                                                                     \
    "vfma.f32 s10, " a1 ", s26\n\t"                                                                                    \
    "vfma.f32 s11, " a1 ", s27\n\t"                                                                                    \
    "vfma.f32 s12, " a1 ", s28\n\t"                                                                                    \
    "vfma.f32 s13, " a1 ", s29\n\t"                                                                                    \
    "vfma.f32 s14, " a1 ", s30\n\t"                                                                                    \
    "vfma.f32 s15, " a1 ", s31\n\t"
#define EL_WIDE_FOUR                                                                                                   \
    "vldmia %[a0]!, {s16-s19}\n\tvldmia %[a1]!, {s20-s23}\n\t" EL_WIDE_TERM("s16", "s20") EL_WIDE_TERM("s17", "s21")   \
        EL_WIDE_TERM("s18", "s22") EL_WIDE_TERM("s19", "s23")
#define EL_WIDE_ONE "vldmia %[a0]!, {s16}\n\tvldmia %[a1]!, {s20}\n\t" EL_WIDE_TERM("s16", "s20")
#define EL_WIDE_BYTES "280"

/* lanes.h: s0-s7 += s8-s15 * s16-s23, and s8-s15 += s0-s7 * scale */
#define EL_LANES_MACS                                                                                                  \
    "vfma.f32 s0, s8, s16\n\t"                                                                                         \
    "vfma.f32 s1, s9, s17\n\t"                                                                                         \
    "vfma.f32 s2, s10, s18\n\t"                                                                                        \
    "vfma.f32 s3, s11, s19\n\t"                                                                                        \
    "vfma.f32 s4, s12, s20\n\t"                                                                                        \
    "vfma.f32 s5, s13, s21\n\t"                                                                                        \
    "vfma.f32 s6, s14, s22\n\t"                                                                                        \
    "vfma.f32 s7, s15, s23\n\t"
#define EL_LANES_SCALED                                                                                                \
    "vfma.f32 s8, s0, %[scale]\n\t"                                                                                    \
    "vfma.f32 s9, s1, %[scale]\n\t"                                                                                    \
    "vfma.f32 s10, s2, %[scale]\n\t"                                                                                   \
    "vfma.f32 s11, s3, %[scale]\n\t"                                                                                   \
    "vfma.f32 s12, s4, %[scale]\n\t"                                                                                   \
    "vfma.f32 s13, s5, %[scale]\n\t"                                                                                   \
    "vfma.f32 s14, s6, %[scale]\n\t"                                                                                   \
    "vfma.f32 s15, s7, %[scale]\n\t"

/* dense.h: s0-s3 += s4-s7 * each of s8-s11, s12-s15, s16-s19, s20-s23 */
#define EL_DENSE_DOT                                                                                                   \
    "vfma.f32 s0, s4, s8\n\t"                                                                                          \
    "vfma.f32 s1, s4, s12\n\t"                                                                                         \
    "vfma.f32 s2, s4, s16\n\t"                                                                                         \
    "vfma.f32 s3, s4, s20\n\t"                                                                                         \
    "vfma.f32 s0, s5, s9\n\t"                                                                                          \
    "vfma.f32 s1, s5, s13\n\t"                                                                                         \
    "vfma.f32 s2, s5, s17\n\t"                                                                                         \
    "vfma.f32 s3, s5, s21\n\t"                                                                                         \
    "vfma.f32 s0, s6, s10\n\t"                                                                                         \
    "vfma.f32 s1, s6, s14\n\t"                                                                                         \
    "vfma.f32 s2, s6, s18\n\t"                                                                                         \
    "vfma.f32 s3, s6, s22\n\t"                                                                                         \
    "vfma.f32 s0, s7, s11\n\t"                                                                                         \
    "vfma.f32 s1, s7, s15\n\t"                                                                                         \
    "vfma.f32 s2, s7, s19\n\t"                                                                                         \
    "vfma.f32 s3, s7, s23\n\t"
/* s0-s7, s8-s15 += s16-s23 * s24, and s16-s23 += s0-s7, s8-s15 * s24 */
#define EL_DENSE_BACK_LOW                                                                                              \
    "vfma.f32 s0, s16, s24\n\t"                                                                                        \
    "vfma.f32 s1, s17, s24\n\t"                                                                                        \
    "vfma.f32 s2, s18, s24\n\t"                                                                                        \
    "vfma.f32 s3, s19, s24\n\t"                                                                                        \
    "vfma.f32 s4, s20, s24\n\t"                                                                                        \
    "vfma.f32 s5, s21, s24\n\t"                                                                                        \
    "vfma.f32 s6, s22, s24\n\t"                                                                                        \
    "vfma.f32 s7, s23, s24\n\t"
#define EL_DENSE_OUTER_LOW                                                                                             \
    "vfma.f32 s16, s0, s24\n\t"                                                                                        \
    "vfma.f32 s17, s1, s24\n\t"                                                                                        \
    "vfma.f32 s18, s2, s24\n\t"                                                                                        \
    "vfma.f32 s19, s3, s24\n\t"                                                                                        \
    "vfma.f32 s20, s4, s24\n\t"                                                                                        \
    "vfma.f32 s21, s5, s24\n\t"                                                                                        \
    "vfma.f32 s22, s6, s24\n\t"                                                                                        \
    "vfma.f32 s23, s7, s24\n\t"
#define EL_DENSE_BACK_HIGH                                                                                             \
    "vfma.f32 s8, s16, s24\n\t"                                                                                        \
    "vfma.f32 s9, s17, s24\n\t"                                                                                        \
    "vfma.f32 s10, s18, s24\n\t"                                                                                       \
    "vfma.f32 s11, s19, s24\n\t"                                                                                       \
    "vfma.f32 s12, s20, s24\n\t"                                                                                       \
    "vfma.f32 s13, s21, s24\n\t"                                                                                       \
    "vfma.f32 s14, s22, s24\n\t"                                                                                       \
    "vfma.f32 s15, s23, s24\n\t"
#define EL_DENSE_OUTER_HIGH                                                                                            \
    "vfma.f32 s16, s8, s24\n\t"                                                                                        \
    "vfma.f32 s17, s9, s24\n\t"                                                                                        \
    "vfma.f32 s18, s10, s24\n\t"                                                                                       \
    "vfma.f32 s19, s11, s24\n\t"                                                                                       \
    "vfma.f32 s20, s12, s24\n\t"                                                                                       \
    "vfma.f32 s21, s13, s24\n\t"                                                                                       \
    "vfma.f32 s22, s14, s24\n\t"                                                                                       \
    "vfma.f32 s23, s15, s24\n\t"
