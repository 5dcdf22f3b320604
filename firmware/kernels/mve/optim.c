/* Update rules in 32-bit floats; the formulas are those of kernels/ref/rules.h. */
#include "f32.h"

EL_INLINE void el_sgd_strip(int32_t at, el_n n, float lr, float scale, float decay, const float *g, float *w)
{
    const el_v v = el_load(w + at, n);
    const el_v step = el_fma_scalar(el_mul_scalar(el_load(g + at, n), scale, n), v, decay, n);
    el_store(w + at, el_fma_scalar(v, step, -lr, n), n);
}

void el_sgd_step_f32__mve(int32_t count, const el_optim *o, const float *g, float *w)
{
    const float lr = o->lr;
    const float scale = o->grad_scale;
    const float decay = o->weight_decay;
    EL_STRIPS(count, el_sgd_strip, lr, scale, decay, g, w);
}

EL_INLINE void el_momentum_strip(int32_t at, el_n n, float lr, float momentum, float scale, float decay, const float *g,
                                 float *w, float *v)
{
    const el_v weight = el_load(w + at, n);
    el_v step = el_fma_scalar(el_load(v + at, n), weight, decay, n);
    if (g != 0) {
        step = el_fma_scalar(step, el_load(g + at, n), scale, n);
    }
    el_store(w + at, el_fma_scalar(weight, step, -lr, n), n);
    el_store(v + at, el_mul_scalar(step, momentum, n), n);
}

void el_momentum_step_f32__mve(int32_t count, const el_optim *o, const float *g, float *w, float *v)
{
    const float lr = o->lr;
    const float momentum = o->momentum;
    const float scale = o->grad_scale;
    const float decay = o->weight_decay;
    if (g != 0) {
        EL_STRIPS(count, el_momentum_strip, lr, momentum, scale, decay, g, w, v);
    } else {
        EL_STRIPS(count, el_momentum_strip, lr, momentum, scale, decay, 0, w, v);
    }
}
