/* Convolution by its definition: any size, stride, padding and number of groups. The truth that the fast ones match. */
#include "el/kernels.h"

#include <stddef.h>

void el_conv2d_fwd_f32__ref(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t o = 0; o < s->out_c; o++) {
                float acc = b != NULL ? b[o] : 0.0f;
                for (int32_t ky = 0; ky < s->k_h; ky++) {
                    const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                    for (int32_t kx = 0; kx < s->k_w; kx++) {
                        const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                        if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                            continue;
                        }
                        const float *xp = x + (iy * s->in_w + ix) * s->in_c + o / og * cg;
                        const float *wp = w + ((o * s->k_h + ky) * s->k_w + kx) * cg;
                        for (int32_t c = 0; c < cg; c++) {
                            acc += xp[c] * wp[c];
                        }
                    }
                }
                *y++ = acc;
            }
        }
    }
}

void el_conv2d_bwd_x_f32__ref(const el_window *s, const float *dy, const float *w, float *dx)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
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
                        if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                            continue;
                        }
                        float *xp = dx + (iy * s->in_w + ix) * s->in_c + o / og * cg;
                        const float *wp = w + ((o * s->k_h + ky) * s->k_w + kx) * cg;
                        for (int32_t c = 0; c < cg; c++) {
                            xp[c] += d * wp[c];
                        }
                    }
                }
            }
        }
    }
}

void el_conv2d_bwd_w_f32__ref(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    for (int32_t o = 0; o < s->out_c; o++) {
        for (int32_t ky = 0; ky < s->k_h; ky++) {
            for (int32_t kx = 0; kx < s->k_w; kx++) {
                for (int32_t c = 0; c < cg; c++) {
                    float acc = 0.0f;
                    for (int32_t oy = 0; oy < s->out_h; oy++) {
                        const int32_t iy = oy * s->stride_h - s->pad_top + ky;
                        for (int32_t ox = 0; ox < s->out_w; ox++) {
                            const int32_t ix = ox * s->stride_w - s->pad_left + kx;
                            if (iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w) {
                                continue;
                            }
                            acc += dy[(oy * s->out_w + ox) * s->out_c + o] *
                                   x[(iy * s->in_w + ix) * s->in_c + o / og * cg + c];
                        }
                    }
                    *dw++ += scale * acc;
                }
            }
        }
    }
}
