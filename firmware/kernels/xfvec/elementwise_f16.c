/* Zeros, sums, ReLU and its mask, and gradients of biases: two halves a register, eight halves a turn. */
#include "el/kernels.h"
#include "pair.h"

enum { EL_HALF_TERMS = 72, EL_PAIRS = 8 };

void el_zero_fwd_f16__xfvec(int32_t count, el_f16 *y)
{
    for (; count >= 16; count -= 16, y += 16) {
        for (int k = 0; k < 8; k++) {
            el_pair_store(y + 2 * k, el_pair_zero());
        }
    }
    for (; count > 0; count--, y++) {
        *y = el_f16_from_bits(0);
    }
}

void el_add_fwd_f16__xfvec(int32_t count, const el_f16 *a, const el_f16 *b, el_f16 *y)
{
    for (; count >= 8; count -= 8, a += 8, b += 8, y += 8) {
        el_pair u[4];
        el_pair v[4];
        for (int k = 0; k < 4; k++) {
            u[k] = el_pair_load(a + 2 * k);
            v[k] = el_pair_load(b + 2 * k);
        }
        for (int k = 0; k < 4; k++) {
            el_pair_store(y + 2 * k, el_pair_add(u[k], v[k]));
        }
    }
    for (; count > 0; count--, a++, b++, y++) {
        el_half_store(y, el_half_load(a) + el_half_load(b));
    }
}

/* 1 if 0 < v < max; y gets the result. */
EL_INLINE uint32_t rectify(float slope, float max, const el_f16 *x, el_f16 *y)
{
    const float v = el_half_load(x);
    el_half_store(y, v < 0.0f ? slope * v : (v > max ? max : v)); /* NaN takes the last branch */
    return v > 0.0f && v < max;
}

/* Bits 0 and 16 where lanes are above zero and finite */
EL_INLINE uint32_t inside(el_pair v)
{
    return el_pair_less(el_pair_mul(v, el_pair_zero()), v);
}

/* What is below zero becomes zero, NaN stays, and minus infinity becomes one, as in a product with zero. */
EL_INLINE el_pair rectified(el_pair v)
{
    return el_pair_sub(v, el_pair_least(v, el_pair_zero()));
}

EL_INLINE uint32_t rectify_eight(const el_f16 *x, el_f16 *y)
{
    const el_pair v0 = el_pair_load(x);
    const el_pair v1 = el_pair_load(x + 2);
    const el_pair v2 = el_pair_load(x + 4);
    const el_pair v3 = el_pair_load(x + 6);
    el_pair_store(y, rectified(v0));
    el_pair_store(y + 2, rectified(v1));
    el_pair_store(y + 4, rectified(v2));
    el_pair_store(y + 6, rectified(v3));
    const uint32_t bits = inside(v0) | inside(v1) << 2 | inside(v2) << 4 | inside(v3) << 6;
    return bits | bits >> 15;
}

void el_relu_fwd_f16__xfvec(int32_t count, float slope, float max, const el_f16 *x, el_f16 *y, uint8_t *mask)
{
    if (slope == 0.0f && max == __builtin_inff()) {
        for (; count >= 8; count -= 8, x += 8, y += 8) {
            const uint32_t bits = rectify_eight(x, y);
            if (mask != 0) {
                *mask++ = (uint8_t)bits;
            }
        }
    }
    for (; count > 0; count -= 8, x += 8, y += 8) {
        uint32_t bits = 0;
        for (int32_t i = 0; i < 8 && i < count; i++) {
            bits |= rectify(slope, max, x + i, y + i) << i;
        }
        if (mask != 0) {
            *mask++ = (uint8_t)bits;
        }
    }
}

/* What a pair of gradients is multiplied by, for each value of the two bits: a product with one is exact, and one with
 * a factor that is a half is rounded once. */
void el_relu_bwd_f16__xfvec(int32_t count, float slope, const el_f16 *dy, const uint8_t *mask, el_f16 *dx)
{
    const el_pair factor[4] = {el_pair_of(slope, slope), el_pair_of(1.0f, slope), el_pair_of(slope, 1.0f),
                               el_pair_of(1.0f, 1.0f)};
    if (el_pair_low(factor[0]) == slope) {
        for (; count >= 8; count -= 8, dy += 8, dx += 8) {
            const uint32_t bits = *mask++;
            const el_pair v0 = el_pair_load(dy);
            const el_pair v1 = el_pair_load(dy + 2);
            const el_pair v2 = el_pair_load(dy + 4);
            const el_pair v3 = el_pair_load(dy + 6);
            const el_pair f0 = factor[bits & 3u];
            const el_pair f1 = factor[bits >> 2 & 3u];
            const el_pair f2 = factor[bits >> 4 & 3u];
            const el_pair f3 = factor[bits >> 6];
            el_pair_store(dx, el_pair_mul(v0, f0));
            el_pair_store(dx + 2, el_pair_mul(v1, f1));
            el_pair_store(dx + 4, el_pair_mul(v2, f2));
            el_pair_store(dx + 6, el_pair_mul(v3, f3));
        }
    }
    for (int32_t i = 0; i < count; i++) {
        const float v = el_half_load(dy + i);
        el_half_store(dx + i, (mask[i / 8] >> (i & 7) & 1) != 0 ? v : slope * v);
    }
}

/* db += scale times the sums of `pairs` pairs of columns, of halves for EL_HALF_TERMS rows, then of floats; or of one
 * column for 0. */
EL_INLINE void columns(int pairs, int32_t rows, int32_t pitch, float scale, const el_f16 *dy, el_f16 *db)
{
    float sum[2 * EL_PAIRS] = {0};
    while (rows > 0) {
        const int32_t some = rows < EL_HALF_TERMS ? rows : EL_HALF_TERMS;
        el_pair acc[EL_PAIRS];
        for (int c = 0; c < pairs; c++) {
            acc[c] = el_pair_zero();
        }
#pragma GCC unroll 2
        for (int32_t k = some; k > 0; k--, dy += pitch) {
            el_pair v[EL_PAIRS];
            for (int c = 0; c < pairs; c++) {
                v[c] = el_pair_load(dy + 2 * c);
            }
            for (int c = 0; c < pairs; c++) {
                acc[c] = el_pair_add(acc[c], v[c]);
            }
            if (pairs == 0) {
                sum[0] += el_half_load(dy);
            }
        }
        for (int c = 0; c < pairs; c++) {
            sum[2 * c] += el_pair_low(acc[c]);
            sum[2 * c + 1] += el_pair_high(acc[c]);
        }
        rows -= some;
    }
    for (int c = 0; c < (pairs == 0 ? 1 : 2 * pairs); c++) {
        el_half_store(db + c, el_half_load(db + c) + scale * sum[c]);
    }
}

void el_bias_bwd_f16__xfvec(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_f16 *dy, el_f16 *db)
{
    int32_t c = 0;
    for (; channels - c >= 2 * EL_PAIRS; c += 2 * EL_PAIRS) {
        columns(EL_PAIRS, rows, pitch, scale, dy + c, db + c);
    }
    for (; channels - c >= EL_PAIRS; c += EL_PAIRS) {
        columns(EL_PAIRS / 2, rows, pitch, scale, dy + c, db + c);
    }
    for (; channels - c >= 2; c += 2) {
        columns(1, rows, pitch, scale, dy + c, db + c);
    }
    if (c < channels) {
        columns(0, rows, pitch, scale, dy + c, db + c);
    }
}
