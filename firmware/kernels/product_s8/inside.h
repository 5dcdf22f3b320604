/* The part of a pool's window that lies inside the map. */
#ifndef EL_INSIDE_S8_H
#define EL_INSIDE_S8_H

#include "layer.h"

/* Its first position, and how many rows and columns. */
typedef struct {
    const int8_t *from;
    int32_t rows, columns;
} el_inside;

/* Of output position `o`. */
EL_INLINE el_inside el_inside_of(const el_window *s, const int8_t *x, int32_t o)
{
    const int32_t iy = o / s->out_w * s->stride_h - s->pad_top;
    const int32_t ix = o % s->out_w * s->stride_w - s->pad_left;
    const int32_t top = el_max(iy, 0);
    const int32_t left = el_max(ix, 0);
    return (el_inside){x + (top * s->in_w + left) * s->in_c, el_min(iy + s->k_h, s->in_h) - top,
                       el_min(ix + s->k_w, s->in_w) - left};
}

#endif
