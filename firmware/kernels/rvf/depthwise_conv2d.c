/* Depthwise convolution (multiplier 1) with 3 x 3 windows, stride 1 or 2, two channels at a time: see depthwise.h.
 * Gradients of weights stay in registers, too. */
#include "el/kernels.h"

#include "../inline.h"

typedef float element;
typedef float unit;
enum { LANES = 2, EACH = 1 };

EL_INLINE unit unit_load(const element *from)
{
    return *from;
}

EL_INLINE void unit_store(element *to, unit u)
{
    *to = u;
}

EL_INLINE unit unit_zero(void)
{
    return 0.0f;
}

EL_INLINE unit unit_mac(unit acc, unit a, unit b)
{
    return acc + a * b;
}

#include "depthwise.h"

void el_depthwise_conv2d_fwd_f32__rvf(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    forward(s, x, w, b, y);
}

void el_depthwise_conv2d_bwd_x_f32__rvf(const el_window *s, const float *dy, const float *w, float *dx)
{
    backward_x(s, dy, w, dx);
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
            clear(d[1]);
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
    for (int32_t c = 0; c < s->in_c; c = group_behind(c, s->in_c)) {
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
