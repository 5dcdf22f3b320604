/* Depthwise convolution (multiplier 1) on four channels at a time, which are contiguous: any window, stride, padding.
 *
 * Each kernel is one sum of products of two strided rows of channels, with loop bounds that leave the padding out.
 * The gradient of x is a gather over the taps of its stride phase, so nothing is zeroed or added to memory. */
#include "el/kernels.h"
#include "tile.h"

typedef struct {
    float c0, c1, c2, c3;
} lanes;

/* t[c] += sum over k < count of a[k*lda + c] * b[k*ldb + c] for c < width, width 4 or 1 */
EL_INLINE void lanes_mac(lanes *t, int width, int32_t count, const float *a, int32_t lda, const float *b, int32_t ldb)
{
    for (; count > 0; count--, a += lda, b += ldb) {
        t->c0 += a[0] * b[0];
        if (width > 1) {
            t->c1 += a[1] * b[1];
            t->c2 += a[2] * b[2];
            t->c3 += a[3] * b[3];
        }
    }
}

EL_INLINE lanes lanes_load(int width, const float *b)
{
    lanes t = {b[0], 0.0f, 0.0f, 0.0f};
    if (width > 1) {
        t.c1 = b[1];
        t.c2 = b[2];
        t.c3 = b[3];
    }
    return t;
}

EL_INLINE void lanes_store(const lanes *t, int width, float *y)
{
    y[0] = t->c0;
    if (width > 1) {
        y[1] = t->c1;
        y[2] = t->c2;
        y[3] = t->c3;
    }
}

/* A rectangle of products: rows of `count` terms each. */
typedef struct {
    int32_t rows, count;
    int32_t a_row, a_step;
    int32_t b_row, b_step;
} sweep;

EL_INLINE void sweep_sum(lanes *t, int width, const sweep *v, int32_t count, const float *a, const float *b)
{
    for (int32_t r = 0; r < v->rows; r++, a += v->a_row, b += v->b_row) {
        lanes_mac(t, width, count, a, v->a_step, b, v->b_step);
    }
}

EL_INLINE void sweep_channels(const sweep *v, int32_t count, int32_t channels, const float *a, const float *b,
                              const float *bias, float *y)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        lanes t = bias != 0 ? lanes_load(4, bias + c) : (lanes){0};
        sweep_sum(&t, 4, v, count, a + c, b + c);
        lanes_store(&t, 4, y + c);
    }
    for (; c < channels; c++) {
        lanes t = bias != 0 ? lanes_load(1, bias + c) : (lanes){0};
        sweep_sum(&t, 1, v, count, a + c, b + c);
        lanes_store(&t, 1, y + c);
    }
}

/* Most windows are three wide: that loop is unrolled. */
static void sweep_store(const sweep *v, int32_t channels, const float *a, const float *b, const float *bias, float *y)
{
    if (v->count == 3) {
        sweep_channels(v, 3, channels, a, b, bias, y);
    } else {
        sweep_channels(v, v->count, channels, a, b, bias, y);
    }
}

void el_depthwise_conv2d_fwd_f32__blk(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    const int32_t channels = s->in_c;
    const int32_t pitch = s->in_pitch;
    for (int32_t oy = 0; oy < s->out_h; oy++) {
        const int32_t iy = oy * s->stride_h - s->pad_top;
        const int32_t top = el_max(-iy, 0);
        const int32_t rows = el_max(el_min(s->k_h, s->in_h - iy) - top, 0);
        for (int32_t ox = 0; ox < s->out_w; ox++, y += pitch) {
            const int32_t ix = ox * s->stride_w - s->pad_left;
            const int32_t left = el_max(-ix, 0);
            const int32_t count = el_min(s->k_w, s->in_w - ix) - left;
            const sweep v = {count > 0 ? rows : 0, count, s->in_w * pitch, pitch, s->k_w * pitch, pitch};
            sweep_store(&v, channels, x + ((iy + top) * s->in_w + ix + left) * pitch, w + (top * s->k_w + left) * pitch,
                        b, y);
        }
    }
}

/* Taps first, first + stride, ... < k that meet outputs last, last - 1, ... inside [0, size): skips those that do not,
 * and gives the number of those that do. */
static int32_t phase(int32_t position, int32_t stride, int32_t k, int32_t size, int32_t *tap, int32_t *out)
{
    *out = position / stride;
    *tap = position - *out * stride;
    const int32_t skip = el_max(*out - (size - 1), 0);
    *out -= skip;
    *tap += skip * stride;
    return *tap < k ? el_min((k - 1 - *tap) / stride, *out) + 1 : 0;
}

void el_depthwise_conv2d_bwd_x_f32__blk(const el_window *s, const float *dy, const float *w, float *dx)
{
    const int32_t channels = s->in_c;
    const int32_t pitch = s->in_pitch;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        int32_t ky, oy;
        const int32_t rows = phase(iy + s->pad_top, s->stride_h, s->k_h, s->out_h, &ky, &oy);
        for (int32_t ix = 0; ix < s->in_w; ix++, dx += pitch) {
            int32_t kx, ox;
            const int32_t count = phase(ix + s->pad_left, s->stride_w, s->k_w, s->out_w, &kx, &ox);
            const sweep v = {count > 0 ? rows : 0, count, -s->out_w * pitch, -pitch, s->stride_h * s->k_w * pitch,
                             s->stride_w * pitch};
            sweep_store(&v, channels, dy + (oy * s->out_w + ox) * pitch, w + (ky * s->k_w + kx) * pitch, 0, dx);
        }
    }
}

/* Outputs [*from, returned) along one axis for which tap k reads inside the map. */
static int32_t outputs(int32_t k, int32_t pad, int32_t stride, int32_t in, int32_t out, int32_t *from)
{
    *from = k < pad ? (pad - k + stride - 1) / stride : 0;
    return in - 1 + pad - k < 0 ? 0 : el_min((in - 1 + pad - k) / stride + 1, out);
}

void el_depthwise_conv2d_bwd_w_f32__blk(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    const int32_t channels = s->in_c;
    const int32_t pitch = s->in_pitch;
    for (int32_t ky = 0; ky < s->k_h; ky++) {
        int32_t top;
        const int32_t bottom = outputs(ky, s->pad_top, s->stride_h, s->in_h, s->out_h, &top);
        for (int32_t kx = 0; kx < s->k_w; kx++, dw += pitch) {
            int32_t left;
            const int32_t right = outputs(kx, s->pad_left, s->stride_w, s->in_w, s->out_w, &left);
            if (top >= bottom || left >= right) {
                continue;
            }
            const sweep v = {bottom - top,        right - left,     s->stride_h * s->in_w * pitch,
                             s->stride_w * pitch, s->out_w * pitch, pitch};
            const float *a =
                x + ((top * s->stride_h - s->pad_top + ky) * s->in_w + left * s->stride_w - s->pad_left + kx) * pitch;
            const float *b = dy + (top * s->out_w + left) * pitch;
            int32_t c = 0;
            for (; c + 4 <= channels; c += 4) {
                lanes t = {0};
                sweep_sum(&t, 4, &v, v.count, a + c, b + c);
                el_row_add(4, scale, t.c0, t.c1, t.c2, t.c3, dw + c);
            }
            for (; c < channels; c++) {
                lanes t = {0};
                sweep_sum(&t, 1, &v, v.count, a + c, b + c);
                dw[c] += scale * t.c0;
            }
        }
    }
}
