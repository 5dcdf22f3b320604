/* Cross-entropy with s(x) = x + 1 from zero on and 1 / (1 - x) below in the place of the exponential. What the label
   leaves to the others is summed apart from it: a difference would cancel just where training nears its end. */
#include "el/kernels.h"
#include "el/math.h"

static float stable(float x)
{
    return x < 0.0f ? 1.0f / (1.0f - x) : x + 1.0f;
}

static float others(int32_t classes, const float *logits, uint32_t label)
{
    float sum = 0.0f;
    for (int32_t c = 0; c < classes; c++) {
        sum += (uint32_t)c == label ? 0.0f : stable(logits[c]);
    }
    return sum;
}

void el_stablemax_xent_fwd_f32__ref(int32_t classes, const float *logits, const uint32_t *label, float *loss)
{
    if (*label >= (uint32_t)classes) {
        *loss = EL_NAN;
        return;
    }
    *loss = el_log1pf(others(classes, logits, *label) / stable(logits[*label]));
}

void el_stablemax_xent_bwd_f32__ref(int32_t classes, float scale, const float *logits, const uint32_t *label,
                                    float *dlogits)
{
    const float own = stable(logits[*label]);
    const float rest = others(classes, logits, *label);
    const float part = scale / (own + rest);
    for (int32_t c = 0; c < classes; c++) {
        const float s = stable(logits[c]);
        const float slope = logits[c] < 0.0f ? s * s : 1.0f;
        dlogits[c] = slope * ((uint32_t)c == *label ? -part * rest / own : part);
    }
}
