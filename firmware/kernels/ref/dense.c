/* Fully connected layer, w [out][in], and the gradient of a per-channel bias. */
#include "weights.h"

#include <stddef.h>

void EL_LAYER(dense, fwd)(int32_t in, int32_t out, EL_SCALARS const el_real *x, EL_WEIGHTS, const el_real *b,
                          el_real *y)
{
    for (int32_t o = 0; o < out; o++) {
        float acc = b != NULL ? get(&b[o]) : 0.0f;
        for (int32_t i = 0; i < in; i++) {
            acc += EL_TIMES(&x[i], o * in + i);
        }
        put(&y[o], acc);
    }
}

void EL_LAYER(dense, bwd_x)(int32_t in, int32_t out, int32_t pitch, EL_SCALARS const el_real *dy, EL_WEIGHTS,
                            el_real *dx)
{
    for (int32_t i = 0; i < in; i++) {
        float acc = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            acc += EL_TIMES(&dy[o], o * pitch + i);
        }
        put(&dx[i], acc);
    }
}

#ifndef EL_SHIFT
void EL_REF(dense_bwd_w)(int32_t in, int32_t out, float scale, const el_real *x, const el_real *dy, el_real *dw)
{
    for (int32_t o = 0; o < out; o++) {
        const float d = scale * get(&dy[o]);
        for (int32_t i = 0; i < in; i++) {
            add(dw++, d * get(&x[i]));
        }
    }
}

void EL_REF(bias_bwd)(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int32_t r = 0; r < rows;) {
            float part = 0.0f;
            for (const int32_t end = rows - r < EL_SUM_ROWS ? rows : r + EL_SUM_ROWS; r < end; r++) {
                part += get(&dy[r * pitch + c]);
            }
            sum += part;
        }
        add(&db[c], scale * sum);
    }
}
#endif
