/* Fully connected layers in 32-bit floats. */
#include "f32.h"

EL_INLINE vfloat32m8_t el_factor(vfloat32m8_t v, float scale, size_t n)
{
    return __riscv_vfmul_vf_f32m8(v, scale, n);
}

#include "dense.h"

void el_dense_bwd_w_f32__rvv(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
    el_outer(in, out, scale, x, dy, dw);
}
