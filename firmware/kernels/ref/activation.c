/* Elementwise non-linearities; every one of them may run in place. */
#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

void el_relu_fwd_f32__ref(int32_t count, float slope, float max, const float *x, float *y, uint8_t *mask)
{
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        const float v = x[i];
        y[i] = v < 0.0f ? slope * v : (v > max ? max : v); /* NaN takes the last branch */
        bits |= (uint32_t)(v > 0.0f && v < max) << (i & 7);
        if (mask != NULL && ((i & 7) == 7 || i == count - 1)) {
            mask[i / 8] = (uint8_t)bits;
            bits = 0;
        }
    }
}

void el_relu_bwd_f32__ref(int32_t count, float slope, const float *dy, const uint8_t *mask, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = (mask[i / 8] >> (i & 7) & 1) != 0 ? dy[i] : slope * dy[i];
    }
}

void el_sigmoid_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = el_sigmoidf(x[i]);
    }
}

void el_sigmoid_bwd_f32__ref(int32_t count, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = dy[i] * (y[i] * (1.0f - y[i]));
    }
}

void el_tanh_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = el_tanhf(x[i]);
    }
}

void el_tanh_bwd_f32__ref(int32_t count, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
    }
}
