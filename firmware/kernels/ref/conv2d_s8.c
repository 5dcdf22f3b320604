/* Convolution of int8 maps by its definition. Padding counts as x_zero, so that it adds nothing. */
#include "weights_s8.h"

#include <stddef.h>

void EL_LAYER_S8(conv2d)(const el_window *s, EL_SCALARS_S8 int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                         const int8_t *x, EL_WEIGHTS_S8, const int32_t *b, const int32_t *multiplier,
                         const int32_t *shift, int8_t *y)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                int32_t acc = b != NULL ? b[o] : 0;
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                            continue;
                        }
                        const int8_t *xp = x + (iy * s->in_w + ix) * s->in_c + o / og * cg;
                        const int32_t at = ((o * s->k_h + ky) * s->k_w + kx) * cg;
                        for (int32_t c = 0; c < cg; c++) {
                            acc += EL_TIMES_S8(xp[c] - x_zero, at + c);
                        }
                    }
                }
                *y++ = el_to_s8(el_rescale(acc, multiplier[o], shift[o]), y_zero, min, max);
            }
        }
    }
}
