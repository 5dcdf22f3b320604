/* Vectors of 32-bit floats: see lanes.h. */
#ifndef EL_MVE_F32_H
#define EL_MVE_F32_H

#include "el/kernels.h"

#include <arm_mve.h>

typedef float el_t;
typedef float32x4_t el_v;
typedef float32x4_t el_sum;

enum { EL_LANES = 4, EL_SUM_TERMS = 128 };

#define EL_KERNEL(step) el_##step##_f32__mve
#define EL_MVE(name) name##_f32
#define EL_SOME vctp32q
#define EL_VLDR "vldrw.32"
#define EL_VSTR "vstrw.32"
#define EL_VFMA "vfma.f32"

#include "lanes.h"

EL_INLINE el_sum el_sum_zero(el_n n)
{
    return el_set(0.0f, n);
}

EL_INLINE el_sum el_sum_add(el_sum s, el_v v, el_n n)
{
    return el_add(s, v, n);
}

/* p[i] += scale * s[i] */
EL_INLINE void el_sum_into(el_t *p, float scale, el_sum s, el_n n)
{
    el_store(p, el_fma_scalar(el_load(p, n), s, scale, n), n);
}

#endif
