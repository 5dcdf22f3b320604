/* Sums of maps, copies, gradients of biases and averages, across elements or channels. */
#ifndef EL_MVE_ELEMENTWISE_H
#define EL_MVE_ELEMENTWISE_H

#include "../clip.h"

enum { EL_SUMMED = 128 /* rows that are summed apart */ };

EL_INLINE void el_add_strip(int32_t at, el_n n, const el_t *a, const el_t *b, el_t *y)
{
    el_store(y + at, el_add(el_load(a + at, n), el_load(b + at, n), n), n);
}

void EL_KERNEL(add_fwd)(int32_t count, const el_t *a, const el_t *b, el_t *y)
{
    EL_STRIPS(count, el_add_strip, a, b, y);
}

EL_INLINE void el_zero_strip(int32_t at, el_n n, el_t *y)
{
    el_store(y + at, el_set(0.0f, n), n);
}

void EL_KERNEL(zero_fwd)(int32_t count, el_t *y)
{
    enum { MANY = 8 * EL_LANES }; /* what one instruction stores, where words begin */
    const int32_t times = ((uintptr_t)y & 3u) == 0 ? count / MANY : 0;
    count -= times * MANY;
    __asm__ volatile("vmov.i32 q0, #0\nvmov q1, q0\nvmov q2, q0\nvmov q3, q0\n"
                     "vmov q4, q0\nvmov q5, q0\nvmov q6, q0\nvmov q7, q0\n"
                     "wls lr, %[n], 2f\n"
                     "1: vstm %[y]!, {d0-d15}\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [y] "+&r"(y)
                     : [n] "r"(times)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "memory");
    EL_STRIPS(count, el_zero_strip, y);
}

EL_INLINE void el_copy_strip(int32_t at, el_n n, const el_t *x, el_t *y)
{
    el_store(y + at, el_load(x + at, n), n);
}

void EL_KERNEL(reshape_fwd)(int32_t count, const el_t *x, el_t *y)
{
    EL_STRIPS(count, el_copy_strip, x, y);
}

EL_INLINE void el_bias_strip(int32_t at, el_n n, int32_t rows, int32_t channels, const el_t *x, const el_t *b, el_t *y)
{
    const el_v bias = el_load(b + at, n);
    x += at;
    y += at;
    for (; rows > 0; rows--, x += channels, y += channels) {
        el_store(y, el_add(el_load(x, n), bias, n), n);
    }
}

void EL_KERNEL(bias_fwd)(int32_t rows, int32_t channels, const el_t *x, const el_t *b, el_t *y)
{
    EL_STRIPS(channels, el_bias_strip, rows, channels, x, b, y);
}

/* db += scale * the sum of rows, in floats; in 32-bit floats so many rows are summed apart */
EL_INLINE void el_bias_gradient(int32_t at, el_n n, int32_t rows, int32_t pitch, float scale, const el_t *dy, el_t *db)
{
    const el_t *p = dy + at;
    el_sum sum = el_sum_zero(n);
    while (rows > 0) {
        el_sum part = el_sum_zero(n);
        const int32_t some = rows < EL_SUMMED ? rows : EL_SUMMED;
        for (int32_t r = some; r > 0; r--, p += pitch) {
            part = el_sum_add(part, el_load(p, n), n);
        }
        sum = el_sum_plus(sum, part);
        rows -= some;
    }
    el_sum_into(db + at, scale, sum, n);
}

/* Two vectors of channels, which share the loop. */
static void el_bias_pair(int32_t rows, int32_t pitch, float scale, const el_t *dy, el_t *db)
{
    el_sum sum0 = el_sum_zero(EL_ALL);
    el_sum sum1 = sum0;
    while (rows > 0) {
        el_sum part0 = el_sum_zero(EL_ALL);
        el_sum part1 = part0;
        const int32_t some = rows < EL_SUMMED ? rows : EL_SUMMED;
        for (int32_t r = some; r > 0; r--, dy += pitch) {
            part0 = el_sum_add(part0, el_load(dy, EL_ALL), EL_ALL);
            part1 = el_sum_add(part1, el_load(dy + EL_LANES, EL_ALL), EL_ALL);
        }
        sum0 = el_sum_plus(sum0, part0);
        sum1 = el_sum_plus(sum1, part1);
        rows -= some;
    }
    el_sum_into(db, scale, sum0, EL_ALL);
    el_sum_into(db + EL_LANES, scale, sum1, EL_ALL);
}

void EL_KERNEL(bias_bwd)(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_t *dy, el_t *db)
{
    int32_t c = 0;
    for (; c + 2 * EL_LANES <= channels; c += 2 * EL_LANES) {
        el_bias_pair(rows, pitch, scale, dy + c, db + c);
    }
    EL_STRIPS(channels - c, el_bias_gradient, rows, pitch, scale, dy + c, db + c);
}

EL_INLINE void el_average(int32_t at, el_n n, int32_t rows, int32_t columns, int32_t row, int32_t step, float share,
                          const el_t *x, el_t *y)
{
    el_sum sum = el_sum_zero(n);
    x += at;
    for (; rows > 0; rows--, x += row) {
        const el_t *p = x;
        for (int32_t k = columns; k > 0; k--, p += step) {
            sum = el_sum_add(sum, el_load(p, n), n);
        }
    }
    el_store(y + at, el_sum_narrow(el_sum_times(sum, share)), n);
}

void EL_KERNEL(avg_pool2d_fwd)(const el_window *s, const el_t *x, el_t *y)
{
    const int32_t c = s->in_c;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        for (int32_t ox = 0; ox < s->out_w; ox++, y += c) {
            const int32_t iy = oy * s->stride_h - s->pad_top;
            const int32_t ix = ox * s->stride_w - s->pad_left;
            int32_t top, bottom, left, right;
            el_clip(iy, s->k_h, s->in_h, &top, &bottom);
            el_clip(ix, s->k_w, s->in_w, &left, &right);
            const float share = el_share(s, (bottom - top) * (right - left));
            const el_t *from = x + ((iy + top) * s->in_w + ix + left) * c;
            EL_STRIPS(c, el_average, bottom - top, right - left, s->in_w * c, c, share, from, y);
        }
    }
}

EL_INLINE void el_spread(int32_t at, el_n n, int32_t count, int32_t channels, float share, const el_t *dy, el_t *dx)
{
    const el_v d = el_mul_float(el_load(dy + at, n), share);
    for (dx += at; count > 0; count--, dx += channels) {
        el_store(dx, d, n);
    }
}

/* Where one window is the whole map. */
void EL_KERNEL(avg_pool2d_bwd)(const el_window *s, const el_t *dy, el_t *dx)
{
    const int32_t count = s->in_h * s->in_w;
    EL_STRIPS(s->in_c, el_spread, count, s->in_c, el_share(s, count), dy, dx);
}

#endif
