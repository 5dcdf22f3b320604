/* The gradient of a convolution's weights in halves by packed products, see product.h. */
#include "el/kernels.h"

#include "weights.h"

#include "../product/weights.h"

void el_conv2d_bwd_w_f16__xfvec(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                                void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
