/* Depthwise convolutions in halves. With 3 x 3 windows, four channels along a row: ../rvf/depthwise.h; else sixteen
 * channels of a position at a time, two a register. A window's sum is one of halves; a gradient of w is summed as
 * halves along EL_HALF_TERMS outputs of a tap, then as floats. */
#include "el/kernels.h"
#include "pair.h"

typedef el_f16 element;
typedef el_pair unit;
enum { LANES = 2, EACH = 2 };

EL_INLINE unit unit_load(const element *from)
{
    return el_pair_load(from);
}

EL_INLINE void unit_store(element *to, unit u)
{
    el_pair_store(to, u);
}

EL_INLINE unit unit_zero(void)
{
    return el_pair_zero();
}

EL_INLINE unit unit_mac(unit acc, unit a, unit b)
{
    return el_pair_mac(acc, a, b);
}

#include "../rvf/depthwise.h"

enum { EL_PAIRS = 8, EL_CHANNELS = 2 * EL_PAIRS, EL_HALF_TERMS = 72 };

/* Whether sums stay in registers along a row of the map. */
static int along_rows(const el_window *s)
{
    const int most_left = s->stride_w == 1 ? K - 1 : 1;
    return s->k_h == K && s->k_w == K && s->in_c >= GROUP && s->in_w > 1 && s->out_w > 1 && s->stride_w <= 2 &&
           s->stride_h == s->stride_w && s->pad_left >= 0 && s->pad_left <= most_left;
}

/* Which taps [first, last) of a window that begins at `at` lie within [0, size). */
typedef struct {
    int32_t first, last;
} span;

static span inside(int32_t at, int32_t taps, int32_t size)
{
    const int32_t first = at < 0 ? -at : 0;
    const int32_t last = size - at < taps ? size - at : taps;
    return (span){first, last > first ? last : first};
}

/* y = start + sum of taps, for `pairs` pairs of channels or, for 0, one channel. */
EL_INLINE void window(int pairs, int32_t rows, int32_t taps, const el_f16 *x, int32_t x_row, int32_t x_tap,
                      const el_f16 *w, int32_t w_row, int32_t w_tap, const el_f16 *start, el_f16 *y)
{
    el_pair acc[EL_PAIRS];
    float one = start != 0 ? el_half_load(start) : 0.0f;
    for (int c = 0; c < pairs; c++) {
        acc[c] = start != 0 ? el_pair_load(start + 2 * c) : el_pair_zero();
    }
    for (; rows > 0; rows--, x += x_row, w += w_row) {
        const el_f16 *p = x;
        const el_f16 *f = w;
#pragma GCC unroll 3
        for (int32_t t = taps; t > 0; t--, p += x_tap, f += w_tap) {
            el_pair u[EL_PAIRS];
            el_pair v[EL_PAIRS];
            for (int c = 0; c < pairs; c++) {
                u[c] = el_pair_load(p + 2 * c);
                v[c] = el_pair_load(f + 2 * c);
            }
            for (int c = 0; c < pairs; c++) {
                acc[c] = el_pair_mac(acc[c], u[c], v[c]);
            }
            if (pairs == 0) {
                one += el_half_load(p) * el_half_load(f);
            }
        }
    }
    for (int c = 0; c < pairs; c++) {
        el_pair_store(y + 2 * c, acc[c]);
    }
    if (pairs == 0) {
        el_half_store(y, one);
    }
}

/* All channels of a position */
static void windows(int32_t channels, int32_t rows, int32_t taps, const el_f16 *x, int32_t x_row, int32_t x_tap,
                    const el_f16 *w, int32_t w_row, int32_t w_tap, const el_f16 *b, el_f16 *y)
{
    int32_t c = 0;
    for (; channels - c >= EL_CHANNELS; c += EL_CHANNELS) {
        window(EL_PAIRS, rows, taps, x + c, x_row, x_tap, w + c, w_row, w_tap, b != 0 ? b + c : 0, y + c);
    }
    for (; channels - c >= EL_PAIRS; c += EL_PAIRS) {
        window(EL_PAIRS / 2, rows, taps, x + c, x_row, x_tap, w + c, w_row, w_tap, b != 0 ? b + c : 0, y + c);
    }
    for (; channels - c >= 2; c += 2) {
        window(1, rows, taps, x + c, x_row, x_tap, w + c, w_row, w_tap, b != 0 ? b + c : 0, y + c);
    }
    for (; c < channels; c++) {
        window(0, rows, taps, x + c, x_row, x_tap, w + c, w_row, w_tap, b != 0 ? b + c : 0, y + c);
    }
}

void el_depthwise_conv2d_fwd_f16__xfvec(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b,
                                        el_f16 *y)
{
    if (along_rows(s)) {
        forward(s, x, w, b, y);
        return;
    }
    const int32_t x_row = s->in_w * s->in_pitch;
    const int32_t w_row = s->k_w * s->out_pitch;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t top = oy * s->stride_h - s->pad_top;
        const span v = inside(top, s->k_h, s->in_h);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += s->out_pitch) {
            const int32_t left = ox * s->stride_w - s->pad_left;
            const span h = inside(left, s->k_w, s->in_w);
            windows(s->out_c, v.last - v.first, h.last - h.first,
                    x + (top + v.first) * x_row + (left + h.first) * s->in_pitch, x_row, s->in_pitch,
                    w + v.first * w_row + h.first * s->out_pitch, w_row, s->out_pitch, b, y);
        }
    }
}

/* Taps that reach position `at` of x, seen from the first of the outputs that have them: taps tap, tap - stride, ... on
 * outputs out, out + 1, ... */
typedef struct {
    int32_t out, tap, count;
} reach;

static reach reached(int32_t at, int32_t stride, int32_t taps, int32_t outputs)
{
    reach r = {0, at, 0};
    if (at >= taps) {
        r.out = (at - taps) / stride + 1;
        r.tap = at - r.out * stride;
    }
    if (r.tap >= 0 && r.out < outputs) {
        const int32_t most = r.tap / stride + 1;
        r.count = outputs - r.out < most ? outputs - r.out : most;
    }
    return r;
}

void el_depthwise_conv2d_bwd_x_f16__xfvec(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx)
{
    if (along_rows(s)) {
        backward_x(s, dy, w, dx);
        return;
    }
    const int32_t y_row = s->out_w * s->out_pitch;
    const int32_t w_row = s->k_w * s->out_pitch;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        const reach v = reached(iy + s->pad_top, s->stride_h, s->k_h, s->out_h);
        for (int32_t ix = 0; ix < s->in_w; ix++, dx += s->in_pitch) {
            const reach h = reached(ix + s->pad_left, s->stride_w, s->k_w, s->out_w);
            windows(s->in_c, v.count, h.count, dy + v.out * y_row + h.out * s->out_pitch, y_row, s->out_pitch,
                    w + v.tap * w_row + h.tap * s->out_pitch, -s->stride_h * w_row, -s->stride_w * s->out_pitch, 0, dx);
        }
    }
}

/* Outputs [first, last) along an axis that a tap meets inside the map. */
static span outputs_of(int32_t tap, int32_t pad, int32_t stride, int32_t size, int32_t outputs)
{
    const int32_t first = tap < pad ? (pad - tap + stride - 1) / stride : 0;
    const int32_t most = size + pad - tap > 0 ? (size + pad - tap - 1) / stride + 1 : 0;
    const int32_t last = most < outputs ? most : outputs;
    return (span){first, last > first ? last : first};
}

/* A tap's gradient over a patch of outputs, for `pairs` pairs of channels or, for 0, one channel. */
EL_INLINE void tap_gradient(int pairs, int32_t rows, int32_t cols, const el_f16 *x, int32_t x_row, int32_t x_col,
                            const el_f16 *dy, int32_t y_row, int32_t y_col, float scale, el_f16 *dw)
{
    float sum[EL_CHANNELS] = {0};
    const int32_t most = EL_HALF_TERMS / cols > 0 ? EL_HALF_TERMS / cols : 1; /* rows that are summed as halves */
    float one = 0.0f;
    while (rows > 0) {
        el_pair acc[EL_PAIRS];
        for (int c = 0; c < pairs; c++) {
            acc[c] = el_pair_zero();
        }
        for (int32_t some = most < rows ? most : rows; some > 0; some--, rows--, x += x_row, dy += y_row) {
            const el_f16 *p = x;
            const el_f16 *g = dy;
#pragma GCC unroll 2
            for (int32_t k = cols; k > 0; k--, p += x_col, g += y_col) {
                el_pair u[EL_PAIRS];
                el_pair v[EL_PAIRS];
                for (int c = 0; c < pairs; c++) {
                    u[c] = el_pair_load(p + 2 * c);
                    v[c] = el_pair_load(g + 2 * c);
                }
                for (int c = 0; c < pairs; c++) {
                    acc[c] = el_pair_mac(acc[c], u[c], v[c]);
                }
                if (pairs == 0) {
                    one += el_half_load(p) * el_half_load(g);
                }
            }
        }
        for (int c = 0; c < pairs; c++) {
            sum[2 * c] += el_pair_low(acc[c]);
            sum[2 * c + 1] += el_pair_high(acc[c]);
        }
    }
    for (int c = 0; c < 2 * pairs; c++) {
        el_half_store(dw + c, el_half_load(dw + c) + scale * sum[c]);
    }
    if (pairs == 0) {
        el_half_store(dw, el_half_load(dw) + scale * one);
    }
}

void el_depthwise_conv2d_bwd_w_f16__xfvec(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy,
                                          el_f16 *dw)
{
    const int32_t x_row = s->stride_h * s->in_w * s->in_pitch;
    const int32_t x_col = s->stride_w * s->in_pitch;
    const int32_t y_row = s->out_w * s->out_pitch;
    for (int32_t ky = 0; ky < s->k_h; ky++) {
        const span v = outputs_of(ky, s->pad_top, s->stride_h, s->in_h, s->out_h);
        for (int32_t kx = 0; kx < s->k_w; kx++, dw += s->out_pitch) {
            const span h = outputs_of(kx, s->pad_left, s->stride_w, s->in_w, s->out_w);
            const int32_t rows = v.last - v.first;
            const int32_t cols = h.last - h.first;
            if (rows == 0 || cols == 0) {
                continue;
            }
            const el_f16 *p = x + (v.first * s->stride_h - s->pad_top + ky) * s->in_w * s->in_pitch +
                              (h.first * s->stride_w - s->pad_left + kx) * s->in_pitch;
            const el_f16 *g = dy + v.first * y_row + h.first * s->out_pitch;
            int32_t c = 0;
            for (; s->out_c - c >= EL_CHANNELS; c += EL_CHANNELS) {
                tap_gradient(EL_PAIRS, rows, cols, p + c, x_row, x_col, g + c, y_row, s->out_pitch, scale, dw + c);
            }
            for (; s->out_c - c >= EL_PAIRS; c += EL_PAIRS) {
                tap_gradient(EL_PAIRS / 2, rows, cols, p + c, x_row, x_col, g + c, y_row, s->out_pitch, scale, dw + c);
            }
            for (; s->out_c - c >= 2; c += 2) {
                tap_gradient(1, rows, cols, p + c, x_row, x_col, g + c, y_row, s->out_pitch, scale, dw + c);
            }
            for (; c < s->out_c; c++) {
                tap_gradient(0, rows, cols, p + c, x_row, x_col, g + c, y_row, s->out_pitch, scale, dw + c);
            }
        }
    }
}
