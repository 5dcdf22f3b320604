/* Convolution in halves by packed products, see product.h: forward and the gradient of x. A block's terms, 72 at most,
 * are summed in halves, from zero on, and then added to what is there. */
#include "f16.h"

#define EL_MOST_TERMS 72
#define EL_FROM_LAST
#include "positions.h"

#include "planes.h"

void el_conv2d_fwd_f16__rvv(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y,
                            void *scratch)
{
    if (!el_forward_in_planes(s, x, w, b, y, scratch)) {
        el_product_forward(s, x, w, b, y, scratch);
    }
}

void el_conv2d_bwd_x_f16__rvv(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx, void *scratch)
{
    if (!el_backward_x_in_planes(s, dy, w, dx, scratch)) {
        el_product_backward_x(s, dy, w, dx, scratch);
    }
}
