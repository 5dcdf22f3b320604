/* Depthwise convolution in 32-bit floats. */
#include "f32.h"
#include "vector.h"

typedef el_v el_sum;
enum { EL_SUM_TERMS = 128 };

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

#include "runs.h"
