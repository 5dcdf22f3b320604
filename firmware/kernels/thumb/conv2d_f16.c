/* Convolution of halves and the gradient of its input, in floats: see product/sums.h. */
#include "el/kernels.h"

#include "fused.h"
#include "positions_f16.h"

void el_conv2d_fwd_f16__thumb(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y,
                              void *scratch)
{
    el_product_forward(s, x, w, b, y, scratch);
}

void el_conv2d_bwd_x_f16__thumb(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx, void *scratch)
{
    el_product_backward_x(s, dy, w, dx, scratch);
}
