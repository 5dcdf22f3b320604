/* Pools on four channels at a time, which are contiguous: sums stay in registers over a whole window. Where windows
 * neither overlap nor leave gaps, the gradient is written at once; elsewhere it is added to zeros, which
 * halves are too short for. */
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

EL_INLINE void average(int width, const el_window *s, range rows, range columns, float scale, const el_real *x,
                       el_real *y)
{
    float t0 = 0.0f;
    float t1 = 0.0f;
    float t2 = 0.0f;
    float t3 = 0.0f;
    for (int32_t ky = rows.from; ky < rows.to; ky++) {
        const el_real *at = x + (ky * s->in_w + columns.from) * s->in_pitch;
        for (int32_t count = columns.to - columns.from; count > 0; count--, at += s->in_pitch) {
            t0 += get(&at[0]);
            if (width > 1) {
                t1 += get(&at[1]);
                t2 += get(&at[2]);
                t3 += get(&at[3]);
            }
        }
    }
    put(&y[0], scale * t0);
    if (width > 1) {
        put(&y[1], scale * t1);
        put(&y[2], scale * t2);
        put(&y[3], scale * t3);
    }
}

void EL_BLK(avg_pool2d_fwd)(const el_window *s, const el_real *x, el_real *y)
{
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const range rows = inside(iy, s->k_h, s->in_h);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += s->out_pitch) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const range columns = inside(ix, s->k_w, s->in_w);
            const float scale = share(s, rows, columns);
            const el_real *from = x + (iy * s->in_w + ix) * s->in_pitch;
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
static void give(int32_t channels, int first, float scale, const el_real *dy, el_real *dx)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4, dy += 4, dx += 4) {
        const float d0 = scale * get(&dy[0]);
        const float d1 = scale * get(&dy[1]);
        const float d2 = scale * get(&dy[2]);
        const float d3 = scale * get(&dy[3]);
        put(&dx[0], first ? d0 : get(&dx[0]) + d0);
        put(&dx[1], first ? d1 : get(&dx[1]) + d1);
        put(&dx[2], first ? d2 : get(&dx[2]) + d2);
        put(&dx[3], first ? d3 : get(&dx[3]) + d3);
    }
    for (; c < channels; c++, dy++, dx++) {
        const float d = scale * get(dy);
        put(dx, first ? d : get(dx) + d);
    }
}

/* Whether windows of one axis follow each other without overlap or gap. */
static int tiled(int32_t out, int32_t k, int32_t stride, int32_t in, int32_t pad)
{
    return pad == 0 && in == out * k && (stride == k || out == 1);
}

void EL_BLK(avg_pool2d_bwd)(const el_window *s, const el_real *dy, el_real *dx)
{
    const int first = tiled(s->out_h, s->k_h, s->stride_h, s->in_h, s->pad_top) &&
                      tiled(s->out_w, s->k_w, s->stride_w, s->in_w, s->pad_left);
    for (int32_t p = 0; p < (first ? 0 : s->in_h * s->in_w); p++) {
        for (int32_t c = 0; c < s->in_c; c++) {
            put(&dx[p * s->in_pitch + c], 0.0f);
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
