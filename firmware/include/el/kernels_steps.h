/* Updates of weights, see kernels.h. */
#ifndef EL_KERNELS_STEPS_H
#define EL_KERNELS_STEPS_H

#include "el/f16.h"
#include "el/model.h"

/* Update rules of float weights, FMT f32 or pam */
#define EL_STEPS_F32(FMT, ISA)                                                                                         \
    void el_weight_decay_step_##FMT##__##ISA(int32_t count, const el_optim *o, float *w);                              \
    void el_sgd_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w);                       \
    /* v arrives as momentum * t of the last step, plus the gradient where g is NULL */                                \
    void el_momentum_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *v);        \
    void el_adam_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v);  \
    void el_adamw_step_##FMT##__##ISA(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v);

/* Weights that are sgn * 2^(S - k), by the latents behind them, which lie side by side: `latents` of each weight. Where
 * they begin, with sizes evenly spread up to span; the update of both by the gradient of w; the sum of squares of the
 * gradients of latents, added to acc. */
#define EL_LATENT_STEPS(ISA)                                                                                           \
    void el_shift_begin_fwd_f32__##ISA(int32_t count, int32_t latents, int32_t k, float span, const float *w,          \
                                       float *latent);                                                                 \
    void el_shift_sgd_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,    \
                                      float *w, float *latent);                                                        \
    void el_shift_momentum_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o,               \
                                           const float *g, float *w, float *latent, float *v);                         \
    void el_shift_adam_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,   \
                                       float *w, float *latent, float *m, float *v);                                   \
    void el_shift_adamw_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,  \
                                        float *w, float *latent, float *m, float *v);                                  \
    void el_shift_sumsq_step_f32__##ISA(int32_t count, int32_t latents, int32_t k, const float *g,                     \
                                        const float *latent, float *acc);

/* Update rules with a gradient in f16 and weights W in f16 (STEP _step) or f32 (STEP _mixed_step): in f32, each weight
 * rounded once, to nearest where salt is 0, else at random. Nothing changes where scaling has seen a gradient that is
 * not finite. */
#define EL_STEPS_F16(ISA, STEP, W)                                                                                     \
    void el_sgd##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                    \
                                   const float *scaling, W *w);                                                        \
    void el_momentum##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,               \
                                        const float *scaling, W *w, W *v);                                             \
    void el_adam##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                   \
                                    const float *scaling, W *w, float *m, float *v);                                   \
    void el_adamw##STEP##_f16__##ISA(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,                  \
                                     const float *scaling, W *w, float *m, float *v);

#endif
