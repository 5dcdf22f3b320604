/* Convolution and the gradient of its input by packed products, see product.h. */
#include "el/kernels.h"

#include "positions.h"

#include "pack.h"

#include "../product/positions.h"

void el_conv2d_fwd_f32__rvf(const el_window *s, const float *x, const float *w, const float *b, float *y, void *scratch)
{
    el_product_forward(s, x, w, b, y, scratch);
}

void el_conv2d_bwd_x_f32__rvf(const el_window *s, const float *dy, const float *w, float *dx, void *scratch)
{
    el_product_backward_x(s, dy, w, dx, scratch);
}
