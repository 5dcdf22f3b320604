/* Convolution in 32-bit floats by packed products, see product.h: the gradient of w. */
#include "f32.h"

#define EL_ADD_TO(i, M) EL_VMEM(vse, M)(y, EL_VOP(vfmacc_vf, M)(EL_VMEM(vle, M)(y, vl), scale, c##i, vl), vl)
#include "weights.h"

void el_conv2d_bwd_w_f32__rvv(const el_window *s, float scale, const float *x, const float *dy, float *dw,
                              void *scratch)
{
    el_product_backward_w(s, scale, x, dy, dw, scratch);
}
