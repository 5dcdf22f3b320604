/* Update rules for weights that are signed powers of two, by their latents. */
#include "../latents.h"

#include "el/kernels.h"

/* 32 bits that each depend on all bits of a number. */
static uint32_t mixed(uint32_t x)
{
    x += 0x9E3779B9u; /* zero would stay zero */
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

void el_shift_begin_fwd_f32__ref(int32_t count, int32_t latents, int32_t k, float span, const float *w, float *latent)
{
    const int32_t all = count * latents;
    int32_t t = 0;
    int32_t off = 0; /* the last latent of the scale that is off */

    for (int32_t i = 0; i < all; i++) {
        const float size = (float)((mixed((uint32_t)i) >> 8) + 1u) * 0x1p-24f * span;
        if (t == 0) {
            const el_f32_bits weight = {*w++};
            off = latents - 1 - ((int32_t)(weight.u >> 23 & 255u) - 127 + k);
            latent[i] = weight.u >> 31 != 0u ? -size : size;
        } else {
            latent[i] = t <= off ? -size : size;
        }
        t = t + 1 < latents ? t + 1 : 0;
    }
}

void el_shift_sgd_step_f32__ref(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g, float *w,
                                float *latent)
{
    el_latents_sgd(count, latents, k, o, g, w, latent);
}

void el_shift_momentum_step_f32__ref(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,
                                     float *w, float *latent, float *v)
{
    el_latents_momentum(count, latents, k, o, g, w, latent, v);
}

void el_shift_adam_step_f32__ref(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g, float *w,
                                 float *latent, float *m, float *v)
{
    const el_moments a = el_moments_of(o, o->weight_decay, 1.0f);
    el_latents_adam(count, latents, k, &a, g, w, latent, m, v);
}

void el_shift_adamw_step_f32__ref(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,
                                  float *w, float *latent, float *m, float *v)
{
    const el_moments a = el_moments_of(o, 0.0f, 1.0f - o->lr * o->weight_decay);
    el_latents_adam(count, latents, k, &a, g, w, latent, m, v);
}

void el_shift_sumsq_step_f32__ref(int32_t count, int32_t latents, int32_t k, const float *g, const float *latent,
                                  float *acc)
{
    *acc += el_latents_sumsq(count, latents, k, g, latent);
}
