/* The update of one weight by each rule, in floats. The settings are copied out of *o because the compiler must assume
 * that a store to a weight changes them. */
#ifndef EL_RULES_H
#define EL_RULES_H

#include "el/math.h"
#include "el/model.h"

#ifndef EL_MUL
#define EL_MUL(a, b) ((a) * (b))
#endif

typedef struct {
    float lr, momentum, scale, decay;
} el_descent;

static inline el_descent el_descent_of(const el_optim *o)
{
    const el_descent d = {o->lr, o->momentum, o->grad_scale, o->weight_decay};
    return d;
}

static inline float el_sgd(const el_descent *d, float g, float w)
{
    return w - EL_MUL(d->lr, EL_MUL(d->scale, g) + EL_MUL(d->decay, w));
}

/* An Adam's settings: a gradient g * scale + l2 * w, after shrinking the weight by `keep`. */
typedef struct {
    float l2, keep, step, inv_bias2, scale, beta1, beta2, epsilon;
} el_moments;

static inline el_moments el_moments_of(const el_optim *o, float l2, float keep)
{
    const el_moments a = {l2,          keep,     o->lr / o->bias1, 1.0f / o->bias2, o->grad_scale,
                          o->momentum, o->beta2, o->epsilon};
    return a;
}

/* The new weight; m and v become the new moments. */
static inline float el_adam(const el_moments *a, float g, float w, float *m, float *v)
{
    const float d = EL_MUL(a->scale, g) + EL_MUL(a->l2, w);
    const float mean = EL_MUL(a->beta1, *m) + EL_MUL(1.0f - a->beta1, d);
    const float square = EL_MUL(a->beta2, *v) + EL_MUL(1.0f - a->beta2, EL_MUL(d, d));
    *m = mean;
    *v = square;
    return EL_MUL(a->keep, w) - EL_MUL(a->step, mean) / (el_sqrtf(EL_MUL(square, a->inv_bias2)) + a->epsilon);
}

#endif
