/* Batch normalisation with frozen statistics: an affine map per channel. */
#include "../real.h"

void EL_REF(batch_norm_fwd)(int32_t rows, int32_t channels, const el_real *x, const el_real *gamma, const el_real *beta,
                            const float *mean, const float *inv_std, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            put(y++, EL_MUL(get(x++) - mean[c], EL_MUL(inv_std[c], get(&gamma[c]))) + get(&beta[c]));
        }
    }
}

void EL_REF(batch_norm_bwd_x)(int32_t rows, int32_t channels, const el_real *dy, const el_real *gamma,
                              const float *inv_std, el_real *dx)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            put(dx++, EL_MUL(get(dy++), EL_MUL(get(&gamma[c]), inv_std[c])));
        }
    }
}

void EL_REF(batch_norm_bwd_w)(int32_t rows, int32_t channels, float scale, const el_real *x, const el_real *dy,
                              const float *mean, const float *inv_std, el_real *dgamma)
{
    for (int32_t c = 0; c < channels; c++) {
        EL_SUM acc = EL_SUM_OF(0.0f);
        for (int32_t r = 0; r < rows; r++) {
            EL_MAC(acc, get(&dy[r * channels + c]), get(&x[r * channels + c]) - mean[c]);
        }
        add_product(&dgamma[c], scale, EL_MUL(EL_TOTAL(acc), inv_std[c]));
    }
}
