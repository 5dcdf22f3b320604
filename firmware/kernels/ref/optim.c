/* Update rules over one array of weights; formulas and sources are in edgelearn/ops/optimizers.py. */
#include "../real.h"
#include "rules.h"

#include <stddef.h>

void EL_REF(weight_decay_step)(int32_t count, const el_optim *o, float *w)
{
    const float keep = 1.0f - o->lr * o->weight_decay;
    for (int32_t i = 0; i < count; i++) {
        w[i] = EL_MUL(w[i], keep);
    }
}

void EL_REF(sgd_step)(int32_t count, const el_optim *o, const float *g, float *w)
{
    const el_descent d = el_descent_of(o);
    for (int32_t i = 0; i < count; i++) {
        w[i] = el_sgd(&d, g[i], w[i]);
    }
}

void EL_REF(momentum_step)(int32_t count, const el_optim *o, const float *g, float *w, float *v)
{
    const el_descent d = el_descent_of(o);
    for (int32_t i = 0; i < count; i++) {
        float t = v[i] + EL_MUL(d.decay, w[i]);
        if (g != NULL) {
            t += EL_MUL(d.scale, g[i]);
        }
        w[i] -= EL_MUL(d.lr, t);
        v[i] = EL_MUL(d.momentum, t);
    }
}

static void adam(int32_t count, const el_moments *a, const float *g, float *w, float *m, float *v)
{
    for (int32_t i = 0; i < count; i++) {
        w[i] = el_adam(a, g[i], w[i], &m[i], &v[i]);
    }
}

void EL_REF(adam_step)(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    const el_moments a = el_moments_of(o, o->weight_decay, 1.0f);
    adam(count, &a, g, w, m, v);
}

void EL_REF(adamw_step)(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    const el_moments a = el_moments_of(o, 0.0f, 1.0f - o->lr * o->weight_decay);
    adam(count, &a, g, w, m, v);
}

#ifndef EL_PAM
void el_sumsq_step_f32__ref(int32_t count, const float *g, float *acc)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += g[i] * g[i];
    }
    *acc += sum;
}

/* What grad_scale is before, undoes the loss scale of the gradients in acc. */
void el_clip_step_f32__ref(el_optim *o, float *acc)
{
    const float norm = el_sqrtf(*acc) * o->grad_scale;
    const float scale = o->clip_norm / (norm + 1e-6f); /* torch's epsilon */
    o->grad_norm = norm;
    o->grad_scale *= o->clip_norm > 0.0f && scale < 1.0f ? scale : 1.0f;
    *acc = 0.0f;
}
#endif
