/* Convolution in floats by packed products, see product.h. */
#include "el/kernels.h"
#include "tile_f32.h"

#include "../product/product.h"

void el_conv2d_fwd_f32__xfvec(const el_window *s, const float *x, const float *w, const float *b, float *y,
                              void *scratch)
{
    el_product_forward(s, x, w, b, y, scratch);
}

void el_conv2d_bwd_x_f32__xfvec(const el_window *s, const float *dy, const float *w, float *dx, void *scratch)
{
    el_product_backward_x(s, dy, w, dx, scratch);
}

void el_conv2d_bwd_w_f32__xfvec(const el_window *s, float scale, const float *x, const float *dy, float *dw,
                                void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
