/* Losses of one sample and their gradients, scaled by the caller (1/batch). */
#include "el/kernels.h"
#include "el/math.h"

static float maximum(int32_t count, const float *x)
{
    float max = x[0];
    for (int32_t i = 1; i < count; i++) {
        max = x[i] > max ? x[i] : max;
    }
    return max;
}

void el_softmax_xent_fwd_f32__ref(int32_t classes, const float *logits, const uint32_t *label, float *loss)
{
    if (*label >= (uint32_t)classes) {
        *loss = EL_NAN;
        return;
    }
    const float max = maximum(classes, logits);
    float sum = 0.0f;
    for (int32_t c = 0; c < classes; c++) {
        sum += el_expf(logits[c] - max);
    }
    *loss = el_logf(sum) - (logits[*label] - max);
}

void el_softmax_xent_bwd_f32__ref(int32_t classes, float scale, const float *logits, const uint32_t *label,
                                  float *dlogits)
{
    const float max = maximum(classes, logits);
    float sum = 0.0f;
    for (int32_t c = 0; c < classes; c++) {
        dlogits[c] = el_expf(logits[c] - max);
        sum += dlogits[c];
    }
    for (int32_t c = 0; c < classes; c++) {
        const float p = dlogits[c] / sum;
        dlogits[c] = scale * ((uint32_t)c == *label ? p - 1.0f : p);
    }
}

/* The logit of the class that the label is not: what the loss is the softplus of. */
static float turned(float logit, uint32_t label)
{
    return label == 0u ? logit : label == 1u ? -logit : EL_NAN;
}

void el_sigmoid_xent_fwd_f32__ref(const float *logit, const uint32_t *label, float *loss)
{
    const float z = turned(*logit, *label);
    *loss = (z < 0.0f ? 0.0f : z) + el_log1pf(el_expf(-el_fabsf(z)));
}

void el_sigmoid_xent_bwd_f32__ref(float scale, const float *logit, const uint32_t *label, float *dlogit)
{
    const float p = 1.0f / (1.0f + el_expf(-turned(*logit, *label)));
    *dlogit = turned(scale * p, *label);
}

void el_mse_fwd_f32__ref(int32_t count, const float *y, const float *t, float *loss)
{
    float acc = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float d = y[i] - t[i];
        acc += d * d;
    }
    *loss = acc / (float)count;
}

void el_mse_bwd_f32__ref(int32_t count, float scale, const float *y, const float *t, float *dy)
{
    const float factor = 2.0f * scale / (float)count;
    for (int32_t i = 0; i < count; i++) {
        dy[i] = factor * (y[i] - t[i]);
    }
}
