/* Depthwise convolution (multiplier 1) with 3 x 3 windows, stride 1 or 2, two channels at a time. Weights, or their
 * gradients, stay in registers; along a row each element is loaded once for all windows that it is in. Rows that a
 * window has above or below the map are zeros. Of an odd number of channels the last goes along with the one before it,
 * which is computed twice. */
#include "el/kernels.h"

#define EL_INLINE static inline __attribute__((always_inline))

enum { K = 3, LANES = 2 };

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* A channel pair of a map, and rows of it: where the next column is, and how far it is to the one behind that. */
typedef struct {
    const float *map;
    int32_t h, w, pitch;
} plane;

typedef struct {
    const float *at;
    int32_t step;
} line;

static const float nothing[LANES];

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

EL_INLINE void set(const float *from, float *to)
{
    for (int c = 0; c < LANES; c++) {
        to[c] = from[c];
    }
}

/* The next column of some rows */
EL_INLINE void column(int rows, line *l, float x[][LANES])
{
    for (int k = 0; k < rows; k++) {
        set(l[k].at, x[k]);
        l[k].at += l[k].step;
    }
}

/* to = from + a column times a column of weights */
EL_INLINE void sum(int rows, float x[][LANES], float w[][LANES], const float *from, float *to)
{
    for (int c = 0; c < LANES; c++) {
        float t = from[c] + x[0][c] * w[0][c];
        for (int k = 1; k < rows; k++) {
            t += x[k][c] * w[k][c];
        }
        to[c] = t;
    }
}

/* w[kx][ky] of a pair of channels */
EL_INLINE void load(const float *from, int32_t step, float w[K][K][LANES])
{
    for (int k = 0; k < K * K; k++) {
        set(from + k * step, w[k % K][k / K]);
    }
}

/* Stride 1: y[p] = bias + windows of m that begin at row first + p and at column -left; weights `step` apart. */
EL_INLINE void one_by_one(const plane *m, int32_t rows, int32_t columns, int32_t hop, int32_t first, int32_t left,
                          const float *weights, int32_t step, const float *bias, float *y)
{
    float w[K][K][LANES];
    float start[LANES];
    load(weights, step, w);
    set(bias, start);
    const int32_t lead = K - 1 - left; /* columns of the map in front of the last one of the first window */
    const int32_t inside = least(m->w - lead, columns);
    for (; rows > 0; rows--, first++) {
        float x[K][LANES];
        float done[LANES];
        float next[LANES];
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
            float full[LANES];
            column(K, l, x);
            sum(K, x, w[2], done, full);
            sum(K, x, w[1], next, done);
            sum(K, x, w[0], start, next);
            set(full, y);
        }
        for (int32_t i = columns - inside; i > 0; i--, y += hop) {
            set(done, y);
            set(next, done);
            set(start, next);
        }
    }
}

/* The same with windows two columns and `down` rows apart; left is 0 or 1. */
EL_INLINE void two_by_two(const plane *m, int32_t rows, int32_t columns, int32_t hop, int32_t first, int32_t down,
                          int32_t left, const float *weights, int32_t step, const float *bias, float *y)
{
    float w[K][K][LANES];
    float start[LANES];
    load(weights, step, w);
    set(bias, start);
    const int32_t inside = least((m->w - 1 + left) / 2, columns);
    for (; rows > 0; rows--, first += down) {
        float x[K][LANES];
        float now[LANES];
        line l[K];
        lines_of(m, first, l);
        set(start, now);
        if (left == 0) {
            column(K, l, x);
            sum(K, x, w[0], start, now);
        }
        for (int32_t i = inside; i > 0; i--, y += hop) {
            float full[LANES];
            column(K, l, x);
            sum(K, x, w[1], now, now);
            column(K, l, x);
            sum(K, x, w[2], now, full);
            sum(K, x, w[0], start, now);
            set(full, y);
        }
        for (int32_t i = inside; i < columns; i++, y += hop) {
            if (2 * i + 1 - left < m->w) {
                column(K, l, x);
                sum(K, x, w[1], now, now);
            }
            set(now, y);
            set(start, now);
        }
    }
}

/* Where the pair of channels behind the one at c begins */
EL_INLINE int32_t pair_behind(int32_t c, int32_t channels)
{
    return c < channels - LANES ? least(c + LANES, channels - LANES) : channels;
}

void el_depthwise_conv2d_fwd_f32__rvf(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t c = 0; c < s->in_c; c = pair_behind(c, s->in_c)) {
        const plane m = {x + c, s->in_h, s->in_w, pitch};
        const float *bias = b != 0 ? b + c : nothing;
        if (s->stride_w == 1) {
            one_by_one(&m, s->out_h, s->out_w, pitch, -s->pad_top, s->pad_left, w + c, pitch, bias, y + c);
        } else {
            two_by_two(&m, s->out_h, s->out_w, pitch, -s->pad_top, s->stride_h, s->pad_left, w + c, pitch, bias, y + c);
        }
    }
}

/* Stride 2: every second row of dx from row `top` on. Even positions have two taps of an axis, odd ones one: w[kx] of
 * both rows. */
EL_INLINE void spread(const el_window *s, int32_t top, const plane *m, const float *weights, float *dx)
{
    const int32_t pitch = s->in_pitch;
    const int32_t odd = (top + s->pad_top) & 1;
    float w[K][2][LANES];
    for (int k = 0; k < K; k++) {
        set(weights + (odd * K + k) * pitch, w[k][0]);
        set(odd != 0 ? nothing : weights + (2 * K + k) * pitch, w[k][1]);
    }
    const int32_t left = s->pad_left;
    const int32_t pairs = most(least(m->w, (s->in_w + left) / 2) - left, 0);
    for (int32_t iy = top; iy < s->in_h; iy += 2) {
        const int32_t oy = (iy + s->pad_top) / 2;
        line l[2] = {line_of(m, oy), odd != 0 ? (line){nothing, 0} : line_of(m, oy - 1)};
        float x[2][LANES];
        float t[LANES];
        float last[LANES] = {0};
        float *to = dx + iy * s->in_w * pitch;
        if (left != 0) {
            column(2, l, x);
            sum(2, x, w[1], nothing, t);
            sum(2, x, w[2], nothing, last);
            set(t, to);
            to += pitch;
        }
        for (int32_t i = pairs; i > 0; i--) {
            column(2, l, x);
            sum(2, x, w[0], last, t);
            set(t, to);
            sum(2, x, w[1], nothing, t);
            to += pitch;
            sum(2, x, w[2], nothing, last);
            set(t, to);
            to += pitch;
        }
        for (int32_t ix = left + 2 * pairs; ix < s->in_w; ix++, to += pitch) {
            const int32_t ox = (ix + left) / 2;
            set(last, to);
            set(nothing, last);
            if (ox < m->w && ((ix + left) & 1) == 0) { /* the only column of dy that is left */
                column(2, l, x);
                sum(2, x, w[0], to, to);
            }
        }
    }
}

void el_depthwise_conv2d_bwd_x_f32__rvf(const el_window *s, const float *dy, const float *w, float *dx)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t c = 0; c < s->in_c; c = pair_behind(c, s->in_c)) {
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

/* acc[ky] += a column of x times dy */
EL_INLINE void gather(float x[K][LANES], const float *d, float acc[K][LANES])
{
    for (int k = 0; k < K; k++) {
        for (int c = 0; c < LANES; c++) {
            acc[k][c] += x[k][c] * d[c];
        }
    }
}

/* Stride 1: columns of x, each with the three of dy that it meets. */
EL_INLINE void gather_one_by_one(const el_window *s, const plane *m, const plane *g, float acc[K][K][LANES])
{
    const int32_t left = s->pad_left;
    const int32_t inside = most(least(m->w, g->w - left), 0);
    for (int32_t oy = 0; oy < g->h; oy++) {
        line l[K];
        line r = line_of(g, oy);
        float x[K][LANES];
        float d[K][LANES] = {{0}};
        lines_of(m, oy - s->pad_top, l);
        for (int32_t i = least(left, g->w); i > 0; i--) {
            set(d[1], d[2]);
            column(1, &r, &d[1]);
        }
        for (int32_t i = inside; i > 0; i--) {
            column(1, &r, d);
            column(K, l, x);
            for (int k = 0; k < K; k++) {
                gather(x, d[k], acc[k]);
            }
            set(d[1], d[2]);
            set(d[0], d[1]);
        }
        for (int32_t i = least(m->w - inside, K - 1); i > 0; i--) {
            column(K, l, x);
            gather(x, d[1], acc[1]);
            gather(x, d[2], acc[2]);
            set(d[1], d[2]);
            set(nothing, d[1]);
        }
    }
}

EL_INLINE void gather_two_by_two(const el_window *s, const plane *m, const plane *g, float acc[K][K][LANES])
{
    const int32_t left = s->pad_left;
    const int32_t inside = most(least((m->w - 1 + left) / 2, g->w - 1), 0);
    for (int32_t oy = 0; oy < g->h; oy++) {
        line l[K];
        line r = line_of(g, oy);
        float x[K][LANES];
        float d[LANES];
        lines_of(m, oy * s->stride_h - s->pad_top, l);
        column(1, &r, &d);
        if (left == 0) {
            column(K, l, x);
            gather(x, d, acc[0]);
        }
        for (int32_t i = inside; i > 0; i--) {
            column(K, l, x);
            gather(x, d, acc[1]);
            column(K, l, x);
            gather(x, d, acc[2]);
            column(1, &r, &d);
            gather(x, d, acc[0]);
        }
        const int32_t rest = m->w - (2 * inside + 1 - left);
        if (rest > 0) {
            column(K, l, x);
            gather(x, d, acc[1]);
        }
        if (rest > 1) {
            column(K, l, x);
            gather(x, d, acc[2]);
        }
    }
}

void el_depthwise_conv2d_bwd_w_f32__rvf(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t c = 0; c < s->in_c; c = pair_behind(c, s->in_c)) {
        const plane m = {x + c, s->in_h, s->in_w, pitch};
        const plane g = {dy + c, s->out_h, s->out_w, pitch};
        float acc[K][K][LANES] = {{{0}}};
        if (s->stride_w == 1) {
            gather_one_by_one(s, &m, &g, acc);
        } else {
            gather_two_by_two(s, &m, &g, acc);
        }
        const int twice = (c & 1) != 0;
        for (int k = 0; k < K * K; k++) {
            float *to = dw + c + k * pitch;
            if (!twice) { /* not a sum with zero: both lanes are to be rounded alike */
                to[0] += scale * acc[k % K][k / K][0];
            }
            to[1] += scale * acc[k % K][k / K][1];
        }
    }
}
