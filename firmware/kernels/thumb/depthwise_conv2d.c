/* Depthwise convolution (multiplier 1) on eight channels at a time, see sweep.h. */
#include "el/kernels.h"

#include "fused.h"
#include "lanes.h"

void el_depthwise_conv2d_fwd_f32__thumb(const el_window *s, const float *x, const float *w, const float *b, float *y)
{
    el_sweep_forward(s, x, w, b, y);
}

void el_depthwise_conv2d_bwd_x_f32__thumb(const el_window *s, const float *dy, const float *w, float *dx)
{
    el_sweep_backward_x(s, dy, w, dx);
}

void el_depthwise_conv2d_bwd_w_f32__thumb(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    el_sweep_backward_w(s, scale, x, dy, dw);
}
