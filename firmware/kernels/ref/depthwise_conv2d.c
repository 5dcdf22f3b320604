/* Depthwise convolution by its definition: output channel o reads input channel o / multiplier. */
#include "el/kernels.h"

#include <stddef.h>

void el_depthwise_conv2d_fwd_f32__ref(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    const int32_t multiplier = s->out_c / s->in_c;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                float acc = b != NULL ? b[o] : 0.0f;
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w) {
                            acc += x[(iy * s->in_w + ix) * s->in_c + o / multiplier] *
                                   w[(ky * s->k_w + kx) * s->out_c + o];
                        }
                    }
                }
                *y++ = acc;
            }
        }
    }
}

void el_depthwise_conv2d_bwd_x_f32__ref(const el_window *s, const float *dy, const float *w, float *dx)
{
    const int32_t multiplier = s->out_c / s->in_c;
    for (int32_t i = 0; i < s->in_h * s->in_w * s->in_c; i++) {
        dx[i] = 0.0f;
    }
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                const float d = *dy++;
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w) {
                            dx[(iy * s->in_w + ix) * s->in_c + o / multiplier] +=
                                d * w[(ky * s->k_w + kx) * s->out_c + o];
                        }
                    }
                }
            }
        }
    }
}

void el_depthwise_conv2d_bwd_w_f32__ref(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    const int32_t multiplier = s->out_c / s->in_c;
    for (int32_t ky = 0; ky < s->k_h; ky++) {
        for (int32_t kx = 0; kx < s->k_w; kx++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                float acc = 0.0f;
                for (int32_t oy = 0; oy < s->out_h; oy++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t ox = 0; ox < s->out_w; ox++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w) {
                            acc += dy[(oy * s->out_w + ox) * s->out_c + o] *
                                   x[(iy * s->in_w + ix) * s->in_c + o / multiplier];
                        }
                    }
                }
                *dw++ += scale * acc;
            }
        }
    }
}
