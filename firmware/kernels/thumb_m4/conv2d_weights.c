/* The gradient of a convolution's weights by packed products, see product.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/tile.h"

#include "../thumb/pack.h"

#include "../product/weights.h"

void el_conv2d_bwd_w_f32__thumb_m4(const el_window *s, float scale, const float *x, const float *dy, float *dw,
                                   void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
