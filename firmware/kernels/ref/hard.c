/* Piecewise non-linearities; every one of them may run in place. NaN takes the branch that passes it on. */
#include "../real.h"
#include "el/math.h"

#include <stddef.h>

void EL_REF(clip_fwd)(int32_t count, float low, float high, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], get(&x[i]) < low ? low : (get(&x[i]) > high ? high : get(&x[i])));
    }
}

void EL_REF(clip_bwd)(int32_t count, float low, float high, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&y[i]) > low && get(&y[i]) < high ? get(&dy[i]) : 0.0f);
    }
}

void EL_REF(hard_sigmoid_fwd)(int32_t count, float alpha, float beta, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = alpha * get(&x[i]) + beta;
        put(&y[i], v < 0.0f ? 0.0f : (v > 1.0f ? 1.0f : v));
    }
}

void EL_REF(hard_sigmoid_bwd)(int32_t count, float alpha, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&y[i]) > 0.0f && get(&y[i]) < 1.0f ? alpha * get(&dy[i]) : 0.0f);
    }
}

void EL_REF(hard_swish_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&y[i], v <= -3.0f ? 0.0f : (v >= 3.0f ? v : v * (v + 3.0f) * 0.166666672f));
    }
}

void EL_REF(hard_swish_bwd)(int32_t count, const el_real *x, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&dx[i], v <= -3.0f ? 0.0f : (v >= 3.0f ? get(&dy[i]) : get(&dy[i]) * (2.0f * v + 3.0f) * 0.166666672f));
    }
}

void EL_REF(hard_swish_signed_fwd)(int32_t count, const el_real *x, el_real *y, uint8_t *mask)
{
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&y[i], v <= -3.0f ? 0.0f : (v >= 3.0f ? v : v * (v + 3.0f) * 0.166666672f));
        bits |= (uint32_t)(v >= 0.0f) << (i & 7);
        if (mask != NULL && ((i & 7) == 7 || i == count - 1)) {
            mask[i / 8] = (uint8_t)bits;
            bits = 0;
        }
    }
}

void EL_REF(elu_fwd)(int32_t count, float alpha, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&y[i], v < 0.0f ? alpha * (el_expf(v) - 1.0f) : v);
    }
}

void EL_REF(elu_bwd)(int32_t count, float alpha, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&y[i]) < 0.0f ? get(&dy[i]) * (get(&y[i]) + alpha) : get(&dy[i]));
    }
}

void EL_REF(prelu_fwd)(int32_t rows, int32_t channels, const el_real *x, const el_real *slope, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            const float v = get(x++);
            put(y++, v < 0.0f ? get(&slope[c]) * v : v);
        }
    }
}

void EL_REF(prelu_bwd_x)(int32_t rows, int32_t channels, const el_real *x, const el_real *dy, const el_real *slope,
                         el_real *dx)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            const float d = get(dy++);
            put(dx++, get(x++) < 0.0f ? get(&slope[c]) * d : d);
        }
    }
}

void EL_REF(prelu_bwd_w)(int32_t rows, int32_t channels, float scale, const el_real *x, const el_real *dy,
                         el_real *dslope)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t k = c; k < rows * channels; k += channels) {
            acc += get(&x[k]) < 0.0f ? get(&x[k]) * get(&dy[k]) : 0.0f;
        }
        add(&dslope[c], scale * acc);
    }
}
