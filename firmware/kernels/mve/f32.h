/* Vectors of 32-bit floats for MVE, as kernels/vector/ wants them (its README.md says what each name means).
 *
 * A full vector takes the loads and stores that post-increment and need no predicate; only the last strip of a row is
 * predicated. Which one it is the compiler knows, because every function here is inlined. */
#ifndef EL_MVE_F32_H
#define EL_MVE_F32_H

#include "el/kernels.h"

#include <arm_mve.h>

#define EL_INLINE static inline __attribute__((always_inline))
#define EL_KERNEL(step) el_##step##_f32__mve

typedef float el_t;
typedef float32x4_t el_v;
typedef float32x4_t el_sum;
typedef mve_pred16_t el_n;

enum { EL_LANES = 4, EL_SUM_TERMS = 128 };

#define EL_ALL ((mve_pred16_t)0xFFFF)
#define EL_IS_ALL(n) (__builtin_constant_p(n) && (n) == EL_ALL)

/* The first `left` lanes, as far as there are so many. */
EL_INLINE el_n el_some(int32_t left)
{
    return vctp32q((uint32_t)left);
}

/* step(at, n, ...) for each strip of `count` elements, tail(at, n, ...) for the last one if it is not full. */
#define EL_STRIPS_OR(count, step, tail, ...)                                                                           \
    do {                                                                                                               \
        int32_t at_ = 0;                                                                                               \
        for (; at_ + EL_LANES <= (count); at_ += EL_LANES) {                                                           \
            step(at_, EL_ALL, __VA_ARGS__);                                                                            \
        }                                                                                                              \
        if (at_ < (count)) {                                                                                           \
            tail(at_, el_some((count)-at_), __VA_ARGS__);                                                              \
        }                                                                                                              \
    } while (0)
#define EL_STRIPS(count, step, ...) EL_STRIPS_OR(count, step, step, __VA_ARGS__)

EL_INLINE el_v el_load(const el_t *p, el_n n)
{
    return EL_IS_ALL(n) ? vld1q_f32(p) : vld1q_z_f32(p, n);
}

EL_INLINE void el_store(el_t *p, el_v v, el_n n)
{
    if (EL_IS_ALL(n)) {
        vst1q_f32(p, v);
    } else {
        vst1q_p_f32(p, v, n);
    }
}

/* Vector number i, a constant, of packed ones. It stays where it is written: the compiler would bring forward all loads
 * of a block and run out of registers. */
EL_INLINE el_v el_load_packed(const el_t *p, int i)
{
    el_v v;
    __asm__ volatile("vldrw.32 %q0, [%1, #%c2]" : "=w"(v) : "r"(p), "i"(16 * i) : "memory");
    return v;
}

/* a + b * c, where it is written */
EL_INLINE el_v el_fma_packed(el_v a, el_v b, el_v c)
{
    __asm__ volatile("vfma.f32 %q0, %q1, %q2" : "+w"(a) : "w"(b), "w"(c));
    return a;
}

EL_INLINE el_v el_set(float value, el_n n)
{
    (void)n;
    return vdupq_n_f32(value);
}

/* a + b * c */
EL_INLINE el_v el_fma(el_v a, el_v b, el_v c, el_n n)
{
    (void)n;
    return vfmaq_f32(a, b, c);
}

EL_INLINE el_v el_fma_scalar(el_v a, el_v b, float c, el_n n)
{
    (void)n;
    return vfmaq_n_f32(a, b, c);
}

EL_INLINE el_v el_add(el_v a, el_v b, el_n n)
{
    (void)n;
    return vaddq_f32(a, b);
}

EL_INLINE el_v el_sub(el_v a, el_v b, el_n n)
{
    (void)n;
    return vsubq_f32(a, b);
}

EL_INLINE el_v el_mul(el_v a, el_v b, el_n n)
{
    (void)n;
    return vmulq_f32(a, b);
}

EL_INLINE el_v el_mul_scalar(el_v a, float b, el_n n)
{
    (void)n;
    return vmulq_n_f32(a, b);
}

/* to[i * EL_LANES] = from[i * step] for i < count: whole vectors, packed. Returns where the next one goes. */
EL_INLINE el_t *el_gather(int32_t count, const el_t *from, int32_t step, el_t *to)
{
#define EL_MOVE "vldrw.32 q0, [%[from]]\nadd %[from], %[step]\nvstrw.32 q0, [%[to]], #16\n"
    __asm__ volatile("lsrs %[n], %[n], #1\n"
                     "bcc 0f\n" EL_MOVE "0:\n"
                     "lsrs %[n], %[n], #1\n"
                     "bcc 1f\n" EL_MOVE EL_MOVE "1:\n"
                     "wls lr, %[n], 3f\n"
                     "2:\n" EL_MOVE EL_MOVE EL_MOVE EL_MOVE "le lr, 2b\n"
                     "3:\n"
                     : [from] "+r"(from), [to] "+r"(to), [n] "+r"(count)
                     : [step] "r"(step * (int32_t)sizeof(el_t))
                     : "q0", "lr", "cc", "memory");
    return to;
#undef EL_MOVE
}

EL_INLINE el_sum el_sum_zero(el_n n)
{
    return el_set(0.0f, n);
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

#endif
