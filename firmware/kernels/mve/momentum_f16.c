/* The update by momentum, of weights and velocities in halves; the formulas are those of kernels/ref/rules.h. */
#include "random_f16.h"

/* A velocity, before it becomes less by the momentum. */
EL_INLINE float32x4_t el_velocity(const el_optim *o, float32x4_t v, float32x4_t w, float32x4_t g)
{
    return vfmaq_n_f32(vfmaq_n_f32(v, w, o->weight_decay), g, o->grad_scale);
}

EL_INLINE void el_momentum_strip(int32_t at, el_n n, const el_optim *o, int32_t count, int32_t salt, uint32x4_t *x,
                                 const el_f16 *g, el_f16 *w, el_f16 *v)
{
    const el_sum weight = el_sum_of(el_load(w + at, n));
    const el_sum kept = el_sum_of(el_load(v + at, n));
    const el_sum gradient = el_sum_of(el_load(g + at, n));
    const el_sum t = {el_velocity(o, kept.even, weight.even, gradient.even),
                      el_velocity(o, kept.odd, weight.odd, gradient.odd)};
    const el_sum next = {vfmaq_n_f32(weight.even, t.even, -o->lr), vfmaq_n_f32(weight.odd, t.odd, -o->lr)};
    el_store(v + at, el_sum_narrow(el_sum_times(t, o->momentum)), n);
    if (salt == 0) {
        el_store(w + at, el_sum_narrow(next), n);
        return;
    }
    el_store_at_random(count - at, next, *x, w + at);
    *x = vaddq_n_u32(*x, EL_LANES * EL_NUMBER_FACTOR);
}

void el_momentum_step_f16__mve(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                               el_f16 *w, el_f16 *v)
{
    const el_optim settings = *o;
    uint32x4_t x = el_first_bits(scaling, salt);
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    EL_STRIPS(count, el_momentum_strip, &settings, count, salt, &x, g, w, v);
}
