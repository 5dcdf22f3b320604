/* Update rules for weights of 2, 3 and 4 bits by their latents: a loop for each number of latents. */
#include "../latents.h"

#include "el/kernels.h"

#define EACH(STEP, ...)                                                                                                \
    do {                                                                                                               \
        if (latents == 2) {                                                                                            \
            STEP(count, 2, k, __VA_ARGS__);                                                                            \
        } else if (latents == 4) {                                                                                     \
            STEP(count, 4, k, __VA_ARGS__);                                                                            \
        } else {                                                                                                       \
            STEP(count, EL_MOST_LATENTS, k, __VA_ARGS__);                                                              \
        }                                                                                                              \
    } while (0)

void el_shift_sgd_step_f32__blk(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g, float *w,
                                float *latent)
{
    EACH(el_latents_sgd, o, g, w, latent);
}

void el_shift_momentum_step_f32__blk(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,
                                     float *w, float *latent, float *v)
{
    EACH(el_latents_momentum, o, g, w, latent, v);
}

void el_shift_adam_step_f32__blk(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g, float *w,
                                 float *latent, float *m, float *v)
{
    const el_moments a = el_moments_of(o, o->weight_decay, 1.0f);
    EACH(el_latents_adam, &a, g, w, latent, m, v);
}

void el_shift_adamw_step_f32__blk(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,
                                  float *w, float *latent, float *m, float *v)
{
    const el_moments a = el_moments_of(o, 0.0f, 1.0f - o->lr * o->weight_decay);
    EACH(el_latents_adam, &a, g, w, latent, m, v);
}
