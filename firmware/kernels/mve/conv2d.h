/* Convolution by packed products, see product.h: in lines where neighbours share taps. */
#ifndef EL_MVE_CONV2D_H
#define EL_MVE_CONV2D_H

#include "../product/positions.h"

#include "lines.h"
#include "weights.h"

void EL_KERNEL(conv2d_fwd)(const el_window *s, const el_t *x, const el_t *w, const el_t *b, el_t *y, void *scratch)
{
    if (el_is_line(s)) {
        el_line_forward(s, x, w, b, y, scratch);
    } else {
        el_product_forward(s, x, w, b, y, scratch);
    }
}

void EL_KERNEL(conv2d_bwd_x)(const el_window *s, const el_t *dy, const el_t *w, el_t *dx, void *scratch)
{
    if (el_is_line(s)) {
        el_line_backward_x(s, dy, w, dx, scratch);
    } else {
        el_product_backward_x(s, dy, w, dx, scratch);
    }
}

void EL_KERNEL(conv2d_bwd_w)(const el_window *s, float scale, const el_t *x, const el_t *dy, el_t *dw, void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}

#endif
