/* Weights that are signed powers of two, sgn * 2^(S - k), and the T + 1 latents that each of them is trained by: that
 * of the sign, then T of the scale. Rules and source are in edgelearn/ops/shift_latents.py. */
#ifndef EL_LATENTS_H
#define EL_LATENTS_H

#include "el/f16.h"
#include "inline.h"
#include "ref/rules.h"

#define EL_MOST_LATENTS 8 /* functions of all of them are inlined, so that each number has a loop of its own */

/* Clang 19 for RISC-V V can't be trusted with these loops: vectorising them ends it ("size request on a scalable
 * vector"). */
#if defined(__clang__)
#define EL_ONE_BY_ONE _Pragma("clang loop vectorize(disable)")
#else
#define EL_ONE_BY_ONE
#endif

/* 2^n, for a normal one. */
static inline float el_power(int32_t n)
{
    const el_f32_bits bits = {.u = (uint32_t)(n + 127) << 23};
    return bits.f;
}

/* Whether a latent is more than zero, by its bits: a core without an FPU compares integers. */
static inline int el_is_on(float latent)
{
    const el_f32_bits bits = {latent};
    return bits.u - 1u < 0x7F800000u;
}

/* How many of the latents up to `last` are on without a gap. That of the sign is none of them. */
EL_INLINE int32_t el_run(const float *latent, int32_t last)
{
    int32_t first = last;
    while (first > 0 && el_is_on(latent[first])) {
        first--;
    }
    return last - first;
}

/* The weight that latents stand for; none where that of the sign is not finite, so that a loss shows it. */
EL_INLINE float el_of_latents(int32_t latents, int32_t k, const float *latent)
{
    const uint32_t exponent = (uint32_t)(el_run(latent, latents - 1) - k + 127);
    const el_f32_bits first = {latent[0]};
    const uint32_t sign = el_is_on(latent[0]) ? 0u : 1u;
    const int is_finite = (first.u & 0x7F800000u) != 0x7F800000u;
    const el_f32_bits weight = {.u = is_finite ? sign << 31 | exponent << 23 : 0x7FC00000u};
    return weight.f;
}

/* The gradients of one weight's latents, given that of sgn * 2^S. A step's derivative is 1, so that what S depends on
 * are the last latents in a row that are on and the one in front of them; those further up get nothing. Gives the first
 * of those that get something. */
EL_INLINE int32_t el_latent_gradients(int32_t latents, const float *latent, float g, float *gradients)
{
    static const float roots[EL_MOST_LATENTS] = {1.0f,        1.41421354f, 1.73205078f, 2.0f,
                                                 2.23606801f, 2.44948983f, 2.64575124f, 2.82842708f};
    static const float slopes[EL_MOST_LATENTS] = {0.5f,         0.353553385f, 0.288675129f, 0.25f,
                                                  0.223606795f, 0.204124153f, 0.188982233f, 0.176776692f};
    const int32_t run = el_run(latent, latents - 1);
    const int32_t off = latents - 1 - run; /* the last that is off, 0 where none is */
    const float d = (el_is_on(latent[0]) ? g : -g) * slopes[run];

    gradients[0] = g * roots[run];
    EL_ONE_BY_ONE
    for (int32_t t = 1; t < off; t++) {
        gradients[t] = 0.0f;
    }
    EL_ONE_BY_ONE
    for (int32_t t = off + 1; t < latents; t++) {
        gradients[t] = d * (float)(t - off);
    }
    if (off > 0) {
        gradients[off] = d * (float)(el_run(latent, off - 1) + 1);
        return off;
    }
    return 1;
}

/* Here and below: `count` weights w with the gradients g, and the latents of each side by side. Without decay those
 * that get no gradient stay as they are. */
EL_INLINE void el_latents_sgd(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g, float *w,
                              float *latent)
{
    const el_descent d = el_descent_of(o);
    const float unit = el_power(-k);

    EL_ONE_BY_ONE
    for (int32_t i = 0; i < count; i++, latent += latents) {
        float gradients[EL_MOST_LATENTS];
        const int32_t first = el_latent_gradients(latents, latent, g[i] * unit, gradients);
        latent[0] = el_sgd(&d, gradients[0], latent[0]);
        EL_ONE_BY_ONE
        for (int32_t t = d.decay != 0.0f ? 1 : first; t < latents; t++) {
            latent[t] = el_sgd(&d, gradients[t], latent[t]);
        }
        w[i] = el_of_latents(latents, k, latent);
    }
}

EL_INLINE void el_latents_momentum(int32_t count, int32_t latents, int32_t k, const el_optim *o, const float *g,
                                   float *w, float *latent, float *v)
{
    const el_descent d = el_descent_of(o);
    const float unit = el_power(-k);

    EL_ONE_BY_ONE
    for (int32_t i = 0; i < count; i++, latent += latents, v += latents) {
        float gradients[EL_MOST_LATENTS];
        el_latent_gradients(latents, latent, g[i] * unit, gradients);
        EL_ONE_BY_ONE
        for (int32_t t = 0; t < latents; t++) {
            const float step = v[t] + d.decay * latent[t] + d.scale * gradients[t];
            latent[t] -= d.lr * step;
            v[t] = d.momentum * step;
        }
        w[i] = el_of_latents(latents, k, latent);
    }
}

EL_INLINE void el_latents_adam(int32_t count, int32_t latents, int32_t k, const el_moments *a, const float *g, float *w,
                               float *latent, float *m, float *v)
{
    const float unit = el_power(-k);

    EL_ONE_BY_ONE
    for (int32_t i = 0; i < count; i++, latent += latents, m += latents, v += latents) {
        float gradients[EL_MOST_LATENTS];
        el_latent_gradients(latents, latent, g[i] * unit, gradients);
        EL_ONE_BY_ONE
        for (int32_t t = 0; t < latents; t++) {
            latent[t] = el_adam(a, gradients[t], latent[t], &m[t], &v[t]);
        }
        w[i] = el_of_latents(latents, k, latent);
    }
}

/* The sum of the squares of all latents' gradients. */
EL_INLINE float el_latents_sumsq(int32_t count, int32_t latents, int32_t k, const float *g, const float *latent)
{
    const float unit = el_power(-k);
    float sum = 0.0f;

    EL_ONE_BY_ONE
    for (int32_t i = 0; i < count; i++, latent += latents) {
        float gradients[EL_MOST_LATENTS];
        const int32_t first = el_latent_gradients(latents, latent, g[i] * unit, gradients);
        sum += gradients[0] * gradients[0];
        EL_ONE_BY_ONE
        for (int32_t t = first; t < latents; t++) {
            sum += gradients[t] * gradients[t];
        }
    }
    return sum;
}

#endif
