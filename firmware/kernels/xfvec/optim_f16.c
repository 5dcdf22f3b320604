/* Updates by gradients in halves, and whether gradients are finite. Formulas and random bits are those of
 * kernels/ref/steps_f16.h; results have the same bits. */
#include "el/kernels.h"

#include "../ref/rules.h"
#include "pair.h"

/* Zero times what is not finite is no number. */
void el_finite_step_f16__xfvec(int32_t count, const el_f16 *g, float *scaling)
{
    el_pair sum = el_pair_zero();
    for (; count >= 16; count -= 16, g += 16) {
        el_pair v[8];
        for (int k = 0; k < 8; k++) {
            v[k] = el_pair_load(g + 2 * k);
        }
        for (int k = 0; k < 8; k++) {
            sum = el_pair_mac(sum, v[k], el_pair_zero());
        }
    }
    for (; count >= 2; count -= 2, g += 2) {
        sum = el_pair_mac(sum, el_pair_load(g), el_pair_zero());
    }
    if ((el_pair_bits(sum) & 0x7FFF7FFFu) != 0 || (count != 0 && !el_f16_is_finite(g))) {
        scaling[EL_OVERFLOW] = 1.0f;
    }
}

/* Floats from 2^-14 to below the largest half, by twice their bits, which leaves the sign out */
enum { EL_NORMAL = 2 * 0x38800000, EL_NORMALS = 2 * (0x477FE000 - 0x38800000) };

/* What 32 random bits are made of that depend on the number of the update, the tensor and the weight. */
typedef struct {
    int32_t salt;
    uint32_t seed;
} el_chance;

EL_INLINE el_chance el_chance_of(const float *scaling, int32_t salt)
{
    return (el_chance){salt, (uint32_t)scaling[EL_UPDATES] * 0x9E3779B9u ^ (uint32_t)salt * 0x85EBCA6Bu};
}

EL_APART void el_keep_any(float value, uint32_t random, el_f16 *w)
{
    *w = el_f16_from_bits(el_to_half_at_random(value, random));
}

/* w becomes value, rounded; the next weight's chance is another one. */
EL_INLINE void el_keep(el_chance *c, float value, el_f16 *w)
{
    if (c->salt == 0) {
        el_half_store(w, value);
        return;
    }
    uint32_t x = c->seed;
    c->seed += 0xC2B2AE35u;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    x ^= x >> 16;
    const uint32_t bits = el_bits(value);
    if ((bits << 1) - (uint32_t)EL_NORMAL < (uint32_t)EL_NORMALS) {
        el_half_store_cut(w, bits + (x & 0x1FFFu));
    } else {
        el_keep_any(value, x, w);
    }
}

EL_INLINE void el_sgd_all(int32_t count, const el_descent *d, el_chance c, const el_f16 *g, el_f16 *w)
{
#pragma GCC unroll 4
    for (int32_t i = 0; i < count; i++) {
        el_keep(&c, el_sgd(d, el_half_load(g + i), el_half_load(w + i)), w + i);
    }
}

void el_sgd_step_f16__xfvec(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                            el_f16 *w)
{
    const el_descent d = el_descent_of(o);
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    if (salt == 0) {
        el_sgd_all(count, &d, (el_chance){0, 0}, g, w);
    } else {
        el_sgd_all(count, &d, el_chance_of(scaling, salt), g, w);
    }
}

EL_INLINE void el_momentum_all(int32_t count, const el_descent *d, el_chance c, const el_f16 *g, el_f16 *w, el_f16 *v)
{
    for (int32_t i = 0; i < count; i++) {
        const float old = el_half_load(w + i);
        const float t = el_half_load(v + i) + d->decay * old + d->scale * el_half_load(g + i);
        el_keep(&c, old - d->lr * t, w + i);
        el_half_store(v + i, d->momentum * t);
    }
}

void el_momentum_step_f16__xfvec(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                                 el_f16 *w, el_f16 *v)
{
    const el_descent d = el_descent_of(o);
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    if (salt == 0) {
        el_momentum_all(count, &d, (el_chance){0, 0}, g, w, v);
    } else {
        el_momentum_all(count, &d, el_chance_of(scaling, salt), g, w, v);
    }
}
