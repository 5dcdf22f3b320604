/* Depthwise convolution (multiplier 1) of halves, in floats: see strips_f16.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/strips_f16.h"

void el_depthwise_conv2d_fwd_f16__thumb_m4(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b,
                                           el_f16 *y, void *scratch)
{
    el_strips_forward(s, x, w, b, y, scratch);
}

void el_depthwise_conv2d_bwd_x_f16__thumb_m4(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx,
                                             void *scratch)
{
    el_strips_backward_x(s, dy, w, dx, scratch);
}

void el_depthwise_conv2d_bwd_w_f16__thumb_m4(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy,
                                             el_f16 *dw, void *scratch)
{
    el_strips_backward_w(s, scale, x, dy, dw, scratch);
}
