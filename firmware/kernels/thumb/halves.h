/* Halves in memory for tiles that compute in floats, see product/sums.h: an FPU of a Cortex-M converts one a cycle, two
 * of each word. A file includes this before it includes a tile. */
#ifndef EL_THUMB_HALVES_H
#define EL_THUMB_HALVES_H

#include "el/f16.h"

#include "registers.h"

typedef el_f16 el_map_t;

#define EL_SUMS_BYTES 4096
#define EL_OWN_STORE_ROWS

/* s0-s7 are sixteen halves, s16-s31 the same as floats; the first eight of these, or four. */
#define EL_WIDEN(h, f0, f1) "vcvtb.f32.f16 " f0 ", " h "\n\tvcvtt.f32.f16 " f1 ", " h "\n\t"
#define EL_WIDEN_4 EL_WIDEN("s0", "s16", "s17") EL_WIDEN("s1", "s18", "s19")
#define EL_WIDEN_8 EL_WIDEN_4 EL_WIDEN("s2", "s20", "s21") EL_WIDEN("s3", "s22", "s23")
#define EL_WIDEN_16                                                                                                    \
    EL_WIDEN_8 EL_WIDEN("s4", "s24", "s25") EL_WIDEN("s5", "s26", "s27") EL_WIDEN("s6", "s28", "s29")                  \
        EL_WIDEN("s7", "s30", "s31")
#define EL_NARROW(h, f0, f1) "vcvtb.f16.f32 " h ", " f0 "\n\tvcvtt.f16.f32 " h ", " f1 "\n\t"
#define EL_NARROW_4 EL_NARROW("s0", "s16", "s17") EL_NARROW("s1", "s18", "s19")
#define EL_NARROW_8 EL_NARROW_4 EL_NARROW("s2", "s20", "s21") EL_NARROW("s3", "s22", "s23")
#define EL_NARROW_16                                                                                                   \
    EL_NARROW_8 EL_NARROW("s4", "s24", "s25") EL_NARROW("s5", "s26", "s27") EL_NARROW("s6", "s28", "s29")              \
        EL_NARROW("s7", "s30", "s31")

/* `each` elements at a time, while there are so many: from goes on, and so does to. */
#define EL_HALVES_LOOP(each, text)                                                                                     \
    for (; count >= (each); count -= (each)) {                                                                         \
        __asm__ volatile(text : [p] "+r"(from), [t] "+r"(to) : : EL_ALL_REGISTERS);                                    \
    }

/* Whether a half does not begin a word: loads of several registers want words. */
static inline int el_halfway(const el_f16 *p)
{
    return (int)((uintptr_t)p & 2u);
}

/* to[k] = from[k] */
static inline void el_widen(int32_t count, const el_f16 *from, float *to)
{
    for (; count > 0 && el_halfway(from); count--) {
        *to++ = (float)*from++;
    }
    EL_HALVES_LOOP(16, "vldmia %[p]!, {s0-s7}\n\t" EL_WIDEN_16 "vstmia %[t]!, {s16-s31}\n\t")
    EL_HALVES_LOOP(4, "vldmia %[p]!, {s0-s1}\n\t" EL_WIDEN_4 "vstmia %[t]!, {s16-s19}\n\t")
    for (; count > 0; count--) {
        *to++ = (float)*from++;
    }
}

static inline void el_store_row(int32_t count, const float *from, el_f16 *to)
{
    for (; count > 0 && el_halfway(to); count--) {
        *to++ = (el_f16)*from++;
    }
    EL_HALVES_LOOP(16, "vldmia %[p]!, {s16-s31}\n\t" EL_NARROW_16 "vstmia %[t]!, {s0-s7}\n\t")
    EL_HALVES_LOOP(4, "vldmia %[p]!, {s16-s19}\n\t" EL_NARROW_4 "vstmia %[t]!, {s0-s1}\n\t")
    for (; count > 0; count--) {
        *to++ = (el_f16)*from++;
    }
}

#define EL_SUM_8                                                                                                       \
    "vadd.f32 s16, s16, s8\n\tvadd.f32 s17, s17, s9\n\tvadd.f32 s18, s18, s10\n\tvadd.f32 s19, s19, s11\n\t"           \
    "vadd.f32 s20, s20, s12\n\tvadd.f32 s21, s21, s13\n\tvadd.f32 s22, s22, s14\n\tvadd.f32 s23, s23, s15\n\t"

static inline void el_add_row(int32_t count, const float *from, el_f16 *to)
{
    for (; count > 0 && el_halfway(to); count--, to++) {
        *to = (el_f16)((float)*to + *from++);
    }
    EL_HALVES_LOOP(8, "vldmia %[t], {s0-s3}\n\tvldmia %[p]!, {s8-s15}\n\t" EL_WIDEN_8 EL_SUM_8 EL_NARROW_8
                      "vstmia %[t]!, {s0-s3}\n\t")
    for (; count > 0; count--, to++) {
        *to = (el_f16)((float)*to + *from++);
    }
}

#endif
