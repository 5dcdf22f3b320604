/* Convolution in 32-bit floats by packed products, see product.h: forward and the gradient of x. */
#include "f32.h"
#include "positions.h"

void el_conv2d_fwd_f32__rvv(const el_window *s, const float *x, const float *w, const float *b, float *y, void *scratch)
{
    el_product_forward(s, x, w, b, y, scratch);
}

void el_conv2d_bwd_x_f32__rvv(const el_window *s, const float *dy, const float *w, float *dx, void *scratch)
{
    el_product_backward_x(s, dy, w, dx, scratch);
}
