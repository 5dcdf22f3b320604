/* Depthwise convolution (multiplier 1) across channels, which are contiguous: any window and padding, strides 1 and 2.
 *
 * All three steps run along one axis of the map, four outputs of it and three taps at a time: element i of the input
 * meets tap k and output j where i = stride * j + k, so that each vector loaded is used up to three times:
 *   forward:       y[j] += x[i] * w[k]
 *   gradient of x: the same with dy for x and the taps backwards, once for each phase of the stride
 *   gradient of w: dw[k] += x[i] * dy[j]
 * The run goes along the axis that four divides better. Blocks that touch the padding test each i, others do not. */
#ifndef EL_RVV_RUNS_H
#define EL_RVV_RUNS_H

#include "../vector/axis.h"

enum { EL_RUN = 4, EL_TAPS = 3 };

/* A run of up to four outputs: taps across it, and, a bit each, which i along it lie inside the map. */
typedef struct {
    const el_t *x, *w, *bias;
    el_t *y;
    int32_t rows, x_row, w_row;
    int32_t x_step, w_step, y_step;
    int32_t taps, stride;
    int32_t outputs;
    uint32_t inside;
} el_run;

/* Bits first .. last - 1 */
EL_INLINE uint32_t el_dw_bits(int32_t first, int32_t last)
{
    const int32_t from = el_max(first, 0);
    return last > from ? (0xFFFFFFFFu >> (32 - (last - from))) << from : 0u;
}

/* Whether runs fit b better than a: outputs rounded up to whole runs, relative to how many there are. */
EL_INLINE int el_dw_turned(int32_t a, int32_t b)
{
    const int32_t whole_a = (a + EL_RUN - 1) / EL_RUN * EL_RUN;
    const int32_t whole_b = (b + EL_RUN - 1) / EL_RUN * EL_RUN;
    return whole_b * a < whole_a * b;
}

/* The gradient of up to three taps along a run, at one tap across it: dy has `rows` runs of `out`, in blocks. Block
 * j0 reads i from stride * j0 - pad on; those in [lead, full) are whole, with all they read inside [0, in). */
typedef struct {
    const el_t *x, *dy;
    el_t *dw;
    float scale;
    int32_t rows, x_row, y_row;
    int32_t x_step, w_step, y_step;
    int32_t in, out, stride, pad;
    int32_t lead, full;
} el_taps;

/* The output whose first tap reads i, or -1. */
EL_INLINE int el_dw_output(int i, int stride)
{
    return i >= 0 && i % stride == 0 ? i / stride : -1;
}

/* Everything for each size of groups, and the call for so many channels. */
#define EL_M m1
#include "run.h"
#undef EL_M
#define EL_M m2
#include "run.h"
#undef EL_M
#define EL_M m4
#include "run.h"
#undef EL_M

#define EL_BY_GROUP(channels, name, ...)                                                                               \
    do {                                                                                                               \
        if ((channels) <= EL_VLMAX(m1)) {                                                                              \
            name##_m1(__VA_ARGS__);                                                                                    \
        } else if ((channels) <= EL_VLMAX(m2)) {                                                                       \
            name##_m2(__VA_ARGS__);                                                                                    \
        } else {                                                                                                       \
            name##_m4(__VA_ARGS__);                                                                                    \
        }                                                                                                              \
    } while (0)

void EL_KERNEL(depthwise_conv2d_fwd)(const el_window *s, const el_t *x, const el_t *w, const el_t *b, el_t *y)
{
    EL_BY_GROUP(s->in_c, el_dw_turn, el_dw_right(s), el_dw_down(s), s->in_c, x, w, b, y);
}

void EL_KERNEL(depthwise_conv2d_bwd_x)(const el_window *s, const el_t *dy, const el_t *w, el_t *dx)
{
    const el_axis down = el_dw_down(s);
    const el_axis right = el_dw_right(s);
    for (int32_t i = 0; i < el_min(s->stride_h, s->in_h); i++) {
        const el_phase a = el_dw_phase(i, down);
        for (int32_t j = 0; j < el_min(s->stride_w, s->in_w); j++) {
            const el_phase b = el_dw_phase(j, right);
            EL_BY_GROUP(s->in_c, el_dw_turn, b.axis, a.axis, s->in_c, dy, w + a.w + b.w, 0, dx + a.x + b.x);
        }
    }
}

void EL_KERNEL(depthwise_conv2d_bwd_w)(const el_window *s, float scale, const el_t *x, const el_t *dy, el_t *dw)
{
    const int turned = el_dw_turned(s->out_w, s->out_h);
    const el_axis a = turned ? el_dw_down(s) : el_dw_right(s);
    const el_axis b = turned ? el_dw_right(s) : el_dw_down(s);
    for (int32_t row = 0; row < b.k; row++) {
        for (int32_t from = 0; from < a.k;) {
            const int32_t taps = a.k - from >= EL_TAPS ? EL_TAPS : 1;
            EL_BY_GROUP(s->in_c, el_dw_taps, a, b, row, from, taps, s->in_c, scale, x, dy, dw);
            from += taps;
        }
    }
}

#endif
