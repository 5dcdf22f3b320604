/* Learning-rate schedules, computed step by step on the device: a run needs no table and no host. */
#include "el/math.h"
#include "el/rt.h"

/* Part of the way from `from` to `to`, within 0 and 1. */
static float progress(uint32_t step, uint32_t from, uint32_t to)
{
    if (step >= to) {
        return 1.0f;
    }
    if (step <= from) {
        return 0.0f;
    }
    return (float)(step - from) / (float)(to - from);
}

float el_schedule_lr(const el_schedule *s, uint32_t step)
{
    const float pi = 3.14159265f;
    const float range = 1.0f - s->min_ratio;
    float factor = 1.0f;
    uint32_t from = s->warmup;

    if (step < s->warmup) {
        return s->lr * ((float)(step + 1u) / (float)s->warmup);
    }
    switch (s->kind) {
    case EL_LINEAR:
        factor = 1.0f - range * progress(step, from, s->total);
        break;
    case EL_COSINE:
        factor = s->min_ratio + range * 0.5f * (1.0f + el_cosf(pi * progress(step, from, s->total)));
        break;
    case EL_WSD:
        if (s->total > s->decay && s->total - s->decay > from) {
            from = s->total - s->decay;
        }
        factor = 1.0f - range * progress(step, from, s->total);
        break;
    default:
        break;
    }
    return s->lr * factor;
}
