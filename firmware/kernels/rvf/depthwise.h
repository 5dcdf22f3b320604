/* Depthwise convolution (multiplier 1) with 3 x 3 windows, stride 1 or 2: forward and the gradient of x, LANES
 * registers of EACH channels at a time. Weights stay in registers; along a row each element is loaded once for all
 * windows that it is in. Rows that a window has above or below the map are zeros. Channels that do not fill the last
 * group of lanes go along with some of the group before it, which are computed twice. Whoever includes this says before
 *
 *   element, unit   a channel in memory; a register of channels
 *   LANES, EACH     as above
 *   unit_load(from), unit_store(to, u), unit_zero(), unit_mac(acc, a, b)
 */
#ifndef EL_RVF_DEPTHWISE_H
#define EL_RVF_DEPTHWISE_H

#include "el/ops.h"

#include "../inline.h"

enum { K = 3, GROUP = LANES * EACH /* channels at a time */ };

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* A group of channels of a map, and rows of it: where the next column is, and how far it is to the one behind that. */
typedef struct {
    const element *map;
    int32_t h, w, pitch;
} plane;

typedef struct {
    const element *at;
    int32_t step;
} line;

static const element nothing[GROUP];

EL_INLINE line line_of(const plane *m, int32_t y)
{
    const int in = y >= 0 && y < m->h;
    return (line){in ? m->map + y * m->w * m->pitch : nothing, in ? m->pitch : 0};
}

EL_INLINE void lines_of(const plane *m, int32_t y, line *l)
{
    for (int k = 0; k < K; k++) {
        l[k] = line_of(m, y + k);
    }
}

EL_INLINE void set(const unit *from, unit *to)
{
    for (int c = 0; c < LANES; c++) {
        to[c] = from[c];
    }
}

EL_INLINE void load(const element *from, unit *to)
{
    for (int c = 0; c < LANES; c++) {
        to[c] = unit_load(from + EACH * c);
    }
}

EL_INLINE void store(const unit *from, element *to)
{
    for (int c = 0; c < LANES; c++) {
        unit_store(to + EACH * c, from[c]);
    }
}

EL_INLINE void clear(unit *to)
{
    for (int c = 0; c < LANES; c++) {
        to[c] = unit_zero();
    }
}

/* The next column of some rows */
EL_INLINE void column(int rows, line *l, unit x[][LANES])
{
    for (int k = 0; k < rows; k++) {
        load(l[k].at, x[k]);
        l[k].at += l[k].step;
    }
}

/* to = from + a column times a column of weights */
EL_INLINE void sum(int rows, unit x[][LANES], unit w[][LANES], const unit *from, unit *to)
{
    for (int c = 0; c < LANES; c++) {
        unit t = unit_mac(from[c], x[0][c], w[0][c]);
        for (int k = 1; k < rows; k++) {
            t = unit_mac(t, x[k][c], w[k][c]);
        }
        to[c] = t;
    }
}

/* w[kx][ky] */
EL_INLINE void weights_of(const element *from, int32_t step, unit w[K][K][LANES])
{
    for (int k = 0; k < K * K; k++) {
        load(from + k * step, w[k % K][k / K]);
    }
}

/* Stride 1: y[p] = bias + windows of m that begin at row first + p and at column -left; weights `step` apart. */
EL_INLINE void one_by_one(const plane *m, int32_t rows, int32_t columns, int32_t hop, int32_t first, int32_t left,
                          const element *weights, int32_t step, const element *bias, element *y)
{
    unit w[K][K][LANES];
    unit start[LANES];
    weights_of(weights, step, w);
    load(bias, start);
    const int32_t lead = K - 1 - left; /* columns of the map in front of the last one of the first window */
    const int32_t inside = least(m->w - lead, columns);
    for (; rows > 0; rows--, first++) {
        unit x[K][LANES];
        unit done[LANES];
        unit next[LANES];
        line l[K];
        lines_of(m, first, l);
        set(start, done);
        set(start, next);
        for (int32_t i = lead; i > 0; i--) {
            column(K, l, x);
            sum(K, x, w[1], next, done);
            sum(K, x, w[0], start, next);
        }
        for (int32_t i = inside; i > 0; i--, y += hop) {
            unit full[LANES];
            column(K, l, x);
            sum(K, x, w[2], done, full);
            sum(K, x, w[1], next, done);
            sum(K, x, w[0], start, next);
            store(full, y);
        }
        for (int32_t i = columns - inside; i > 0; i--, y += hop) {
            store(done, y);
            set(next, done);
            set(start, next);
        }
    }
}

/* The same with windows two columns and `down` rows apart; left is 0 or 1. */
EL_INLINE void two_by_two(const plane *m, int32_t rows, int32_t columns, int32_t hop, int32_t first, int32_t down,
                          int32_t left, const element *weights, int32_t step, const element *bias, element *y)
{
    unit w[K][K][LANES];
    unit start[LANES];
    weights_of(weights, step, w);
    load(bias, start);
    const int32_t inside = least((m->w - 1 + left) / 2, columns);
    for (; rows > 0; rows--, first += down) {
        unit x[K][LANES];
        unit now[LANES];
        line l[K];
        lines_of(m, first, l);
        set(start, now);
        if (left == 0) {
            column(K, l, x);
            sum(K, x, w[0], start, now);
        }
        for (int32_t i = inside; i > 0; i--, y += hop) {
            unit full[LANES];
            column(K, l, x);
            sum(K, x, w[1], now, now);
            column(K, l, x);
            sum(K, x, w[2], now, full);
            sum(K, x, w[0], start, now);
            store(full, y);
        }
        for (int32_t i = inside; i < columns; i++, y += hop) {
            if (2 * i + 1 - left < m->w) {
                column(K, l, x);
                sum(K, x, w[1], now, now);
            }
            store(now, y);
            set(start, now);
        }
    }
}

/* Where the group of channels behind the one at c begins */
EL_INLINE int32_t group_behind(int32_t c, int32_t channels)
{
    return c < channels - GROUP ? least(c + GROUP, channels - GROUP) : channels;
}

EL_INLINE void forward(const el_window *s, const element *x, const element *w, const element *b, element *y)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t c = 0; c < s->in_c; c = group_behind(c, s->in_c)) {
        const plane m = {x + c, s->in_h, s->in_w, pitch};
        const element *bias = b != 0 ? b + c : nothing;
        if (s->stride_w == 1) {
            one_by_one(&m, s->out_h, s->out_w, pitch, -s->pad_top, s->pad_left, w + c, pitch, bias, y + c);
        } else {
            two_by_two(&m, s->out_h, s->out_w, pitch, -s->pad_top, s->stride_h, s->pad_left, w + c, pitch, bias, y + c);
        }
    }
}

/* Stride 2: every second row of dx from row `top` on. Even positions have two taps of an axis, odd ones one: w[kx] of
 * both rows. */
EL_INLINE void spread(const el_window *s, int32_t top, const plane *m, const element *weights, element *dx)
{
    const int32_t pitch = s->in_pitch;
    const int32_t odd = (top + s->pad_top) & 1;
    unit w[K][2][LANES];
    for (int k = 0; k < K; k++) {
        load(weights + (odd * K + k) * pitch, w[k][0]);
        load(odd != 0 ? nothing : weights + (2 * K + k) * pitch, w[k][1]);
    }
    unit zero[LANES];
    clear(zero);
    const int32_t left = s->pad_left;
    const int32_t pairs = most(least(m->w, (s->in_w + left) / 2) - left, 0);
    for (int32_t iy = top; iy < s->in_h; iy += 2) {
        const int32_t oy = (iy + s->pad_top) / 2;
        line l[2] = {line_of(m, oy), odd != 0 ? (line){nothing, 0} : line_of(m, oy - 1)};
        unit x[2][LANES];
        unit t[LANES];
        unit last[LANES];
        element *to = dx + iy * s->in_w * pitch;
        clear(last);
        if (left != 0) {
            column(2, l, x);
            sum(2, x, w[1], zero, t);
            sum(2, x, w[2], zero, last);
            store(t, to);
            to += pitch;
        }
        for (int32_t i = pairs; i > 0; i--) {
            column(2, l, x);
            sum(2, x, w[0], last, t);
            store(t, to);
            sum(2, x, w[1], zero, t);
            to += pitch;
            sum(2, x, w[2], zero, last);
            store(t, to);
            to += pitch;
        }
        for (int32_t ix = left + 2 * pairs; ix < s->in_w; ix++, to += pitch) {
            const int32_t ox = (ix + left) / 2;
            if (ox < m->w && ((ix + left) & 1) == 0) { /* the only column of dy that is left */
                column(2, l, x);
                sum(2, x, w[0], last, last);
            }
            store(last, to);
            clear(last);
        }
    }
}

EL_INLINE void backward_x(const el_window *s, const element *dy, const element *w, element *dx)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t c = 0; c < s->in_c; c = group_behind(c, s->in_c)) {
        const plane m = {dy + c, s->out_h, s->out_w, pitch};
        if (s->stride_w == 1) {
            one_by_one(&m, s->in_h, s->in_w, pitch, s->pad_top - K + 1, K - 1 - s->pad_left,
                       w + c + (K * K - 1) * pitch, -pitch, nothing, dx + c);
        } else {
            for (int32_t top = 0; top < 2; top++) {
                spread(s, top, &m, w + c, dx + c);
            }
        }
    }
}

#endif
