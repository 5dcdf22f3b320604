/* Pools on four channels at a time, which are contiguous: sums stay in registers over a whole window. Where windows
 * neither overlap nor leave gaps, the gradient is written at once; elsewhere it is added to zeros. */
#include "el/kernels.h"
#include "el/math.h"
#include "tile.h"

#include <stddef.h>

/* Taps [from, to) of a window along one axis. */
typedef struct {
    int32_t from, to;
} range;

/* The part of a window that lies inside the map. */
static range inside(int32_t start, int32_t k, int32_t size)
{
    return (range){el_max(-start, 0), el_min(k, size - start)};
}

static float share(const el_window *s, range rows, range columns)
{
    const int32_t taps = s->count_pad != 0 ? s->k_h * s->k_w : (rows.to - rows.from) * (columns.to - columns.from);
    return 1.0f / (float)taps;
}

EL_INLINE void average(int width, const el_window *s, range rows, range columns, float scale, const float *x, float *y)
{
    float t0 = 0.0f;
    float t1 = 0.0f;
    float t2 = 0.0f;
    float t3 = 0.0f;
    for (int32_t ky = rows.from; ky < rows.to; ky++) {
        const float *at = x + (ky * s->in_w + columns.from) * s->in_pitch;
        for (int32_t count = columns.to - columns.from; count > 0; count--, at += s->in_pitch) {
            t0 += at[0];
            if (width > 1) {
                t1 += at[1];
                t2 += at[2];
                t3 += at[3];
            }
        }
    }
    y[0] = scale * t0;
    if (width > 1) {
        y[1] = scale * t1;
        y[2] = scale * t2;
        y[3] = scale * t3;
    }
}

void el_avg_pool2d_fwd_f32__blk(const el_window *s, const float *x, float *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const range rows = inside(iy, s->k_h, s->in_h);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += s->out_pitch) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const range columns = inside(ix, s->k_w, s->in_w);
            const float scale = share(s, rows, columns);
            const float *from = x + (iy * s->in_w + ix) * s->in_pitch;
            int32_t c = 0;
            for (; c + 4 <= s->in_c; c += 4) {
                average(4, s, rows, columns, scale, from + c, y + c);
            }
            for (; c < s->in_c; c++) {
                average(1, s, rows, columns, scale, from + c, y + c);
            }
        }
    }
}

/* dx = scale * dy, or dx += scale * dy */
static void give(int32_t channels, int first, float scale, const float *dy, float *dx)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4, dy += 4, dx += 4) {
        const float d0 = scale * dy[0];
        const float d1 = scale * dy[1];
        const float d2 = scale * dy[2];
        const float d3 = scale * dy[3];
        dx[0] = first ? d0 : dx[0] + d0;
        dx[1] = first ? d1 : dx[1] + d1;
        dx[2] = first ? d2 : dx[2] + d2;
        dx[3] = first ? d3 : dx[3] + d3;
    }
    for (; c < channels; c++, dy++, dx++) {
        const float d = scale * *dy;
        *dx = first ? d : *dx + d;
    }
}

/* Whether windows of one axis follow each other without overlap or gap. */
static int tiled(int32_t out, int32_t k, int32_t stride, int32_t in)
{
    return in == out * k && (stride == k || out == 1);
}

void el_avg_pool2d_bwd_f32__blk(const el_window *s, const float *dy, float *dx)
{
    const int first = tiled(s->out_h, s->k_h, s->stride_h, s->in_h) && tiled(s->out_w, s->k_w, s->stride_w, s->in_w);
    for (int32_t p = 0; p < (first ? 0 : s->in_h * s->in_w); p++) {
        for (int32_t c = 0; c < s->in_c; c++) {
            dx[p * s->in_pitch + c] = 0.0f;
        }
    }
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const range rows = inside(iy, s->k_h, s->in_h);
        for (int32_t ox = 0; ox < s->out_w; ox++, dy += s->out_pitch) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const range columns = inside(ix, s->k_w, s->in_w);
            const float scale = share(s, rows, columns);
            for (int32_t ky = rows.from; ky < rows.to; ky++) {
                for (int32_t kx = columns.from; kx < columns.to; kx++) {
                    give(s->in_c, first, scale, dy, dx + ((iy + ky) * s->in_w + ix + kx) * s->in_pitch);
                }
            }
        }
    }
}
