/* The loss scale: every gradient in halves is so many times as large as it is, so that small ones are not lost, and an
 * update with one that is not finite is left out. The formulas are in edgelearn/ops/scaling.py. */
#include "el/kernels.h"

void el_loss_scale_fwd_f32__ref(int32_t count, const float *x, const float *scaling, float *y)
{
    const float scale = scaling[EL_SCALE];
    for (int32_t i = 0; i < count; i++) {
        y[i] = scale * x[i];
    }
}

void el_loss_scale_step_f32__ref(int32_t every, float *scaling)
{
    const float scale = scaling[EL_SCALE];
    scaling[EL_UPDATES] = scaling[EL_UPDATES] < EL_MOST_UPDATES ? scaling[EL_UPDATES] + 1.0f : 0.0f;
    if (scaling[EL_OVERFLOW] != 0.0f) {
        scaling[EL_SKIPPED] += 1.0f;
        scaling[EL_CLEAN] = 0.0f;
        scaling[EL_SCALE] = every > 0 && scale > EL_LEAST_SCALE ? scale * 0.5f : scale;
    } else {
        scaling[EL_CLEAN] += 1.0f;
        if (every > 0 && scaling[EL_CLEAN] >= (float)every) {
            scaling[EL_CLEAN] = 0.0f;
            scaling[EL_SCALE] = scale < EL_MOST_SCALE ? scale * 2.0f : scale;
        }
    }
    scaling[EL_OVERFLOW] = 0.0f;
}

void el_finite_step_f16__ref(int32_t count, const el_f16 *g, float *scaling)
{
    int finite = 1;
    for (int32_t i = 0; i < count; i++) {
        finite &= el_f16_is_finite(&g[i]);
    }
    if (!finite) {
        scaling[EL_OVERFLOW] = 1.0f;
    }
}

void el_sumsq_step_f16__ref(int32_t count, const el_f16 *g, float *acc)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float v = el_f16_load(&g[i]);
        sum += v * v;
    }
    *acc += sum;
}
