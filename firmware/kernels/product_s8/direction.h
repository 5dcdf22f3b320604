/* The two directions of a depthwise convolution's map: lines run along the one with more outputs. */
#ifndef EL_DIRECTION_S8_H
#define EL_DIRECTION_S8_H

#include "layer.h"

/* Steps are elements from one tap, position or output to the next. */
typedef struct {
    int32_t in, out, k, stride, pad, x_step, y_step, w_step;
} el_direction;

typedef struct {
    el_direction along, across;
} el_directions;

EL_INLINE el_directions el_directions_of(const el_window *s)
{
    const int32_t c = s->in_pitch; /* one output for each input: that of y is the same */
    const int32_t row = s->in_w * c;
    const int32_t out_row = s->out_w * c;
    const el_direction h = {s->in_h, s->out_h, s->k_h, s->stride_h, s->pad_top, row, out_row, s->k_w * c};
    const el_direction w = {s->in_w, s->out_w, s->k_w, s->stride_w, s->pad_left, c, c, c};
    return s->out_h > s->out_w ? (el_directions){h, w} : (el_directions){w, h};
}

/* Positions that a line of outputs reads, padding included. */
EL_INLINE int32_t el_width_s8(const el_direction *along)
{
    return (along->out - 1) * along->stride + along->k;
}

#endif
