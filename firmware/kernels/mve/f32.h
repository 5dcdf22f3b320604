/* Vectors of 32-bit floats: see lanes.h. */
#ifndef EL_MVE_F32_H
#define EL_MVE_F32_H

#include "el/kernels.h"

#include <arm_mve.h>

typedef float el_t;
typedef float32x4_t el_v;
typedef float32x4_t el_sum;
typedef uint32x4_t el_index; /* whole numbers, as many as a vector has lanes */
typedef uint32_t el_index_t;

enum { EL_LANES = 4, EL_FLOATS = 1 /* vectors of a sum */, EL_SUM_TERMS = 128 };

#define EL_KERNEL(step) el_##step##_f32__mve
#define EL_MVE(name) name##_f32
#define EL_SOME vctp32q
#define EL_MOST_INDEX INT32_MAX
#define EL_INDEX(name) name##_u32
#define EL_LOG "2" /* of the bytes of an element */
#define EL_TAIL_BEGIN "wlstp.32"
#define EL_WIDTH "32"
#define EL_VLDR "vldrw.32"
#define EL_VSTR "vstrw.32"
#define EL_VFMA "vfma.f32"
/* Adds vector v to the sum at p, which moves on, and makes it zero. */
#define EL_ADD_TO_SUM(p, v)                                                                                            \
    "vldrw.32 q6, [%[" p "]]\nvadd.f32 q6, q6, %q[" v "]\nvstrw.32 q6, [%[" p "]], #16\nvmov.i32 %q[" v "], #0\n"
#define EL_MOVE_TO_SUM(p, v) "vstrw.32 %q[" v "], [%[" p "]], #16\nvmov.i32 %q[" v "], #0\n"
#define EL_FOR_EACH_OF_EIGHT(X) X("vaddv", "bits") X("vaddva", "more") /* their bits, and how they are summed */
/* Elements into r4, r5, r6 and r8. */
#define EL_LOAD_FOUR_WORDS(p) "ldm %[" p "]!, {r4-r6,r8}\n"

#include "lanes.h"

EL_INLINE el_sum el_sum_zero(el_n n)
{
    return el_set(0.0f, n);
}

EL_INLINE el_sum el_sum_of(el_v v)
{
    return v;
}

EL_INLINE el_sum el_sum_at(const float32x4_t *p)
{
    return *p;
}

EL_INLINE el_sum el_sum_add(el_sum s, el_v v, el_n n)
{
    return el_add(s, v, n);
}

/* p[i] += scale * s[i] */
EL_INLINE void el_sum_into(el_t *p, float scale, el_sum s, el_n n)
{
    el_store(p, el_fma_scalar(el_load(p, n), s, scale, n), n);
}

EL_INLINE float32x4_t el_total_add(float32x4_t total, el_v v)
{
    return vaddq_f32(total, v);
}

EL_INLINE el_v el_sum_narrow(el_sum s)
{
    return s;
}

/* An element as a core register holds it. */
EL_INLINE uint32_t el_word_of(const el_t *p)
{
    return ((const union {
               float f;
               uint32_t u;
           }){*p})
        .u;
}

/* Whether rows of w may be loaded by words. */
EL_INLINE int el_words_aligned(const el_t *x, const el_t *w, int32_t pitch)
{
    (void)x;
    (void)w;
    (void)pitch;
    return 1;
}

EL_INLINE el_sum el_sum_plus(el_sum a, el_sum b)
{
    return vaddq_f32(a, b);
}

EL_INLINE el_sum el_sum_times(el_sum s, float by)
{
    return vmulq_n_f32(s, by);
}

EL_INLINE el_v el_mul_float(el_v v, float by)
{
    return vmulq_n_f32(v, by);
}

/* The least element that is not below a number. */
EL_INLINE el_t el_least_from(float x)
{
    return x;
}

/* 1, 2, 4, ...: the bits that lanes stand for */
typedef uint32x4_t el_bit_lanes;

EL_INLINE el_bit_lanes el_bit_lanes_of(void)
{
    return vshlq_u32(vdupq_n_u32(1), vreinterpretq_s32_u32(vidupq_n_u32(0, 1)));
}

EL_INLINE uint32_t el_bits_of(el_bit_lanes bits, el_n which)
{
    return vaddvq_p_u32(bits, which);
}

/* Lanes whose bits are not in `byte`. */
EL_INLINE el_n el_lanes_without(el_bit_lanes bits, uint32_t byte)
{
    /* with a vector of zeros, because the scalar form of this brings GCC 12 down */
    return vcmpeqq_u32(vandq_u32(bits, vdupq_n_u32(byte)), vdupq_n_u32(0));
}

#endif
