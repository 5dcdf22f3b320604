/* Vectors of halves: see lanes.h. Sums of products are rounded to halves for EL_SUM_TERMS terms, then go into floats,
 * those of even lanes apart from those of odd ones. */
#ifndef EL_MVE_F16_H
#define EL_MVE_F16_H

#include "el/kernels.h"

#include <arm_mve.h>

typedef el_f16 el_t;
typedef float16x8_t el_v;
typedef struct {
    float32x4_t even, odd;
} el_sum;
typedef uint16x8_t el_index; /* whole numbers, as many as a vector has lanes */
typedef uint16_t el_index_t;

enum { EL_LANES = 8, EL_FLOATS = 2 /* vectors of a sum */, EL_SUM_TERMS = 64 };

#define EL_KERNEL(step) el_##step##_f16__mve
#define EL_MVE(name) name##_f16
#define EL_SOME vctp16q
#define EL_MOST_INDEX UINT16_MAX
#define EL_INDEX(name) name##_u16
#define EL_LOG "1" /* of the bytes of an element */
#define EL_TAIL_BEGIN "wlstp.16"
#define EL_WIDTH "16"
#define EL_VLDR "vldrh.16"
#define EL_VSTR "vstrh.16"
#define EL_VFMA "vfma.f16"
/* Adds vector v to the sum at p, which moves on, and makes it zero. */
#define EL_ADD_TO_SUM(p, v)                                                                                            \
    EL_EVEN_BY("el_q7", v)                                                                                             \
    "vldrw.32 q6, [%[" p "]]\nvadd.f32 q6, q6, q7\nvstrw.32 q6, [%[" p                                                 \
    "]], #16\n" EL_ODD_BY("el_q7", v) "vldrw.32 q6, [%[" p "]]\nvadd.f32 q6, q6, q7\nvstrw.32 q6, [%[" p               \
                                      "]], #16\nvmov.i32 %q[" v "], #0\n"
#define EL_MOVE_TO_SUM(p, v)                                                                                           \
    EL_EVEN_BY("el_q7", v)                                                                                             \
    "vstrw.32 q7, [%[" p "]], #16\n" EL_ODD_BY("el_q7", v) "vstrw.32 q7, [%[" p "]], #16\nvmov.i32 %q[" v "], #0\n"
#define EL_FOR_EACH_OF_EIGHT(X) X("vaddv", "bits") /* their bits, and how they are summed */
/* Elements into r4, r5, r6 and r8. */
#define EL_LOAD_FOUR_WORDS(p)                                                                                          \
    "ldrh r4, [%[" p "]], #2\nldrh r5, [%[" p "]], #2\nldrh r6, [%[" p "]], #2\nldrh r8, [%[" p "]], #2\n"

#include "lanes.h"

/* Even lanes are the lower halves of a float's 32 bits, odd ones the upper halves. These are VCVTB and VCVTT by their
 * encodings (Armv8-M Architecture Reference Manual), because binutils before 2.41 give them the wrong registers: q1
 * becomes q2, and so on. The numbers of the registers are symbols. */
__asm__(".set el_q0, 0\n.set el_q1, 1\n.set el_q2, 2\n.set el_q3, 3\n"
        ".set el_q4, 4\n.set el_q5, 5\n.set el_q6, 6\n.set el_q7, 7\n");
#define EL_EVEN_BY(to, v) ".inst.w 0xfe3f0e01 + (" to " << 13) + (el_%q[" v "] << 1)\n"
#define EL_ODD_BY(to, v) ".inst.w 0xfe3f1e01 + (" to " << 13) + (el_%q[" v "] << 1)\n"
#define EL_EVEN_OF(to, from) ".inst.w 0xfe3f0e01 + (" #to " << 13) + (" #from " << 1)\n"
#define EL_ODD_OF(to, from) ".inst.w 0xfe3f1e01 + (" #to " << 13) + (" #from " << 1)\n"
#define EL_TO_EVEN(to, from) ".inst.w 0xee3f0e01 + (" #to " << 13) + (" #from " << 1)\n"
#define EL_TO_ODD(to, from) ".inst.w 0xee3f1e01 + (" #to " << 13) + (" #from " << 1)\n"
#define EL_CONVERT(code) ".inst.w " #code " + (el_%q0 << 13) + (el_%q1 << 1)"

EL_INLINE float32x4_t el_even(el_v v)
{
    float32x4_t f;
    __asm__(EL_CONVERT(0xfe3f0e01) : "=w"(f) : "w"(v));
    return f;
}

EL_INLINE float32x4_t el_odd(el_v v)
{
    float32x4_t f;
    __asm__(EL_CONVERT(0xfe3f1e01) : "=w"(f) : "w"(v));
    return f;
}

EL_INLINE el_sum el_sum_of(el_v v)
{
    return (el_sum){el_even(v), el_odd(v)};
}

EL_INLINE el_sum el_sum_zero(el_n n)
{
    (void)n;
    return (el_sum){vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
}

EL_INLINE el_sum el_sum_at(const float32x4_t *p)
{
    return (el_sum){p[0], p[1]};
}

EL_INLINE el_sum el_sum_add(el_sum s, el_v v, el_n n)
{
    (void)n;
    return (el_sum){vaddq_f32(s.even, el_even(v)), vaddq_f32(s.odd, el_odd(v))};
}

/* The nearest halves. */
EL_INLINE el_v el_sum_narrow(el_sum s)
{
    el_v v = vreinterpretq_f16_f32(s.even); /* every lane is overwritten */
    __asm__ volatile(EL_CONVERT(0xee3f0e01) : "+w"(v) : "w"(s.even));
    __asm__ volatile(EL_CONVERT(0xee3f1e01) : "+w"(v) : "w"(s.odd));
    return v;
}

/* p[i] += scale * s[i], rounded once */
EL_INLINE void el_sum_into(el_t *p, float scale, el_sum s, el_n n)
{
    const el_sum v = el_sum_of(el_load(p, n));
    const el_sum sum = {vfmaq_n_f32(v.even, s.even, scale), vfmaq_n_f32(v.odd, s.odd, scale)};
    el_store(p, el_sum_narrow(sum), n);
}

/* Each lane of the total has the sum of two. */
EL_INLINE float32x4_t el_total_add(float32x4_t total, el_v v)
{
    return vaddq_f32(total, vaddq_f32(el_even(v), el_odd(v)));
}

/* An element as a core register holds it. */
EL_INLINE uint32_t el_word_of(const el_t *p)
{
    return ((const union {
               el_t h;
               uint16_t u;
           }){*p})
        .u;
}

/* Whether rows of w may be loaded by words. */
EL_INLINE int el_words_aligned(const el_t *x, const el_t *w, int32_t pitch)
{
    return (((uintptr_t)x | (uintptr_t)w) & 3u) == 0 && pitch % 2 == 0;
}

EL_INLINE el_sum el_sum_plus(el_sum a, el_sum b)
{
    return (el_sum){vaddq_f32(a.even, b.even), vaddq_f32(a.odd, b.odd)};
}

EL_INLINE el_sum el_sum_times(el_sum s, float by)
{
    return (el_sum){vmulq_n_f32(s.even, by), vmulq_n_f32(s.odd, by)};
}

/* The products with a float, rounded once. */
EL_INLINE el_v el_mul_float(el_v v, float by)
{
    return el_sum_narrow(el_sum_times(el_sum_of(v), by));
}

/* The least element that is not below a positive number. */
EL_INLINE el_t el_least_from(float x)
{
    el_t near = (el_t)x;
    if ((float)near < x) {
        near = el_f16_from_bits((uint16_t)(el_word_of(&near) + 1u));
    }
    return near;
}

/* 1, 2, 4, ...: the bits that lanes stand for */
typedef uint16x8_t el_bit_lanes;

EL_INLINE el_bit_lanes el_bit_lanes_of(void)
{
    return vshlq_u16(vdupq_n_u16(1), vreinterpretq_s16_u16(vidupq_n_u16(0, 1)));
}

EL_INLINE uint32_t el_bits_of(el_bit_lanes bits, el_n which)
{
    return vaddvq_p_u16(bits, which);
}

/* Lanes whose bits are not in `byte`. */
EL_INLINE el_n el_lanes_without(el_bit_lanes bits, uint32_t byte)
{
    return vcmpeqq_n_u16(vandq_u16(bits, vdupq_n_u16((uint16_t)byte)), 0);
}

#endif
