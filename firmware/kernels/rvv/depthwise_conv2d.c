/* Depthwise convolution in 32-bit floats. */
#include "f32.h"
#include "vector.h"

enum { EL_SUM_TERMS = 128 };

#define el_sum el_v
#define el_sum_zero(n) el_set(0.0f, n)
#define el_sum_add(s, v, n) EL_VOP(vfadd_vv, EL_M)(s, v, n)
/* p[i] += scale * s[i] */
#define el_sum_into(p, scale, s, n) el_store(p, EL_VOP(vfmacc_vf, EL_M)(el_load(p, n), scale, s, n), n)

#include "runs.h"
