/* Vectors of one number format, as kernels/vector/ wants them; f32.h and f16.h say which format and include this.
 *
 *   el_t, el_v, el_sum   an element, a vector of EL_LANES of them, and a vector of sums in 32-bit floats
 *   el_n                 which lanes there are: EL_ALL or el_some(left)
 *
 * Full vectors take loads and stores without a predicate; which they are the compiler knows, because every function
 * here is inlined. */
#ifndef EL_MVE_LANES_H
#define EL_MVE_LANES_H

#include "../inline.h"

typedef mve_pred16_t el_n;

#define EL_ALL ((mve_pred16_t)0xFFFF)
#define EL_IS_ALL(n) (__builtin_constant_p(n) && (n) == EL_ALL)

/* The first `left` lanes, as far as there are so many. */
EL_INLINE el_n el_some(int32_t left)
{
    return EL_SOME((uint32_t)left);
}

/* step(at, n, ...) for each strip of `count` elements */
#define EL_STRIPS(count, step, ...)                                                                                    \
    do {                                                                                                               \
        int32_t at_ = 0;                                                                                               \
        for (; at_ + EL_LANES <= (count); at_ += EL_LANES) {                                                           \
            step(at_, EL_ALL, __VA_ARGS__);                                                                            \
        }                                                                                                              \
        if (at_ < (count)) {                                                                                           \
            step(at_, el_some((count)-at_), __VA_ARGS__);                                                              \
        }                                                                                                              \
    } while (0)

EL_INLINE el_v el_load(const el_t *p, el_n n)
{
    return EL_IS_ALL(n) ? EL_MVE(vld1q)(p) : EL_MVE(vld1q_z)(p, n);
}

EL_INLINE void el_store(el_t *p, el_v v, el_n n)
{
    if (EL_IS_ALL(n)) {
        EL_MVE(vst1q)(p, v);
    } else {
        EL_MVE(vst1q_p)(p, v, n);
    }
}

/* Vector number i, a constant, of packed ones. It stays where it is written: the compiler would bring forward all loads
 * of a block and run out of registers. */
EL_INLINE el_v el_load_packed(const el_t *p, int i)
{
    el_v v;
    __asm__ volatile(EL_VLDR " %q0, [%1, #%c2]" : "=w"(v) : "r"(p), "i"(16 * i) : "memory");
    return v;
}

/* a + b * c, where it is written */
EL_INLINE el_v el_fma_packed(el_v a, el_v b, el_v c)
{
    __asm__ volatile(EL_VFMA " %q0, %q1, %q2" : "+w"(a) : "w"(b), "w"(c));
    return a;
}

/* to[i * EL_LANES] = from[i * step] for i < count: whole vectors, packed. Returns where the next one goes. */
EL_INLINE el_t *el_gather(int32_t count, const el_t *from, int32_t step, el_t *to)
{
#define EL_MOVE EL_VLDR " q0, [%[from]]\nadd %[from], %[step]\n" EL_VSTR " q0, [%[to]], #16\n"
    __asm__ volatile("lsrs %[n], %[n], #1\n"
                     "bcc 0f\n" EL_MOVE "0:\n"
                     "lsrs %[n], %[n], #1\n"
                     "bcc 1f\n" EL_MOVE EL_MOVE "1:\n"
                     "wls lr, %[n], 3f\n"
                     "2:\n" EL_MOVE EL_MOVE EL_MOVE EL_MOVE "le lr, 2b\n"
                     "3:\n"
                     : [from] "+&r"(from), [to] "+&r"(to), [n] "+&r"(count)
                     : [step] "r"(step * (int32_t)sizeof(el_t))
                     : "q0", "lr", "cc", "memory");
    return to;
#undef EL_MOVE
}

/* The same for each of `lines`, which begin `line` elements apart, one behind the other. */
EL_INLINE void el_gather_lines(int32_t lines, int32_t line, int32_t count, const el_t *from, int32_t step, el_t *to)
{
    const el_t *p;
#define EL_MOVE EL_VLDR " q0, [%[p]]\nadd %[p], %[step]\n" EL_VSTR " q0, [%[to]], #16\n"
    __asm__ volatile("1: mov %[p], %[from]\n"
                     "add %[from], %[line]\n"
                     "wls lr, %[fours], 3f\n"
                     "2:\n" EL_MOVE EL_MOVE EL_MOVE EL_MOVE "le lr, 2b\n"
                     "3: wls lr, %[rest], 5f\n"
                     "4:\n" EL_MOVE "le lr, 4b\n"
                     "5: subs %[lines], #1\n"
                     "bne 1b\n"
                     : [from] "+&r"(from), [to] "+&r"(to), [lines] "+&r"(lines), [p] "=&r"(p)
                     : [fours] "r"((uint32_t)count / 4), [rest] "r"((uint32_t)count % 4),
                       [step] "r"(step * (int32_t)sizeof(el_t)), [line] "r"(line * (int32_t)sizeof(el_t))
                     : "q0", "lr", "cc", "memory");
#undef EL_MOVE
}

/* A float as a core register holds it. */
EL_INLINE uint32_t el_float_bits(float x)
{
    return ((const union {
               float f;
               uint32_t u;
           }){x})
        .u;
}

/* a + b * the element in the lower bits of c, where it is written */
EL_INLINE el_v el_fma_word(el_v a, el_v b, uint32_t c)
{
    __asm__ volatile(EL_VFMA " %q0, %q1, %2" : "+w"(a) : "w"(b), "r"(c));
    return a;
}

EL_INLINE el_v el_set(float value, el_n n)
{
    (void)n;
    return EL_MVE(vdupq_n)((el_t)value);
}

EL_INLINE el_v el_add(el_v a, el_v b, el_n n)
{
    (void)n;
    return EL_MVE(vaddq)(a, b);
}

EL_INLINE el_v el_sub(el_v a, el_v b, el_n n)
{
    (void)n;
    return EL_MVE(vsubq)(a, b);
}

EL_INLINE el_v el_mul(el_v a, el_v b, el_n n)
{
    (void)n;
    return EL_MVE(vmulq)(a, b);
}

EL_INLINE el_v el_mul_scalar(el_v a, float b, el_n n)
{
    (void)n;
    return EL_MVE(vmulq_n)(a, (el_t)b);
}

/* a + b * c */
EL_INLINE el_v el_fma(el_v a, el_v b, el_v c, el_n n)
{
    (void)n;
    return EL_MVE(vfmaq)(a, b, c);
}

EL_INLINE el_v el_fma_scalar(el_v a, el_v b, float c, el_n n)
{
    (void)n;
    return EL_MVE(vfmaq_n)(a, b, (el_t)c);
}

#endif
