/* Fully connected layers in halves: all sums are floats, by multiply-adds that widen. */
#include "f16.h"

EL_INLINE vfloat16m8_t el_factor(vfloat16m8_t v, float scale, size_t n)
{
    (void)scale, (void)n;
    return v;
}

#include "dense.h"

/* A fused product and sum of halves is rounded once. Where there is a scale it is one of floats: scale * dy may be too
 * small for a half. */
void el_dense_bwd_w_f16__rvv(int32_t in, int32_t out, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw)
{
    if (scale == 1.0f) {
        el_outer(in, out, 1.0f, x, dy, dw);
        return;
    }
    size_t n;
    for (int32_t i = 0; i < in; i += (int32_t)n) {
        n = EL_VL(EL_WIDE, in - i);
        const el_floats v = el_read(x + i, n);
        el_f16 *p = dw + i;
        for (int32_t o = 0; o < out; o++, p += in) {
            el_add_to(p, scale * (float)dy[o], v, n);
        }
    }
}
