/* Depthwise convolution (multiplier 1) across channels, which are contiguous: any window, stride and padding.
 *
 * Each step is a sum of products of two strided rows of channels, with loop bounds that leave the padding out. The
 * gradient of x is a gather over the taps of its stride phase, so nothing is zeroed or added to memory. The file that
 * includes this brings what runs over the channels:
 *   el_sweep_store(v, channels, a, b, bias, y)   y[c] = bias[c] + the sum; bias may be NULL, the sum may be empty
 *   el_sweep_add(v, channels, scale, a, b, dw)   dw[c] += scale * the sum, which is not empty */
#ifndef EL_SWEEP_H
#define EL_SWEEP_H

#include "el/ops.h"

#include "inline.h"

#ifdef EL_SWEEP_REAL
typedef EL_SWEEP_REAL el_sweep_real; /* of maps and weights */
#else
typedef float el_sweep_real;
#endif

/* A rectangle of products: `rows` rows of `count` terms each, a and b apart by steps within a row and from row to row.
 */
typedef struct {
    int32_t rows, count;
    int32_t a_row, a_step;
    int32_t b_row, b_step;
} el_sweep;

static void el_sweep_store(const el_sweep *v, int32_t channels, const el_sweep_real *a, const el_sweep_real *b,
                           const el_sweep_real *bias, el_sweep_real *y);
static void el_sweep_add(const el_sweep *v, int32_t channels, float scale, const el_sweep_real *a,
                         const el_sweep_real *b, el_sweep_real *dw);

static inline void el_sweep_forward(const el_window *s, const el_sweep_real *x, const el_sweep_real *w,
                                    const el_sweep_real *b, el_sweep_real *y)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const int32_t top = el_max(-iy, 0);
        const int32_t rows = el_max(el_min(s->k_h, s->in_h - iy) - top, 0);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += pitch) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const int32_t left = el_max(-ix, 0);
            const int32_t count = el_min(s->k_w, s->in_w - ix) - left;
            const el_sweep v = {count > 0 ? rows : 0, count, s->in_w * pitch, pitch, s->k_w * pitch, pitch};
            el_sweep_store(&v, s->in_c, x + ((iy + top) * s->in_w + ix + left) * pitch,
                           w + (top * s->k_w + left) * pitch, b, y);
        }
    }
}

/* Taps first, first + stride, ... < k that meet outputs last, last - 1, ... inside [0, size): skips those that do not,
 * and gives the number of those that do. */
static inline int32_t el_sweep_phase(int32_t position, int32_t stride, int32_t k, int32_t size, int32_t *tap,
                                     int32_t *out)
{
    *out = position / stride;
    *tap = position - *out * stride;
    const int32_t skip = el_max(*out - (size - 1), 0);
    *out -= skip;
    *tap += skip * stride;
    return *tap < k ? el_min((k - 1 - *tap) / stride, *out) + 1 : 0;
}

static inline void el_sweep_backward_x(const el_window *s, const el_sweep_real *dy, const el_sweep_real *w,
                                       el_sweep_real *dx)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        int32_t ky, oy;
        const int32_t rows = el_sweep_phase(iy + s->pad_top, s->stride_h, s->k_h, s->out_h, &ky, &oy);
        for (int32_t ix = 0; ix < s->in_w; ix++, dx += pitch) {
            int32_t kx, ox;
            const int32_t count = el_sweep_phase(ix + s->pad_left, s->stride_w, s->k_w, s->out_w, &kx, &ox);
            const el_sweep v = {count > 0 ? rows : 0, count, -s->out_w * pitch, -pitch, s->stride_h * s->k_w * pitch,
                                s->stride_w * pitch};
            el_sweep_store(&v, s->in_c, dy + (oy * s->out_w + ox) * pitch, w + (ky * s->k_w + kx) * pitch, 0, dx);
        }
    }
}

/* Outputs [*from, returned) along one axis for which tap k reads inside the map. */
static inline int32_t el_sweep_outputs(int32_t k, int32_t pad, int32_t stride, int32_t in, int32_t out, int32_t *from)
{
    *from = k < pad ? (pad - k + stride - 1) / stride : 0;
    return in - 1 + pad - k < 0 ? 0 : el_min((in - 1 + pad - k) / stride + 1, out);
}

static inline void el_sweep_backward_w(const el_window *s, float scale, const el_sweep_real *x, const el_sweep_real *dy,
                                       el_sweep_real *dw)
{
    const int32_t pitch = s->in_pitch;
    for (int32_t ky = 0; ky < s->k_h; ky++) {
        int32_t top;
        const int32_t bottom = el_sweep_outputs(ky, s->pad_top, s->stride_h, s->in_h, s->out_h, &top);
        for (int32_t kx = 0; kx < s->k_w; kx++, dw += pitch) {
            int32_t left;
            const int32_t right = el_sweep_outputs(kx, s->pad_left, s->stride_w, s->in_w, s->out_w, &left);
            if (top >= bottom || left >= right) {
                continue;
            }
            const el_sweep v = {bottom - top,        right - left,     s->stride_h * s->in_w * pitch,
                                s->stride_w * pitch, s->out_w * pitch, pitch};
            el_sweep_add(&v, s->in_c, scale,
                         x + ((top * s->stride_h - s->pad_top + ky) * s->in_w + left * s->stride_w - s->pad_left + kx) *
                                 pitch,
                         dy + (top * s->out_w + left) * pitch, dw);
        }
    }
}

/* All three for a number format and an instruction set. */
#define EL_DEPTHWISE_BY_SWEEPS(FMT, ISA)                                                                               \
    void el_depthwise_conv2d_fwd_##FMT##__##ISA(const el_window *s, const el_sweep_real *x, const el_sweep_real *w,    \
                                                const el_sweep_real *b, el_sweep_real *y)                              \
    {                                                                                                                  \
        el_sweep_forward(s, x, w, b, y);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_bwd_x_##FMT##__##ISA(const el_window *s, const el_sweep_real *dy, const el_sweep_real *w, \
                                                  el_sweep_real *dx)                                                   \
    {                                                                                                                  \
        el_sweep_backward_x(s, dy, w, dx);                                                                             \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const el_sweep_real *x,             \
                                                  const el_sweep_real *dy, el_sweep_real *dw)                          \
    {                                                                                                                  \
        el_sweep_backward_w(s, scale, x, dy, dw);                                                                      \
    }

#endif
