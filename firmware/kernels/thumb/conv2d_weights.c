/* The gradient of a convolution's weights by packed products, see product.h. */
#include "el/kernels.h"

#include "square.h"

#include "pack.h"

#include "../product/weights.h"

void el_conv2d_bwd_w_f32__thumb(const el_window *s, float scale, const float *x, const float *dy, float *dw,
                                void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
