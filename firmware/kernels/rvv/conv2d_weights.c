/* Convolution in 32-bit floats: the gradient of w. */
#include "f32.h"

/* Floats sum all there is. */
#define EL_LONGEST INT32_MAX
#define EL_START(H, M) ((void)0)
#define EL_ADD(i, M)                                                                                                   \
    v = EL_VOP(vfmacc_vf, M)(EL_VMEM(vle, M)(y, vl), scale, c##i, vl), EL_VMEM(vse, M)(y, v, vl), y += ldy;
#define EL_ADD_APART(i, M)                                                                                             \
    v = EL_VOP(vfmacc_vf, M)(EL_VMEM(vlse, M)(y, bytes, vl), scale, c##i, vl), EL_VMEM(vsse, M)(y, bytes, v, vl),      \
    y += ldy;
#define EL_END(H, M, done)                                                                                             \
    (void)(done);                                                                                                      \
    const int32_t ldy = t->ldy;                                                                                        \
    const ptrdiff_t bytes = t->apart * (ptrdiff_t)sizeof(el_t);                                                        \
    const float scale = t->scale;                                                                                      \
    if (t->apart == 1) {                                                                                               \
        EL_ROWS##H(EL_ADD, M)                                                                                          \
    } else {                                                                                                           \
        EL_ROWS##H(EL_ADD_APART, M)                                                                                    \
    }
#include "weights.h"

void el_conv2d_bwd_w_f32__rvv(const el_window *s, float scale, const float *x, const float *dy, float *dw)
{
    el_product_weights(s, scale, x, dy, dw, 0);
}
