/* Update rules over one array of weights; formulas and sources are in edgelearn/ops/optimizers.py.
 * The settings are copied out of *o because the compiler must assume that a store to w changes them. */
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
    const float lr = o->lr;
    const float scale = o->grad_scale;
    const float decay = o->weight_decay;
    for (int32_t i = 0; i < count; i++) {
        w[i] -= lr * (scale * g[i] + decay * w[i]);
    }
}

void el_momentum_step_f32__ref(int32_t count, const el_optim *o, const float *g, float *w, float *v)
{
    const float lr = o->lr;
    const float momentum = o->momentum;
    const float scale = o->grad_scale;
    const float decay = o->weight_decay;
    for (int32_t i = 0; i < count; i++) {
        float t = v[i] + decay * w[i];
        if (g != NULL) {
            t += scale * g[i];
        }
        w[i] -= lr * t;
        v[i] = momentum * t;
    }
}

/* Moments and update from a gradient g*grad_scale + l2*w, after shrinking the weight by `keep`. */
static void adam(int32_t count, const el_optim *o, float l2, float keep, const float *g, float *w, float *m, float *v)
{
    const float step = o->lr / o->bias1;
    const float inv_bias2 = 1.0f / o->bias2;
    const float scale = o->grad_scale;
    const float beta1 = o->momentum;
    const float beta2 = o->beta2;
    const float epsilon = o->epsilon;
    for (int32_t i = 0; i < count; i++) {
        const float d = scale * g[i] + l2 * w[i];
        const float mean = beta1 * m[i] + (1.0f - beta1) * d;
        const float square = beta2 * v[i] + (1.0f - beta2) * (d * d);
        w[i] = keep * w[i] - step * mean / (el_sqrtf(square * inv_bias2) + epsilon);
        m[i] = mean;
        v[i] = square;
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
