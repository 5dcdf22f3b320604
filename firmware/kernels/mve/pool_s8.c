/* Pools of int8 maps on Helium, across channels: 16 maxima at a time, or the sums of eight. */
#include "scaled_s8.h"

#include "../product_s8/inside.h"

enum { EL_PART = 256 /* bytes whose sum stays within 16 bits */ };

void el_max_pool2d_fwd_s8__mve(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++, y += channels) {
        const el_inside part = el_inside_of(s, x, o);
        for (int32_t c = 0; c < channels; c += 16) {
            const mve_pred16_t p = vctp8q((uint32_t)(channels - c));
            const int8_t *row = part.from + c;
            int8x16_t best = vdupq_n_s8((int8_t)min);
            for (int32_t r = 0; r < part.rows; r++, row += s->in_w * channels) {
                const int8_t *from = row;
                for (int32_t k = part.columns; k > 0; k--, from += channels) {
                    best = vmaxq_s8(best, vldrbq_z_s8(from, p));
                }
            }
            vstrbq_p_s8(y + c, vminq_s8(best, vdupq_n_s8((int8_t)max)), p);
        }
    }
}

/* Sums of eight channels: the even ones and the odd ones. */
typedef struct {
    int32x4_t even, odd;
} el_sums_s8;

EL_INLINE void el_widen(el_sums_s8 *sums, int16x8_t some)
{
    sums->even = vaddq_s32(sums->even, vmovlbq_s16(some));
    sums->odd = vaddq_s32(sums->odd, vmovltq_s16(some));
}

EL_INLINE el_sums_s8 el_summed(const el_inside *part, const int8_t *row, int32_t row_step, int32_t channels,
                               mve_pred16_t p)
{
    el_sums_s8 sums = {vdupq_n_s32(0), vdupq_n_s32(0)};
    for (int32_t r = 0; r < part->rows; r++, row += row_step) {
        const int8_t *from = row;
        for (int32_t left = part->columns; left > 0; left -= EL_PART) {
            int16x8_t some = vdupq_n_s16(0);
            for (int32_t k = el_min(left, EL_PART); k > 0; k--, from += channels) {
                some = vaddq_s16(some, vldrbq_z_s16(from, p));
            }
            el_widen(&sums, some);
        }
    }
    return sums;
}

void el_mean_fwd_s8__mve(const el_window *s, int32_t multiplier, int32_t shift, int32_t x_zero, int32_t y_zero,
                         int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++, y += channels) {
        const el_inside part = el_inside_of(s, x, o);
        const int32_t zeros = part.rows * part.columns * x_zero;
        for (int32_t c = 0; c < channels; c += 8) {
            const mve_pred16_t p = vctp16q((uint32_t)(channels - c));
            const el_sums_s8 sums = el_summed(&part, part.from + c, s->in_w * channels, channels, p);
            const int32x4_t even = el_scaled_s8(vsubq_n_s32(sums.even, zeros), multiplier, shift);
            const int32x4_t odd = el_scaled_s8(vsubq_n_s32(sums.odd, zeros), multiplier, shift);
            int16x8_t both = vmovnbq_s32(vdupq_n_s16(0), el_bounded_s8(even, y_zero, min, max));
            both = vmovntq_s32(both, el_bounded_s8(odd, y_zero, min, max));
            vstrbq_p_s16(y + c, both, p);
        }
    }
}
