/* Updates of weights in floats by gradients in halves, four at a time; the formulas are those of
 * kernels/ref/rules.h. */
#include "f16.h"

/* Four gradients, those behind them zero. */
EL_INLINE float32x4_t el_widened(const el_f16 *g, el_n n)
{
    return el_even(vreinterpretq_f16_u32(vldrhq_z_u32((const uint16_t *)(const void *)g, n)));
}

void el_sgd_mixed_step_f16__mve(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                                float *w)
{
    const el_optim d = *o;
    (void)salt; /* nothing is rounded */
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    for (int32_t i = 0; i < count; i += 4) {
        const el_n n = vctp32q((uint32_t)(count - i));
        const float32x4_t v = vldrwq_z_f32(w + i, n);
        const float32x4_t step = vfmaq_n_f32(vmulq_n_f32(el_widened(g + i, n), d.grad_scale), v, d.weight_decay);
        vstrwq_p_f32(w + i, vfmaq_n_f32(v, step, -d.lr), n);
    }
}

void el_momentum_mixed_step_f16__mve(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,
                                     const float *scaling, float *w, float *v)
{
    const el_optim d = *o;
    (void)salt;
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    for (int32_t i = 0; i < count; i += 4) {
        const el_n n = vctp32q((uint32_t)(count - i));
        const float32x4_t weight = vldrwq_z_f32(w + i, n);
        const float32x4_t kept = vfmaq_n_f32(vldrwq_z_f32(v + i, n), weight, d.weight_decay);
        const float32x4_t step = vfmaq_n_f32(kept, el_widened(g + i, n), d.grad_scale);
        vstrwq_p_f32(w + i, vfmaq_n_f32(weight, step, -d.lr), n);
        vstrwq_p_f32(v + i, vmulq_n_f32(step, d.momentum), n);
    }
}
