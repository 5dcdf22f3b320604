/* The gradient of a convolution's weights where all are halves, in floats: see product/sums.h. */
#include "el/kernels.h"

#include "halves.h"
#include "square.h"

#include "pack_f16.h"

#include "../product/weights.h"

void el_conv2d_bwd_w_f16__thumb(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                                void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
