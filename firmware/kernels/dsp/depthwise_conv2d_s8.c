/* Depthwise convolution of int8 maps with the DSP extension. Channels 0 and 2 lie in one word, 1 and 3 in the next, as
 * SXTB16 takes four bytes apart. */
#include "dsp.h"

#include "../product_s8/quad.h"

typedef struct {
    uint32_t even, odd;
} el_quad_s8;

EL_INLINE el_quad_s8 el_quad_s8_of(const int8_t *from, int32_t x_zero)
{
    const uint32_t word = el_word(from);
    const uint32_t minus = el_minus(x_zero);
    return (el_quad_s8){el_widen_even(minus, word), el_widen_odd(minus, word)};
}

EL_INLINE el_quad_s8 el_twice_s8_of(const int8_t *from)
{
    const uint32_t word = el_word(from);
    return (el_quad_s8){el_widen_even(el_widen_even(0, word), word), el_widen_odd(el_widen_odd(0, word), word)};
}

/* Adds taps that lie side by side in a row: `count` of them, three if it is 0. The weights behind them. */
EL_INLINE const el_quad_s8 *el_taps_s8(el_four_s8 *sums, const el_quad_s8 *v, const el_quad_s8 *w, int32_t count)
{
    uint32_t v0, v1, w0, w1;
    int32_t s0 = sums->s0;
    int32_t s1 = sums->s1;
    int32_t s2 = sums->s2;
    int32_t s3 = sums->s3;
#define EL_TAP                                                                                                         \
    "ldrd %[v0], %[v1], [%[v]], #8\n"                                                                                  \
    "ldrd %[w0], %[w1], [%[w]], #8\n"                                                                                  \
    "smlabb %[s0], %[v0], %[w0], %[s0]\n"                                                                              \
    "smlabb %[s1], %[v1], %[w1], %[s1]\n"                                                                              \
    "smlatt %[s2], %[v0], %[w0], %[s2]\n"                                                                              \
    "smlatt %[s3], %[v1], %[w1], %[s3]\n"
#define EL_OPERANDS                                                                                                    \
    [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [v] "+r"(v), [w] "+r"(w), [v0] "=&r"(v0),              \
        [v1] "=&r"(v1), [w0] "=&r"(w0), [w1] "=&r"(w1)
    if (count == 0) {
        __asm__ volatile(EL_TAP EL_TAP EL_TAP:EL_OPERANDS : : "memory");
    } else {
        __asm__ volatile("1:\n" EL_TAP "subs %[count], %[count], #1\n"
                         "bne 1b\n"
                         : EL_OPERANDS, [count] "+r"(count)
                         :
                         : "cc", "memory");
    }
#undef EL_OPERANDS
#undef EL_TAP
    *sums = (el_four_s8){s0, s1, s2, s3};
    return w;
}

/* Four bytes at y of twice the sums. */
EL_INLINE void el_rescale_quad_s8(const el_factors_s8 *f, const el_four_s8 *sums, int8_t *y)
{
    const void *of = f->of;
#define EL_ONE(sum, k)                                                                                                 \
    "ldm %[of]!, {r4, r5, r6}\n"                                                                                       \
    "smmlar r4, %[" sum "], r4, r5\n"                                                                                  \
    "add r4, r4, %[" sum "], asr #31\n"                                                                                \
    "asr r4, r4, r6\n"                                                                                                 \
    "ssat r4, #8, r4\n"                                                                                                \
    "strb r4, [%[y], #" k "]\n"
    __asm__ volatile(EL_ONE("s0", "0") EL_ONE("s1", "1") EL_ONE("s2", "2") EL_ONE("s3", "3")
                     : [of] "+r"(of)
                     : [s0] "r"(sums->s0), [s1] "r"(sums->s1), [s2] "r"(sums->s2), [s3] "r"(sums->s3), [y] "r"(y)
                     : "r4", "r5", "r6", "memory");
#undef EL_ONE
}

#include "../product_s8/depthwise.h"

EL_DEPTHWISE_KERNEL_S8(dsp)
