/* Max and average pooling over channels-last maps. Padding never wins a maximum. */
#include "../clip.h"
#include "../real.h"

#include "el/math.h"

#include <stddef.h>

void EL_REF(max_pool2d_fwd)(const el_window *s, const el_real *x, el_real *y, uint8_t *winner)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            el_clip(iy, s->k_h, s->in_h, &top, &bottom);
            el_clip(ix, s->k_w, s->in_w, &left, &right);
            for (int32_t c = 0; c < s->in_c; c++) {
                float best = -EL_INFINITY;
                int32_t index = -1;
                for (int32_t ky = top; ky < bottom; ky++) {
                    for (int32_t kx = left; kx < right; kx++) {
                        const float v = get(&x[((iy + ky) * s->in_w + ix + kx) * s->in_c + c]);
                        /* the first NaN wins and stays */
                        if (index < 0 || v > best || (v != v && best == best)) {
                            best = v;
                            index = ky * s->k_w + kx;
                        }
                    }
                }
                put(y++, best);
                if (winner != NULL) {
                    *winner++ = (uint8_t)index;
                }
            }
        }
    }
}

/* Of `out` windows along one axis, those [*from, *to) that reach input position i. */
static void reach(int32_t i, int32_t pad, int32_t k, int32_t stride, int32_t out, int32_t *from, int32_t *to)
{
    const int32_t last = (i + pad) / stride + 1;
    *from = i + pad < k ? 0 : (i + pad - k) / stride + 1;
    *to = last < out ? last : out;
}

/* So many channels are summed side by side. */
enum { TOGETHER = 32 };

/* Zero, or the sums of some channels to where they belong. */
static void clear(int32_t count, float *sum)
{
    for (int32_t c = 0; c < count; c++) {
        sum[c] = 0.0f;
    }
}

static void store(int32_t count, const float *sum, el_real *to)
{
    for (int32_t c = 0; c < count; c++) {
        put(&to[c], sum[c]);
    }
}

/* One window's gradient to the position that is its element `index`. */
static void give(int32_t count, int32_t index, const el_real *dy, const uint8_t *winner, float *sum)
{
    for (int32_t c = 0; c < count; c++) {
        sum[c] += winner[c] == index ? get(&dy[c]) : 0.0f;
    }
}

void EL_REF(max_pool2d_bwd)(const el_window *s, const el_real *dy, const uint8_t *winner, el_real *dx)
{
    float sum[TOGETHER];
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        for (int32_t ix = 0; ix < s->in_w; ix++) {
            int32_t top, bottom, left, right;
            reach(iy, s->pad_top, s->k_h, s->stride_h, s->out_h, &top, &bottom);
            reach(ix, s->pad_left, s->k_w, s->stride_w, s->out_w, &left, &right);
            for (int32_t c = 0; c < s->in_c; c += TOGETHER) {
                const int32_t count = el_min(s->in_c - c, TOGETHER);
                clear(count, sum);
                for (int32_t oy = top; oy < bottom; oy++) {
                    for (int32_t ox = left; ox < right; ox++) {
                        const int32_t out = (oy * s->out_w + ox) * s->in_c + c;
                        const int32_t ky = iy + s->pad_top - oy * s->stride_h;
                        const int32_t kx = ix + s->pad_left - ox * s->stride_w;
                        give(count, ky * s->k_w + kx, dy + out, winner + out, sum);
                    }
                }
                store(count, sum, dx + (iy * s->in_w + ix) * s->in_c + c);
            }
        }
    }
}

void EL_REF(avg_pool2d_fwd)(const el_window *s, const el_real *x, el_real *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            el_clip(iy, s->k_h, s->in_h, &top, &bottom);
            el_clip(ix, s->k_w, s->in_w, &left, &right);
            const float scale = el_share(s, (bottom - top) * (right - left));
            for (int32_t c = 0; c < s->in_c; c++) {
                float acc = 0.0f;
                for (int32_t ky = top; ky < bottom; ky++) {
                    for (int32_t kx = left; kx < right; kx++) {
                        acc += get(&x[((iy + ky) * s->in_w + ix + kx) * s->in_c + c]);
                    }
                }
                put(y++, acc * scale);
            }
        }
    }
}

static void spread(const el_window *s, int32_t oy, int32_t ox, int32_t count, const el_real *dy, float *sum)
{
    int32_t top, bottom, left, right;
    el_clip(oy * s->stride_h - s->pad_top, s->k_h, s->in_h, &top, &bottom);
    el_clip(ox * s->stride_w - s->pad_left, s->k_w, s->in_w, &left, &right);
    const float scale = el_share(s, (bottom - top) * (right - left));
    for (int32_t c = 0; c < count; c++) {
        sum[c] += get(&dy[c]) * scale;
    }
}

void EL_REF(avg_pool2d_bwd)(const el_window *s, const el_real *dy, el_real *dx)
{
    float sum[TOGETHER];
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        for (int32_t ix = 0; ix < s->in_w; ix++) {
            int32_t top, bottom, left, right;
            reach(iy, s->pad_top, s->k_h, s->stride_h, s->out_h, &top, &bottom);
            reach(ix, s->pad_left, s->k_w, s->stride_w, s->out_w, &left, &right);
            for (int32_t c = 0; c < s->in_c; c += TOGETHER) {
                const int32_t count = el_min(s->in_c - c, TOGETHER);
                clear(count, sum);
                for (int32_t oy = top; oy < bottom; oy++) {
                    for (int32_t ox = left; ox < right; ox++) {
                        spread(s, oy, ox, count, dy + (oy * s->out_w + ox) * s->in_c + c, sum);
                    }
                }
                store(count, sum, dx + (iy * s->in_w + ix) * s->in_c + c);
            }
        }
    }
}
