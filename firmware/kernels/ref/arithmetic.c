/* Sums and products with an operand that repeats over rows: per channel, one value, or a whole map in one row. */
#include "el/kernels.h"

void el_bias_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, const float *b, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            *y++ = *x++ + b[c];
        }
    }
}

void el_bias_bwd_x_f32__ref(int32_t rows, int32_t channels, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t r = 0; r < rows; r++) {
            acc += dy[r * channels + c];
        }
        db[c] = acc;
    }
}

void el_sub_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, const float *b, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            *y++ = *x++ - b[c];
        }
    }
}

void el_sub_bwd_x_f32__ref(int32_t rows, int32_t channels, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t r = 0; r < rows; r++) {
            acc -= dy[r * channels + c];
        }
        db[c] = acc;
    }
}

void el_mul_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, const float *b, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            *y++ = *x++ * b[c];
        }
    }
}

/* The sum over rows of x * dy in one channel. */
static float product(int32_t rows, int32_t channels, const float *x, const float *dy)
{
    float acc = 0.0f;
    for (int32_t k = 0; k < rows * channels; k += channels) {
        acc += x[k] * dy[k];
    }
    return acc;
}

void el_mul_bwd_x_f32__ref(int32_t rows, int32_t channels, const float *x, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels; c++) {
        db[c] = product(rows, channels, x + c, dy + c);
    }
}

void el_mul_bwd_w_f32__ref(int32_t rows, int32_t channels, float scale, const float *x, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels; c++) {
        db[c] += scale * product(rows, channels, x + c, dy + c);
    }
}

void el_reciprocal_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = 1.0f / x[i];
    }
}

void el_reciprocal_bwd_f32__ref(int32_t count, const float *y, const float *dy, float *dx)
{
    for (int32_t i = 0; i < count; i++) {
        dx[i] = -dy[i] * y[i] * y[i];
    }
}

void el_reshape_fwd_f32__ref(int32_t count, const float *x, float *y)
{
    for (int32_t i = 0; x != y && i < count; i++) {
        y[i] = x[i];
    }
}
