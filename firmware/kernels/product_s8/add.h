/* Sums and differences of two int8 maps with scales of their own, element by element; see el_add_s8.
 *
 * Where no shift is to the left and the result's is from -22 to -1, each factor is one rounded product, a sum and a
 * shift: operands on 20 bits stay within 2^28, so that nothing leaves 32 bits (see el_rescale_rows_s8). */
#ifndef EL_ADD_S8_H
#define EL_ADD_S8_H

#include "layer.h"

/* One operand's way to the scale that both share. A shift of 0 rounds nothing: `sign` takes nothing off then. */
typedef struct {
    int32_t zero, multiplier, half, sign, right;
} el_operand_s8;

EL_INLINE el_operand_s8 el_operand_s8_of(int32_t zero, int32_t multiplier, int32_t shift)
{
    const int32_t n = -shift;
    return (el_operand_s8){zero * (1 << 21), multiplier, n > 0 ? 1 << (n - 1) : 0, n > 0 ? -1 : 0, n};
}

EL_INLINE int32_t el_shared_s8(const el_operand_s8 *o, int32_t x)
{
    const int32_t twice = x * (1 << 21) - o->zero;
    return (el_rounded_product(twice, o->multiplier, o->half) + (twice >> 31 & o->sign)) >> o->right;
}

EL_INLINE int el_rightwards_s8(int32_t shift, int32_t least)
{
    return shift <= -least && shift >= -EL_SMALL_SHIFT;
}

/* One row of a and b, or of a and -b. */
EL_INLINE void el_sum_row_s8(const el_add_s8 *s, const int minus, const int8_t *a, const int8_t *b, int8_t *y)
{
    const el_operand_s8 oa = el_operand_s8_of(s->a_zero, s->a_multiplier, s->a_shift);
    const el_operand_s8 ob = el_operand_s8_of(s->b_zero, s->b_multiplier, s->b_shift);
    const int32_t n = -s->y_shift;
    const int32_t add = (2 * s->y_zero + 1) * (1 << (n - 1));
    const int32_t multiplier = s->y_multiplier;
    const int32_t min = s->min;
    const int32_t max = s->max;
    for (const int8_t *end = a + s->channels; a != end;) {
        const int32_t second = el_shared_s8(&ob, *b++);
        const int32_t sum = el_shared_s8(&oa, *a++) + (minus ? -second : second);
        const int32_t v = (el_rounded_product(2 * sum, multiplier, add) + (sum >> 31)) >> n;
        *y++ = (int8_t)el_max(el_min(v, max), min);
    }
}

/* The same with any shifts. */
EL_APART void el_sum_row_any_s8(const el_add_s8 *s, int minus, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t c = 0; c < s->channels; c++) {
        const int32_t wide_a = (a[c] - s->a_zero) * (1 << 20);
        const int32_t wide_b = (b[c] - s->b_zero) * (1 << 20);
        const int32_t second = el_rescale(wide_b, s->b_multiplier, s->b_shift);
        const int32_t sum = el_rescale(wide_a, s->a_multiplier, s->a_shift) + (minus ? -second : second);
        y[c] = el_to_s8(el_rescale(sum, s->y_multiplier, s->y_shift), s->y_zero, s->min, s->max);
    }
}

EL_INLINE void el_sum_s8(const el_add_s8 *s, const int minus, const int8_t *a, const int8_t *b, int8_t *y)
{
    const int quick =
        el_rightwards_s8(s->a_shift, 0) && el_rightwards_s8(s->b_shift, 0) && el_rightwards_s8(s->y_shift, 1);
    for (int32_t r = 0; r < s->rows; r++, a += s->channels, y += s->channels) {
        if (quick) {
            el_sum_row_s8(s, minus, a, b, y);
        } else {
            el_sum_row_any_s8(s, minus, a, b, y);
        }
    }
}

#define EL_ADD_KERNELS_S8(ISA)                                                                                         \
    void el_add_fwd_s8__##ISA(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)                         \
    {                                                                                                                  \
        el_sum_s8(s, 0, a, b, y);                                                                                      \
    }                                                                                                                  \
    void el_sub_fwd_s8__##ISA(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)                         \
    {                                                                                                                  \
        el_sum_s8(s, 1, a, b, y);                                                                                      \
    }

#endif
