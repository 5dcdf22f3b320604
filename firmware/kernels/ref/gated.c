/* Smooth gates x g(x), and softplus; every one of them may run in place. NaN passes. */
#include "../real.h"
#include "el/math.h"

void EL_REF(silu_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], get(&x[i]) * el_sigmoidf(get(&x[i])));
    }
}

void EL_REF(silu_bwd)(int32_t count, const el_real *x, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float s = el_sigmoidf(get(&x[i]));
        put(&dx[i], get(&dy[i]) * s * (1.0f + get(&x[i]) * (1.0f - s)));
    }
}

void EL_REF(gelu_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], get(&x[i]) * el_normalf(get(&x[i])));
    }
}

void EL_REF(gelu_bwd)(int32_t count, const el_real *x, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&dx[i], get(&dy[i]) * (el_normalf(v) + v * 0.398942280f * el_expf(-0.5f * v * v))); /* 1 / sqrt(2 pi) */
    }
}

/* sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static float gate(float x)
{
    return el_sigmoidf(1.59576912f * (x + 0.044715f * x * x * x));
}

void EL_REF(gelu_tanh_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], get(&x[i]) * gate(get(&x[i])));
    }
}

void EL_REF(gelu_tanh_bwd)(int32_t count, const el_real *x, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        const float s = gate(v);
        put(&dx[i], get(&dy[i]) * s * (1.0f + v * (1.0f - s) * 1.59576912f * (1.0f + 0.134145f * v * v)));
    }
}

void EL_REF(softplus_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&y[i], (v < 0.0f ? 0.0f : v) + el_log1pf(el_expf(-el_fabsf(v))));
    }
}

void EL_REF(softplus_bwd)(int32_t count, const el_real *x, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&dy[i]) * el_sigmoidf(get(&x[i])));
    }
}
