/* Fully connected layer, w [out][in], and the gradient of a per-channel bias. */
#include "el/kernels.h"

#include <stddef.h>

void el_dense_fwd_f32__ref(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    for (int32_t o = 0; o < out; o++) {
        float acc = b != NULL ? b[o] : 0.0f;
        for (int32_t i = 0; i < in; i++) {
            acc += x[i] * *w++;
        }
        y[o] = acc;
    }
}

void el_dense_bwd_x_f32__ref(int32_t in, int32_t out, const float *dy, const float *w, float *dx)
{
    for (int32_t i = 0; i < in; i++) {
        float acc = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            acc += dy[o] * w[o * in + i];
        }
        dx[i] = acc;
    }
}

void el_dense_bwd_w_f32__ref(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
    for (int32_t o = 0; o < out; o++) {
        const float d = scale * dy[o];
        for (int32_t i = 0; i < in; i++) {
            *dw++ += d * x[i];
        }
    }
}

void el_bias_bwd_f32__ref(int32_t rows, int32_t channels, float scale, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int32_t r = 0; r < rows;) {
            float part = 0.0f;
            for (const int32_t end = rows - r < EL_SUM_ROWS ? rows : r + EL_SUM_ROWS; r < end; r++) {
                part += dy[r * channels + c];
            }
            sum += part;
        }
        db[c] += scale * sum;
    }
}
