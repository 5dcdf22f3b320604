/* Piecewise non-linearities; every one of them may run in place. NaN takes the branch that passes it on. */
#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

void el_clip_fwd_f32__ref(int32_t count, float low, float high, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = x[i] < low ? low : (x[i] > high ? high : x[i]);
    }
}

void el_clip_bwd_f32__ref(int32_t count, float low, float high, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = y[i] > low && y[i] < high ? dy[i] : 0.0f;
    }
}

void el_hard_sigmoid_fwd_f32__ref(int32_t count, float alpha, float beta, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = alpha * x[i] + beta;
        y[i] = v < 0.0f ? 0.0f : (v > 1.0f ? 1.0f : v);
    }
}

void el_hard_sigmoid_bwd_f32__ref(int32_t count, float alpha, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = y[i] > 0.0f && y[i] < 1.0f ? alpha * dy[i] : 0.0f;
    }
}

void el_hard_swish_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        y[i] = v <= -3.0f ? 0.0f : (v >= 3.0f ? v : v * (v + 3.0f) * 0.166666672f);
    }
}

void el_hard_swish_bwd_f32__ref(int32_t count, const float *x, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        dx[i] = v <= -3.0f ? 0.0f : (v >= 3.0f ? dy[i] : dy[i] * (2.0f * v + 3.0f) * 0.166666672f);
    }
}

void el_hard_swish_signed_fwd_f32__ref(int32_t count, const float *x, float *y, uint8_t *mask)
{
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        y[i] = v <= -3.0f ? 0.0f : (v >= 3.0f ? v : v * (v + 3.0f) * 0.166666672f);
        bits |= (uint32_t)(v >= 0.0f) << (i & 7);
        if (mask != NULL && ((i & 7) == 7 || i == count - 1)) {
            mask[i / 8] = (uint8_t)bits;
            bits = 0;
        }
    }
}

void el_elu_fwd_f32__ref(int32_t count, float alpha, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        y[i] = v < 0.0f ? alpha * (el_expf(v) - 1.0f) : v;
    }
}

void el_elu_bwd_f32__ref(int32_t count, float alpha, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = y[i] < 0.0f ? dy[i] * (y[i] + alpha) : dy[i];
    }
}

void el_prelu_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, const float *slope, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            const float v = *x++;
            *y++ = v < 0.0f ? slope[c] * v : v;
        }
    }
}

void el_prelu_bwd_x_f32__ref(int32_t rows, int32_t channels, const float *x, const float *dy, const float *slope,
                             float *dx)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            const float d = *dy++;
            *dx++ = *x++ < 0.0f ? slope[c] * d : d;
        }
    }
}

void el_prelu_bwd_w_f32__ref(int32_t rows, int32_t channels, float scale, const float *x, const float *dy,
                             float *dslope)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t k = c; k < rows * channels; k += channels) {
            acc += x[k] < 0.0f ? x[k] * dy[k] : 0.0f;
        }
        dslope[c] += scale * acc;
    }
}
