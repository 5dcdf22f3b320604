/* The axes of a depthwise convolution (multiplier 1), of which all three steps take one for the other. */
#ifndef EL_VECTOR_AXIS_H
#define EL_VECTOR_AXIS_H

#include "el/ops.h"

#include "../inline.h"

/* One axis: sizes, and elements from one position of x (w, y) to the next. Outputs read i = stride * j - pad + k. */
typedef struct {
    int32_t in, out, k, stride, pad;
    int32_t x, w, y;
} el_axis;

EL_INLINE el_axis el_dw_right(const el_window *s)
{
    return (el_axis){s->in_w, s->out_w, s->k_w, s->stride_w, s->pad_left, s->in_pitch, s->out_pitch, s->out_pitch};
}

EL_INLINE el_axis el_dw_down(const el_window *s)
{
    const int32_t x = s->in_w * s->in_pitch;
    const int32_t w = s->k_w * s->out_pitch;
    return (el_axis){s->in_h, s->out_h, s->k_h, s->stride_h, s->pad_top, x, w, s->out_w * s->out_pitch};
}

/* One phase of an axis of the input's gradient: positions `phase`, phase + stride, ... of x meet taps tap, tap +
 * stride, ..., the last of which comes first, on consecutive outputs. */
typedef struct {
    el_axis axis;
    int32_t x, w; /* where the phase begins in dx, and its last tap in w */
} el_phase;

EL_INLINE el_phase el_dw_phase(int32_t phase, el_axis a)
{
    const int32_t tap = (phase + a.pad) % a.stride;
    const int32_t taps = tap < a.k ? (a.k - 1 - tap) / a.stride + 1 : 0;
    const int32_t at = (phase + a.pad) / a.stride; /* the output that the first tap meets */
    return (el_phase){
        {a.out, (a.in - phase + a.stride - 1) / a.stride, taps, 1, taps - 1 - at, a.y, -a.stride * a.w, a.stride * a.x},
        phase * a.x,
        (tap + (taps - 1) * a.stride) * a.w,
    };
}

#endif
