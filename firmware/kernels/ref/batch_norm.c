/* Batch normalisation with frozen statistics: an affine map per channel. */
#include "el/kernels.h"

void el_batch_norm_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, const float *gamma, const float *beta,
                                const float *mean, const float *inv_std, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            *y++ = (*x++ - mean[c]) * (inv_std[c] * gamma[c]) + beta[c];
        }
    }
}

void el_batch_norm_bwd_x_f32__ref(int32_t rows, int32_t channels, const float *dy, const float *gamma,
                                  const float *inv_std, float *dx)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            *dx++ = *dy++ * (gamma[c] * inv_std[c]);
        }
    }
}

void el_batch_norm_bwd_w_f32__ref(int32_t rows, int32_t channels, float scale, const float *x, const float *dy,
                                  const float *mean, const float *inv_std, float *dgamma)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t r = 0; r < rows; r++) {
            acc += dy[r * channels + c] * (x[r * channels + c] - mean[c]);
        }
        dgamma[c] += scale * (acc * inv_std[c]);
    }
}
