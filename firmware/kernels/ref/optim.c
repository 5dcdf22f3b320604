/* Update rules over one array of weights; formulas and sources are in edgelearn/ops/optimizers.py. */
#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

void el_weight_decay_step_f32__ref(int32_t count, const el_optim *o, float *w)
{
    const float keep = 1.0f - o->lr * o->weight_decay;
    for (int32_t i = 0; i < count; i++) {
        w[i] *= keep;
    }
}

void el_sgd_step_f32__ref(int32_t count, const el_optim *o, const float *g, float *w)
{
    for (int32_t i = 0; i < count; i++) {
        w[i] -= o->lr * (o->grad_scale * g[i] + o->weight_decay * w[i]);
    }
}

void el_momentum_step_f32__ref(int32_t count, const el_optim *o, const float *g, float *w, float *v)
{
    for (int32_t i = 0; i < count; i++) {
        float t = v[i] + o->weight_decay * w[i];
        if (g != NULL) {
            t += o->grad_scale * g[i];
        }
        w[i] -= o->lr * t;
        v[i] = o->momentum * t;
    }
}

/* Moments and update from a gradient g*grad_scale + l2*w, after shrinking the weight by `keep`. */
static void adam(int32_t count, const el_optim *o, float l2, float keep, const float *g, float *w, float *m, float *v)
{
    const float step = o->lr / o->bias1;
    const float inv_bias2 = 1.0f / o->bias2;
    for (int32_t i = 0; i < count; i++) {
        const float d = o->grad_scale * g[i] + l2 * w[i];
        m[i] = o->momentum * m[i] + (1.0f - o->momentum) * d;
        v[i] = o->beta2 * v[i] + (1.0f - o->beta2) * (d * d);
        w[i] = keep * w[i] - step * m[i] / (el_sqrtf(v[i] * inv_bias2) + o->epsilon);
    }
}

void el_adam_step_f32__ref(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    adam(count, o, o->weight_decay, 1.0f, g, w, m, v);
}

void el_adamw_step_f32__ref(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    adam(count, o, 0.0f, 1.0f - o->lr * o->weight_decay, g, w, m, v);
}

void el_sumsq_step_f32__ref(int32_t count, const float *g, float *acc)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += g[i] * g[i];
    }
    *acc += sum;
}

void el_clip_step_f32__ref(el_optim *o, float *acc)
{
    const float norm = el_sqrtf(*acc);
    const float scale = o->clip_norm / (norm + 1e-6f); /* torch's epsilon */
    o->grad_norm = norm;
    o->grad_scale = o->clip_norm > 0.0f && scale < 1.0f ? scale : 1.0f;
    *acc = 0.0f;
}
