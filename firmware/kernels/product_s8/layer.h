/* What a weighted sum over int8 is given, and the way from a channel's sums to int8. Bit for bit what el_rescale and
 * el_to_s8 of el/quant.h give. */
#ifndef EL_LAYER_S8_H
#define EL_LAYER_S8_H

#include "el/kernels.h"
#include "el/quant.h"

#include "../inline.h"

/* What a sum that is small takes the short way with: see el_rescale_rows_s8. */
typedef struct {
    int32_t multiplier, add, right;
} el_factor_s8;

typedef struct {
    int32_t terms; /* of a sum */
    int32_t pitch; /* outputs from one position to the next */
    int32_t x_zero, y_zero, min, max;
    const int8_t *w; /* [channel][terms] */
    const int32_t *b, *multiplier, *shift;
    int small;                   /* no sum leaves 2^29: see el_rescale_rows_s8; on Helium, an el_way_s8 */
    int left;                    /* a shift is to the left */
    const el_factor_s8 *factors; /* of each channel where all of them take the short way to all of int8, or NULL */
} el_layer_s8;

EL_INLINE int32_t el_start_s8(const el_layer_s8 *l, int32_t channel)
{
    return l->b != 0 ? l->b[channel] : 0;
}

enum {
    EL_SMALL_TERMS = 1 << 13, /* so many products of 2^15 and a bias of 2^28 stay within 2^29 */
    EL_SMALL_BIAS = 1 << 28,
    EL_SMALL_SHIFT = 22, /* y_zero << 22 stays within 2^29 */
};

EL_INLINE int el_small_s8(const el_layer_s8 *l, int32_t channels)
{
    int small = l->terms <= EL_SMALL_TERMS;
    for (int32_t o = 0; l->b != 0 && o < channels; o++) {
        small &= (uint32_t)l->b[o] + EL_SMALL_BIAS <= 2u * EL_SMALL_BIAS;
    }
    return small;
}

/* Whether a channel has a factor for the short way; and the factor. */
EL_INLINE int el_factor_s8_of(const el_layer_s8 *l, int32_t channel, el_factor_s8 *f)
{
    const int32_t less = -l->shift[channel] - 1;
    if ((uint32_t)less >= (uint32_t)EL_SMALL_SHIFT) {
        return 0;
    }
    *f = (el_factor_s8){l->multiplier[channel], (2 * l->y_zero + 1) * (1 << less), less + 1};
    return 1;
}

EL_INLINE int el_whole_s8(const el_layer_s8 *l)
{
    return l->min == INT8_MIN && l->max == INT8_MAX;
}

#ifndef EL_ROUNDED_PRODUCT
/* a + the upper half of x * m, rounded to nearest, ties up. */
EL_INLINE int32_t el_rounded_product(int32_t x, int32_t m, int32_t a)
{
    const uint64_t product = (uint64_t)((int64_t)x * m);
    return a + (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}
#endif

#ifndef EL_CLAMP_INT8
EL_INLINE int32_t el_clamp_int8(int32_t x)
{
    return el_max(el_min(x, INT8_MAX), INT8_MIN);
}
#endif

/* `rows` sums of one channel by the functions of el/quant.h. */
EL_APART void el_rescale_any_s8(const el_layer_s8 *l, int32_t o, int32_t rows, const int32_t *sums, int8_t *y)
{
    for (int32_t i = 0; i < rows; i++, y += l->pitch) {
        *y = el_to_s8(el_rescale(sums[i], l->multiplier[o], l->shift[o]), l->y_zero, l->min, l->max);
    }
}

/* `count` channels from `first`, `rows` sums each, to y + i * pitch. Where sums are small and the shift -n is from -22
 * to -1, with half = 2^(n-1) and r the rounded product,
 *
 *     y_zero + el_rounding_shift(r, n) == (r + half + (y_zero << n) + (sum < 0 ? -1 : 0)) >> n
 *
 * because r is negative only where the sum is, and where r is 0 half - 1 is shifted out as half is. `whole`: the bounds
 * are int8's own. */
EL_INLINE void el_rescale_rows_s8(const el_layer_s8 *l, const int whole, const int rows, int32_t first, int32_t count,
                                  const int32_t *sums, int8_t *y)
{
    const int32_t pitch = l->pitch;
    const int32_t min = l->min;
    const int32_t max = l->max;
    const int32_t last = first + count;
    for (int32_t o = first; o != last; o++, y++, sums += rows) {
        el_factor_s8 f;
        if (!el_factor_s8_of(l, o, &f)) {
            el_rescale_any_s8(l, o, rows, sums, y);
            continue;
        }
        int8_t *to = y;
        for (int i = 0; i < rows; i++, to += pitch) {
            const int32_t v = (el_rounded_product(2 * sums[i], f.multiplier, f.add) + (sums[i] >> 31)) >> f.right;
            *to = (int8_t)(whole ? el_clamp_int8(v) : el_max(el_min(v, max), min));
        }
    }
}

#endif
