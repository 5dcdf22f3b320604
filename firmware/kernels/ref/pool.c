/* Max and average pooling over channels-last maps. Padding never wins a maximum. */
#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

/* The part [*from, *to) of a window's k elements along one axis that lies inside the map. */
static void clip(int32_t start, int32_t k, int32_t size, int32_t *from, int32_t *to)
{
    *from = start < 0 ? -start : 0;
    *to = start + k > size ? size - start : k;
}

void el_max_pool2d_fwd_f32__ref(const el_window *s, const float *x, float *y, uint8_t *winner)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            clip(iy, s->k_h, s->in_h, &top, &bottom);
            clip(ix, s->k_w, s->in_w, &left, &right);
            for (int32_t c = 0; c < s->in_c; c++) {
                float best = -EL_INFINITY;
                int32_t index = -1;
                for (int32_t ky = top; ky < bottom; ky++) {
                    for (int32_t kx = left; kx < right; kx++) {
                        const float v = x[((iy + ky) * s->in_w + ix + kx) * s->in_c + c];
                        /* the first NaN wins and stays */
                        if (index < 0 || v > best || (v != v && best == best)) {
                            best = v;
                            index = ky * s->k_w + kx;
                        }
                    }
                }
                *y++ = best;
                if (winner != NULL) {
                    *winner++ = (uint8_t)index;
                }
            }
        }
    }
}

void el_max_pool2d_bwd_f32__ref(const el_window *s, const float *dy, const uint8_t *winner, float *dx)
{
    for (int32_t i = 0; i < s->in_h * s->in_w * s->in_c; i++) {
        dx[i] = 0.0f;
    }
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            for (int32_t c = 0; c < s->in_c; c++) {
                const int32_t index = *winner++;
                const int32_t iy = oy * s->stride_h - s->pad_top + index / s->k_w;
                const int32_t ix = ox * s->stride_w - s->pad_left + index % s->k_w;
                dx[(iy * s->in_w + ix) * s->in_c + c] += *dy++;
            }
        }
    }
}

/* 1 / number of elements an output averages over, of which (bottom - top) * (right - left) lie inside the map. */
static float share(const el_window *s, int32_t top, int32_t bottom, int32_t left, int32_t right)
{
    const int32_t inside = (bottom - top) * (right - left);
    return 1.0f / (float)(s->count_pad != 0 ? s->k_h * s->k_w : inside);
}

void el_avg_pool2d_fwd_f32__ref(const el_window *s, const float *x, float *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            clip(iy, s->k_h, s->in_h, &top, &bottom);
            clip(ix, s->k_w, s->in_w, &left, &right);
            const float scale = share(s, top, bottom, left, right);
            for (int32_t c = 0; c < s->in_c; c++) {
                float acc = 0.0f;
                for (int32_t ky = top; ky < bottom; ky++) {
                    for (int32_t kx = left; kx < right; kx++) {
                        acc += x[((iy + ky) * s->in_w + ix + kx) * s->in_c + c];
                    }
                }
                *y++ = acc * scale;
            }
        }
    }
}

void el_avg_pool2d_bwd_f32__ref(const el_window *s, const float *dy, float *dx)
{
    for (int32_t i = 0; i < s->in_h * s->in_w * s->in_c; i++) {
        dx[i] = 0.0f;
    }
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++, dy += s->in_c) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            clip(iy, s->k_h, s->in_h, &top, &bottom);
            clip(ix, s->k_w, s->in_w, &left, &right);
            const float scale = share(s, top, bottom, left, right);
            for (int32_t ky = top; ky < bottom; ky++) {
                for (int32_t kx = left; kx < right; kx++) {
                    float *d = dx + ((iy + ky) * s->in_w + ix + kx) * s->in_c;
                    for (int32_t c = 0; c < s->in_c; c++) {
                        d[c] += dy[c] * scale;
                    }
                }
            }
        }
    }
}
