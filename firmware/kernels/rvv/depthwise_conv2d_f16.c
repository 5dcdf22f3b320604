/* Depthwise convolution in halves. The terms of an output are few; the gradient of w is summed in floats. */
#include "f16.h"
#include "vector.h"

typedef vfloat32m8_t el_sum;

EL_INLINE el_sum el_sum_zero(el_n n)
{
    return __riscv_vfmv_v_f_f32m8(0.0f, n);
}

EL_INLINE el_sum el_sum_add(el_sum s, el_v v, el_n n)
{
    return __riscv_vfwadd_wv_f32m8(s, v, n);
}

/* p[i] += scale * s[i], rounded once */
EL_INLINE void el_sum_into(el_t *p, float scale, el_sum s, el_n n)
{
    const el_sum old = __riscv_vfwcvt_f_f_v_f32m8(el_load(p, n), n);
    el_store(p, __riscv_vfncvt_f_f_w_f16m4(__riscv_vfmacc_vf_f32m8(old, scale, s, n), n), n);
}

#include "runs.h"
