/* Depthwise convolution of int8 maps by its definition: output channel o reads input channel o / multiplier of
 * channels. */
#include "weights_s8.h"

#include <stddef.h>

void EL_LAYER_S8(depthwise_conv2d)(const el_window *s, EL_SCALARS_S8 int32_t x_zero, int32_t y_zero, int32_t min,
                                   int32_t max, const int8_t *x, EL_WEIGHTS_S8, const int32_t *b,
                                   const int32_t *multiplier, const int32_t *shift, int8_t *y)
{
    const int32_t copies = s->out_c / s->in_c;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                int32_t acc = b != NULL ? b[o] : 0;
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w) {
                            acc += EL_TIMES_S8(x[(iy * s->in_w + ix) * s->in_c + o / copies] - x_zero,
                                               (ky * s->k_w + kx) * s->out_c + o);
                        }
                    }
                }
                *y++ = el_to_s8(el_rescale(acc, multiplier[o], shift[o]), y_zero, min, max);
            }
        }
    }
}
