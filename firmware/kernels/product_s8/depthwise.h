/* Depthwise convolution of int8 maps, four channels at a time: any stride and padding, kernels of up to EL_LINES_MOST
 * lines. Written once over what an instruction set brings:
 *
 *     el_quad_s8      four channels in 16 bits each
 *     el_quad_s8_of(from, x_zero): of four bytes, the zero point taken off
 *     el_twice_s8_of(from): of four weights, twice as large
 *     el_taps_s8(sums, v, w, count): adds as many taps, three if it is 0; the weights behind them
 *     el_rescale_quad_s8(factors, sums, y): four bytes of twice the sums, the short way
 *
 * Scratch holds the weights of four channels, and as many lines of the map as the kernel has, widened to 16 bits and
 * without the zero point, each line once: what is outside the map is zero in it, and no position is an edge. Lines run
 * along the map's longer side. Of five channels, say, the last four are computed once more. */
#ifndef EL_DEPTHWISE_S8_H
#define EL_DEPTHWISE_S8_H

#include "direction.h"
#include "quad.h"

enum { EL_LINES_MOST = 16 };

/* Line `line` of the map from position -pad on, `width` positions. */
EL_APART void el_widen_line_s8(const el_direction *along, const el_direction *across, int32_t width, int32_t x_zero,
                               const int8_t *x, int32_t line, el_quad_s8 *to)
{
    const el_quad_s8 zeros = {0};
    const int outside = line < 0 || line >= across->in;
    const int32_t before = outside ? width : el_min(along->pad, width);
    const int32_t inside = el_min(along->in, width - before);
    const int32_t step = along->x_step;
    const el_quad_s8 *end = to + width;
    for (const el_quad_s8 *first = to + before; to != first;) {
        *to++ = zeros;
    }
    x += line * across->x_step;
    for (int32_t n = inside; n > 0; n--, x += step) {
        *to++ = el_quad_s8_of(x, x_zero);
    }
    while (to != end) {
        *to++ = zeros;
    }
}

static el_factors_s8 el_factors_s8_of(const el_layer_s8 *l, int32_t first)
{
    el_factors_s8 f = {.quick = l->small && el_whole_s8(l)};
    for (int32_t j = 0; j < EL_QUAD; j++) {
        f.quick &= el_factor_s8_of(l, first + j, &f.of[j]);
    }
    for (int32_t j = 0; j < EL_QUAD; j++) {
        f.start[j] = el_start_s8(l, first + j) * (f.quick ? 2 : 1);
    }
    return f;
}

/* One line of outputs; lines[k] is line k of the kernel. Kernels of 3 x 3 have their loops unrolled. */
EL_INLINE void el_outputs_s8(const el_direction *along, const int three, int32_t k, const el_factors_s8 *f,
                             const el_layer_s8 *l, int32_t first, const el_quad_s8 *weights,
                             const el_quad_s8 *const *lines, int8_t *y)
{
    int32_t at = 0;
    for (int32_t n = along->out; n > 0; n--, at += along->stride, y += along->y_step) {
        el_four_s8 s = {f->start[0], f->start[1], f->start[2], f->start[3]};
        const el_quad_s8 *w = weights;
        for (int32_t i = 0; i < (three ? 3 : k); i++) {
            w = el_taps_s8(&s, lines[i] + at, w, three ? 0 : along->k);
        }
        if (f->quick) {
            el_rescale_quad_s8(f, &s, y);
            continue;
        }
        const int32_t sums[EL_QUAD] = {s.s0, s.s1, s.s2, s.s3};
        for (int32_t j = 0; j < EL_QUAD; j++) {
            el_rescale_any_s8(l, first + j, 1, sums + j, y + j);
        }
    }
}

EL_APART void el_outputs_three_s8(const el_direction *along, const el_factors_s8 *f, const el_layer_s8 *l,
                                  int32_t first, const el_quad_s8 *weights, const el_quad_s8 *const *lines, int8_t *y)
{
    el_outputs_s8(along, 1, 3, f, l, first, weights, lines, y);
}

EL_APART void el_outputs_any_s8(const el_direction *along, int32_t k, const el_factors_s8 *f, const el_layer_s8 *l,
                                int32_t first, const el_quad_s8 *weights, const el_quad_s8 *const *lines, int8_t *y)
{
    el_outputs_s8(along, 0, k, f, l, first, weights, lines, y);
}

static void el_channels_of_map_s8(const el_directions *d, const el_layer_s8 *l, const int8_t *x, int32_t first,
                                  int8_t *y, el_quad_s8 *weights)
{
    const el_direction *along = &d->along;
    const el_direction *across = &d->across;
    const int32_t width = el_width_s8(along);
    const el_quad_s8 *lines[EL_LINES_MOST];
    const el_factors_s8 f = el_factors_s8_of(l, first);
    el_quad_s8 *ring = weights;
    for (int32_t i = 0; i < across->k; i++) {
        for (int32_t j = 0; j < along->k; j++) {
            const int8_t *from = l->w + i * across->w_step + j * along->w_step + first;
            *ring++ = f.quick ? el_twice_s8_of(from) : el_quad_s8_of(from, 0);
        }
    }
    int32_t next = -across->pad; /* the first line that is not in the ring */
    int32_t slot = 0;            /* of line `at` */
    for (int32_t o = 0; o < across->out; o++, y += across->y_step) {
        const int32_t at = o * across->stride - across->pad;
        for (int32_t i = 0; i < across->k; i++) {
            el_quad_s8 *own = ring + width * (slot + i < across->k ? slot + i : slot + i - across->k);
            lines[i] = own;
            if (at + i >= next) {
                el_widen_line_s8(along, across, width, l->x_zero, x + first, at + i, own);
            }
        }
        next = at + across->k;
        slot = (slot + across->stride) % across->k;
        if (along->k == 3 && across->k == 3) {
            el_outputs_three_s8(along, &f, l, first, weights, lines, y + first);
        } else {
            el_outputs_any_s8(along, across->k, &f, l, first, weights, lines, y + first);
        }
    }
}

/* The kernel of an instruction set. */
#define EL_DEPTHWISE_KERNEL_S8(ISA)                                                                                    \
    void el_depthwise_conv2d_fwd_s8__##ISA(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min,            \
                                           int32_t max, const int8_t *x, const int8_t *w, const int32_t *b,            \
                                           const int32_t *multiplier, const int32_t *shift, int8_t *y, void *scratch)  \
    {                                                                                                                  \
        el_layer_s8 l = {s->k_h * s->k_w, s->out_c, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};       \
        l.small = el_small_s8(&l, s->out_c);                                                                           \
        const el_directions d = el_directions_of(s);                                                                   \
        for (int32_t c = 0; c < s->in_c; c += EL_QUAD) {                                                               \
            el_channels_of_map_s8(&d, &l, x, el_min(c, s->in_c - EL_QUAD), y, scratch);                                \
        }                                                                                                              \
    }

#endif
