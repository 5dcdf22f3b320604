/* Layers that shift as sums over taps and, of each tap, a run of consecutive numbers of a map: convolution, depthwise
 * convolution and fully connected layer, forward and, as a gather, the gradient of x. */
#ifndef EL_SHIFT_VIEW_H
#define EL_SHIFT_VIEW_H

#include "el/ops.h"

#include "../inline.h"

/* Output `channel` of `group` at a position is a sum over taps and `run` numbers that begin at group * run of a
 * position of the operand; weight first(group, channel) + tap * tap_step + i * run_step belongs to number i. */
typedef struct {
    const el_window *s;
    int32_t backward; /* positions are those of x, operands dy */
    int32_t groups, channels, taps, run;
    int32_t group_step, channel_step, tap_step, run_step;
} el_view;

EL_INLINE el_view el_view_conv2d_fwd(const el_window *s)
{
    const int32_t ci = s->in_c / s->groups;
    const int32_t co = s->out_c / s->groups;
    const int32_t taps = s->k_h * s->k_w;
    return (el_view){s, 0, s->groups, co, taps, ci, co * taps * ci, taps * ci, ci, 1};
}

EL_INLINE el_view el_view_conv2d_bwd_x(const el_window *s)
{
    const int32_t ci = s->in_c / s->groups;
    const int32_t co = s->out_c / s->groups;
    const int32_t taps = s->k_h * s->k_w;
    return (el_view){s, 1, s->groups, ci, taps, co, co * taps * ci, 1, ci, taps * ci};
}

EL_INLINE el_view el_view_depthwise_fwd(const el_window *s)
{
    const int32_t copies = s->out_c / s->in_c;
    return (el_view){s, 0, s->in_c, copies, s->k_h * s->k_w, 1, copies, 1, s->out_c, 0};
}

EL_INLINE el_view el_view_depthwise_bwd_x(const el_window *s)
{
    const int32_t copies = s->out_c / s->in_c;
    return (el_view){s, 1, s->in_c, 1, s->k_h * s->k_w, copies, copies, 0, s->out_c, 1};
}

/* A vector is a map of one position. */
#define EL_ONE_POSITION(in, out)                                                                                       \
    {                                                                                                                  \
        1, 1, in, 1, 1, out, 1, 1, 1, 1, 0, 0, 1, 0, in, out                                                           \
    }

EL_INLINE el_view el_view_dense_fwd(const el_window *s)
{
    return (el_view){s, 0, 1, s->out_c, 1, s->in_c, 0, s->in_c, 0, 1};
}

EL_INLINE el_view el_view_dense_bwd_x(const el_window *s, int32_t pitch)
{
    return (el_view){s, 1, 1, s->in_c, 1, s->out_c, 0, 1, 0, pitch};
}

EL_INLINE int32_t el_view_terms(const el_view *v)
{
    return v->taps * v->run;
}

EL_INLINE int32_t el_view_positions(const el_view *v)
{
    return v->backward ? v->s->in_h * v->s->in_w : v->s->out_h * v->s->out_w;
}

/* Outputs of a position. */
EL_INLINE int32_t el_view_pitch(const el_view *v)
{
    return v->groups * v->channels;
}

/* Along one axis: where tap k of position p reads, -1 where that is outside of the operand. */
EL_INLINE int32_t el_view_along(int32_t backward, int32_t p, int32_t k, int32_t stride, int32_t pad, int32_t in,
                                int32_t out)
{
    if (!backward) {
        const int32_t at = p * stride - pad + k;
        return at < in ? at : -1;
    }
    const int32_t from = p + pad - k;
    if (stride == 1) {
        return from < out ? from : -1;
    }
    return from >= 0 && from % stride == 0 && from / stride < out ? from / stride : -1;
}

/* A position, and where the runs of its taps begin, of group 0; -1 in the padding. */
typedef struct {
    int32_t row, column;
    int32_t *at;
} el_place;

EL_INLINE void el_place_next(const el_view *v, el_place *place)
{
    if (++place->column == (v->backward ? v->s->in_w : v->s->out_w)) {
        place->column = 0;
        place->row++;
    }
}

EL_APART void el_view_runs(const el_view *v, const el_place *place)
{
    const el_window *s = v->s;
    const int32_t pitch = v->groups * v->run;
    const int32_t width = v->backward ? s->out_w : s->in_w;
    int32_t *at = place->at;
    for (int32_t k_row = 0; k_row < s->k_h; k_row++) {
        const int32_t y = el_view_along(v->backward, place->row, k_row, s->stride_h, s->pad_top, s->in_h, s->out_h);
        for (int32_t k_column = 0; k_column < s->k_w; k_column++) {
            const int32_t x =
                el_view_along(v->backward, place->column, k_column, s->stride_w, s->pad_left, s->in_w, s->out_w);
            *at++ = y < 0 || x < 0 ? -1 : (y * width + x) * pitch;
        }
    }
}

#endif
