/* Smooth gates x g(x), and softplus; every one of them may run in place. NaN passes. */
#include "el/kernels.h"
#include "el/math.h"

void el_silu_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = x[i] * el_sigmoidf(x[i]);
    }
}

void el_silu_bwd_f32__ref(int32_t count, const float *x, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float s = el_sigmoidf(x[i]);
        dx[i] = dy[i] * s * (1.0f + x[i] * (1.0f - s));
    }
}

void el_gelu_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = x[i] * el_normalf(x[i]);
    }
}

void el_gelu_bwd_f32__ref(int32_t count, const float *x, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        dx[i] = dy[i] * (el_normalf(v) + v * 0.398942280f * el_expf(-0.5f * v * v)); /* 1 / sqrt(2 pi) */
    }
}

/* sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static float gate(float x)
{
    return el_sigmoidf(1.59576912f * (x + 0.044715f * x * x * x));
}

void el_gelu_tanh_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = x[i] * gate(x[i]);
    }
}

void el_gelu_tanh_bwd_f32__ref(int32_t count, const float *x, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        const float s = gate(v);
        dx[i] = dy[i] * s * (1.0f + v * (1.0f - s) * 1.59576912f * (1.0f + 0.134145f * v * v));
    }
}

void el_softplus_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        y[i] = (v < 0.0f ? 0.0f : v) + el_log1pf(el_expf(-el_fabsf(v)));
    }
}

void el_softplus_bwd_f32__ref(int32_t count, const float *x, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = dy[i] * el_sigmoidf(x[i]);
    }
}
