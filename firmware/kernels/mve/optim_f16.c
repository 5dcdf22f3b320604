/* The update by gradients in halves, and whether they are finite. What is rounded at random is the reference's. */
#include "f16.h"

enum { EXPONENT = 0x7C00 }; /* all of it set: infinite or no number */

/* The exponents of a vector, the largest of which says it. */
EL_INLINE uint16x8_t el_exponents(const el_f16 *g, el_n n)
{
    return vandq_u16(vreinterpretq_u16_f16(el_load(g, n)), vdupq_n_u16(EXPONENT));
}

void el_finite_step_f16__mve(int32_t count, const el_f16 *g, float *scaling)
{
    uint16x8_t most = vdupq_n_u16(0);
    int32_t left = count;
    for (; left >= EL_LANES; left -= EL_LANES, g += EL_LANES) {
        most = vmaxq_u16(most, el_exponents(g, EL_ALL));
    }
    if (left > 0) {
        most = vmaxq_u16(most, el_exponents(g, el_some(left)));
    }
    if (vmaxvq_u16(0, most) == EXPONENT) {
        scaling[EL_OVERFLOW] = 1.0f;
    }
}

EL_INLINE float32x4_t el_descend(float lr, float scale, float decay, float32x4_t g, float32x4_t w)
{
    return vfmaq_n_f32(w, vfmaq_n_f32(vmulq_n_f32(g, scale), w, decay), -lr);
}

EL_INLINE void el_sgd_strip(int32_t at, el_n n, float lr, float scale, float decay, const el_f16 *g, el_f16 *w)
{
    const el_sum d = el_sum_of(el_load(g + at, n));
    const el_sum v = el_sum_of(el_load(w + at, n));
    const el_sum sum = {el_descend(lr, scale, decay, d.even, v.even), el_descend(lr, scale, decay, d.odd, v.odd)};
    el_store(w + at, el_sum_narrow(sum), n);
}

void el_sgd_step_f16__mve(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                          el_f16 *w)
{
    const float lr = o->lr;
    const float scale = o->grad_scale;
    const float decay = o->weight_decay;
    if (salt != 0) {
        el_sgd_step_f16__ref(count, salt, o, g, scaling, w);
    } else if (scaling[EL_OVERFLOW] == 0.0f) {
        EL_STRIPS(count, el_sgd_strip, lr, scale, decay, g, w);
    }
}
