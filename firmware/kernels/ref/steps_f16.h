/* Update rules with a gradient in halves; the file that includes this says in which format weights and velocities lie:
 * EL_STEP(rule) names a kernel, el_weight is the type, and get, put and put_at_random reach it. */
#include "el/kernels.h"
#include "rules.h"

/* How many weights are updated: none where the update is left out. */
static int32_t taken(int32_t count, const float *scaling)
{
    return scaling[EL_OVERFLOW] != 0.0f ? 0 : count;
}

/* 32 bits that depend on every bit of what is counted: which update, which tensor, which weight. */
static uint32_t random_bits(const float *scaling, int32_t salt, int32_t i)
{
    uint32_t x = (uint32_t)scaling[EL_UPDATES] * 0x9E3779B9u ^ (uint32_t)salt * 0x85EBCA6Bu;
    x += (uint32_t)i * 0xC2B2AE35u;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

static void keep(const float *scaling, int32_t salt, int32_t i, float value, el_weight *w)
{
    if (salt == 0) {
        put(&w[i], value);
    } else {
        put_at_random(&w[i], value, random_bits(scaling, salt, i));
    }
}

void EL_STEP(sgd)(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling, el_weight *w)
{
    const el_descent d = el_descent_of(o);
    const int32_t n = taken(count, scaling);
    for (int32_t i = 0; i < n; i++) {
        keep(scaling, salt, i, el_sgd(&d, el_f16_load(&g[i]), get(&w[i])), w);
    }
}

void EL_STEP(momentum)(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                       el_weight *w, el_weight *v)
{
    const el_descent d = el_descent_of(o);
    const int32_t n = taken(count, scaling);
    for (int32_t i = 0; i < n; i++) {
        const float t = get(&v[i]) + d.decay * get(&w[i]) + d.scale * el_f16_load(&g[i]);
        keep(scaling, salt, i, get(&w[i]) - d.lr * t, w);
        put(&v[i], d.momentum * t);
    }
}

static void adam(int32_t count, int32_t salt, const el_moments *a, const el_f16 *g, const float *scaling, el_weight *w,
                 float *m, float *v)
{
    const int32_t n = taken(count, scaling);
    for (int32_t i = 0; i < n; i++) {
        keep(scaling, salt, i, el_adam(a, el_f16_load(&g[i]), get(&w[i]), &m[i], &v[i]), w);
    }
}

void EL_STEP(adam)(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling, el_weight *w,
                   float *m, float *v)
{
    const el_moments a = el_moments_of(o, o->weight_decay, 1.0f);
    adam(count, salt, &a, g, scaling, w, m, v);
}

void EL_STEP(adamw)(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling, el_weight *w,
                    float *m, float *v)
{
    const el_moments a = el_moments_of(o, 0.0f, 1.0f - o->lr * o->weight_decay);
    adam(count, salt, &a, g, scaling, w, m, v);
}
