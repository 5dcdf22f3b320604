/* Depthwise convolution (multiplier 1) across channels, which are contiguous: any window and padding, strides 1 and 2.
 *
 * A strip of channels at a time: a patch of the map is packed into scratch, one vector behind the other with zeros for
 * the padding, so that the loops that compute need no test and no pointer for each tap. They run along one axis, the
 * one that four divides better, four outputs and three taps at a time: element i of the patch meets tap k and output j
 * where i = stride * j + k, so that each vector that was loaded is used up to three times:
 *   forward:       y[j] += x[i] * w[k]
 *   gradient of x: the same with dy for x and the taps backwards, once for each phase of the stride
 * The gradient of w, which packs patches likewise, is the instruction set's own.
 * edgelearn/kernels/vector.py knows the scratch. */
#ifndef EL_VECTOR_DEPTHWISE_CONV2D_H
#define EL_VECTOR_DEPTHWISE_CONV2D_H

#include "axis.h"

enum { EL_RUN = 4, EL_TAPS = 3, EL_PATCH = 448 /* vectors */ };

/* Outputs of a line as runs compute them: three are computed as four. */
EL_INLINE int32_t el_dw_round(int32_t outputs)
{
    return outputs % EL_RUN == EL_RUN - 1 ? outputs + 1 : outputs;
}

/* So many elements of the input are what that many outputs read. */
EL_INLINE int32_t el_dw_reach(el_axis a, int32_t outputs)
{
    return a.stride * (outputs - 1) + a.k;
}

/* Outputs along a and across it whose inputs, and with `dy` they too, are a patch. */
typedef struct {
    int32_t along, across;
} el_patch;

static el_patch el_dw_patch(el_axis a, el_axis b, int32_t dy)
{
    el_patch p = {el_dw_round(a.out), 0};
    if (el_dw_reach(a, p.along) * b.k + p.along * dy > EL_PATCH) {
        p.along = ((EL_PATCH - (a.k - a.stride) * b.k) / (a.stride * b.k + dy)) / EL_RUN * EL_RUN;
    }
    const int32_t line = el_dw_reach(a, p.along);
    p.across = el_min((EL_PATCH - line * (b.k - b.stride)) / (line * b.stride + p.along * dy), b.out);
    return p;
}

/* count vectors, `step` elements apart, one behind the other; n and full say which lanes there are */
EL_INLINE el_t *el_dw_copy(int32_t count, const el_t *from, int32_t step, el_t *to, el_n n, int full)
{
    if (full) {
        return el_gather(count, from, step, to);
    }
    for (; count > 0; count--, from += step, to += EL_LANES) {
        el_store(to, el_load(from, n), EL_ALL);
    }
    return to;
}

/* So many vectors of zeros; not `anew`: they are there from the strip before. */
EL_INLINE el_t *el_dw_zeros(int32_t count, el_t *to, int anew)
{
    if (anew) {
        for (int32_t i = 0; i < count; i++) {
            el_store(to + i * EL_LANES, el_set(0.0f, EL_ALL), EL_ALL);
        }
    }
    return to + count * EL_LANES;
}

/* Elements [i, i + length) of each of the lines [j, j + lines), zeros outside the map. */
__attribute__((noinline)) static el_t *el_dw_pack(int32_t i, int32_t length, int32_t in_a, int32_t step_a, int32_t j,
                                                  int32_t lines, int32_t in_b, int32_t step_b, const el_t *x, el_t *to,
                                                  el_n n, int full, int anew)
{
    const int32_t lead = el_min(el_max(-i, 0), length);
    const int32_t inside = el_max(el_min(length, in_a - i) - lead, 0);
    x += j * step_b + (i + lead) * step_a;
    for (; lines > 0; lines--, j++, x += step_b) {
        if (j < 0 || j >= in_b) {
            to = el_dw_zeros(length, to, anew);
        } else if (anew) {
            to = el_dw_zeros(lead, to, 1);
            to = el_dw_copy(inside, x, step_a, to, n, full);
            to = el_dw_zeros(length - lead - inside, to, 1);
        } else {
            el_dw_copy(inside, x, step_a, to + lead * EL_LANES, n, full);
            to += length * EL_LANES;
        }
    }
    return to;
}

/* acc + v * (factor number `index`), or acc if there is none; index is a constant once inlined */
EL_INLINE el_v el_dw_pick(el_v acc, el_v v, int index, int factors, el_v f0, el_v f1, el_v f2, el_v f3)
{
    if (index < 0 || index >= factors) {
        return acc;
    }
    return el_fma_packed(acc, v, index == 0 ? f0 : index == 1 ? f1 : index == 2 ? f2 : f3);
}

/* Each i that a group of taps may read; those it does not are no code. */
#define EL_DW_EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

/* y[j] += x[i] * w[k] for j < run and a group of `taps` taps, 3 or 1 */
#define EL_DW_FORWARD(i)                                                                                               \
    if ((i) < (run - 1) * stride + taps) {                                                                             \
        const el_v t = el_load_packed(p, i);                                                                           \
        a0 = el_dw_pick(a0, t, (i), taps, w0, w1, w2, w2);                                                             \
        if (run > 1) {                                                                                                 \
            a1 = el_dw_pick(a1, t, (i)-stride, taps, w0, w1, w2, w2);                                                  \
            a2 = el_dw_pick(a2, t, (i)-2 * stride, taps, w0, w1, w2, w2);                                              \
            a3 = el_dw_pick(a3, t, (i)-3 * stride, taps, w0, w1, w2, w2);                                              \
        }                                                                                                              \
    }

/* Taps whose packed weights begin with vector number `first`. */
#define EL_DW_GROUP(TAPS, first)                                                                                       \
    do {                                                                                                               \
        const int taps = (TAPS);                                                                                       \
        const el_v w0 = el_load_packed(f, (first));                                                                    \
        const el_v w1 = taps > 1 ? el_load_packed(f, (first) + 1) : w0;                                                \
        const el_v w2 = taps > 2 ? el_load_packed(f, (first) + 2) : w0;                                                \
        EL_DW_EACH(EL_DW_FORWARD)                                                                                      \
    } while (0)

/* Where a line's taps and outputs are: vectors of the bias and of w, elements from one packed line to the next. */
typedef struct {
    const el_t *w;
    int32_t taps, rows, line;
    int32_t x_step, y_line, y_step; /* from one line of outputs, and from one output, to the next */
} el_line;

#define EL_DW_STORE(n)                                                                                                 \
    do {                                                                                                               \
        el_store(y, a0, n);                                                                                            \
        if (run > 1) {                                                                                                 \
            y += v->y_step;                                                                                            \
            el_store(y, a1, n);                                                                                        \
            y += v->y_step;                                                                                            \
            el_store(y, a2, n);                                                                                        \
            if (outputs > 3) {                                                                                         \
                el_store(y + v->y_step, a3, n);                                                                        \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* Outputs 0 .. run - 1, of which the last may not be wanted. `three`: 3 x 3 taps of a
 * full strip. */
EL_INLINE void el_dw_run(int run, int stride, int three, int32_t outputs, const el_line *v, const el_t *x, el_t *y,
                         el_n n, int full)
{
    const int32_t line = v->line;
    const el_t *p = x;
    const el_t *f = v->w;
    el_v a0 = el_load_packed(f, 0);
    el_v a1 = run > 1 ? el_load_packed(f, 0) : a0;
    el_v a2 = run > 1 ? el_load_packed(f, 0) : a0;
    el_v a3 = run > 1 ? el_load_packed(f, 0) : a0;
    if (three) {
        EL_DW_GROUP(3, 1);
        p += line;
        EL_DW_GROUP(3, 4);
        p += line;
        EL_DW_GROUP(3, 7);
    } else {
        f += EL_LANES;
        for (int32_t row = v->rows; row > 0; row--) {
            x = p;
            int32_t left = v->taps;
            for (; left >= EL_TAPS; left -= EL_TAPS, p += EL_TAPS * EL_LANES, f += EL_TAPS * EL_LANES) {
                EL_DW_GROUP(3, 0);
            }
            if (left == 2) {
                EL_DW_GROUP(2, 0);
            } else if (left == 1) {
                EL_DW_GROUP(1, 0);
            }
            f += left * EL_LANES;
            p = x + line;
        }
    }
    if (full) {
        EL_DW_STORE(EL_ALL);
    } else {
        EL_DW_STORE(n);
    }
}

EL_INLINE void el_dw_lines(int stride, int three, int32_t lines, int32_t outputs, el_line v, const el_t *x, el_t *y,
                           el_n n, int full)
{
    for (; lines > 0; lines--, x += v.x_step, y += v.y_line) {
        const el_t *p = x;
        el_t *to = y;
        int32_t left = outputs;
        for (; left >= EL_RUN - 1; left -= EL_RUN, p += EL_RUN * stride * EL_LANES, to += EL_RUN * v.y_step) {
            el_dw_run(EL_RUN, stride, three, left, &v, p, to, n, full);
        }
        for (; left > 0; left--, p += stride * EL_LANES, to += v.y_step) {
            el_dw_run(1, stride, three, 1, &v, p, to, n, full);
        }
    }
}

/* Lines of outputs. */
__attribute__((noinline)) static void el_dw_outputs(int32_t stride, int32_t lines, int32_t outputs, const el_line *v,
                                                    const el_t *x, el_t *y, el_n n, int full)
{
    const int three = full && v->taps == 3 && v->rows == 3;
    if (stride == 1 && three) {
        el_dw_lines(1, 1, lines, outputs, *v, x, y, EL_ALL, 1);
    } else if (stride == 1) {
        el_dw_lines(1, 0, lines, outputs, *v, x, y, n, full);
    } else if (three) {
        el_dw_lines(2, 1, lines, outputs, *v, x, y, EL_ALL, 1);
    } else {
        el_dw_lines(2, 0, lines, outputs, *v, x, y, n, full);
    }
}

/* Every output of y, in lines along a. */
static void el_dw_map(el_axis a, el_axis b, int32_t channels, const el_t *x, const el_t *w, const el_t *bias, el_t *y,
                      el_t *scratch)
{
    const el_patch cut = el_dw_patch(a, b, 0);
    const int32_t length = el_dw_reach(a, el_dw_round(el_min(cut.along, a.out)));
    const int many = cut.along < a.out || cut.across < b.out;
    el_t *const patch = scratch + (1 + a.k * b.k) * EL_LANES;
    const el_line v = {scratch, a.k, b.k, length * EL_LANES, b.stride * length * EL_LANES, b.y, a.y};
    for (int32_t c = 0; c < channels; c += EL_LANES, x += EL_LANES, w += EL_LANES, y += EL_LANES) {
        const el_n n = el_some(channels - c);
        const int full = channels - c >= EL_LANES;
        el_store(scratch, bias != 0 ? el_load(bias + c, n) : el_set(0.0f, EL_ALL), EL_ALL);
        for (int32_t k = 0; k < b.k; k++) {
            el_dw_copy(a.k, w + k * b.w, a.w, scratch + (1 + k * a.k) * EL_LANES, n, full);
        }
        for (int32_t ob = 0; ob < b.out; ob += cut.across) {
            const int32_t across = el_min(cut.across, b.out - ob);
            for (int32_t oa = 0; oa < a.out; oa += cut.along) {
                el_dw_pack(oa * a.stride - a.pad, length, a.in, a.x, ob * b.stride - b.pad, el_dw_reach(b, across),
                           b.in, b.x, x, patch, n, full, c == 0 || many);
                el_dw_outputs(a.stride, across, el_min(cut.along, a.out - oa), &v, patch, y + ob * b.y + oa * a.y, n,
                              full);
            }
        }
    }
}

/* Whether lines fit b better than a: by what their last runs compute in vain, a single output being half a run. */
EL_INLINE int el_dw_turned(int32_t a, int32_t b)
{
    return (b / EL_RUN * 2 + b % EL_RUN) * a < (a / EL_RUN * 2 + a % EL_RUN) * b;
}

static void el_dw_turn(el_axis a, el_axis b, int32_t channels, const el_t *x, const el_t *w, const el_t *bias, el_t *y,
                       el_t *scratch)
{
    if (el_dw_turned(a.out, b.out)) {
        el_dw_map(b, a, channels, x, w, bias, y, scratch);
    } else {
        el_dw_map(a, b, channels, x, w, bias, y, scratch);
    }
}

void EL_KERNEL(depthwise_conv2d_fwd)(const el_window *s, const el_t *x, const el_t *w, const el_t *b, el_t *y,
                                     void *scratch)
{
    el_dw_turn(el_dw_right(s), el_dw_down(s), s->in_c, x, w, b, y, scratch);
}

void EL_KERNEL(depthwise_conv2d_bwd_x)(const el_window *s, const el_t *dy, const el_t *w, el_t *dx, void *scratch)
{
    const el_axis down = el_dw_down(s);
    const el_axis right = el_dw_right(s);
    for (int32_t i = 0; i < el_min(s->stride_h, s->in_h); i++) {
        const el_phase a = el_dw_phase(i, down);
        for (int32_t j = 0; j < el_min(s->stride_w, s->in_w); j++) {
            const el_phase b = el_dw_phase(j, right);
            el_dw_turn(b.axis, a.axis, s->in_c, dy, w + a.w + b.w, 0, dx + a.x + b.x, scratch);
        }
    }
}

#endif
