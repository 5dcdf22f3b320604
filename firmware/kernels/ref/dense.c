/* Fully connected layer, w [out][in], and the gradient of a per-channel bias. */
#include "weights.h"

#include <stddef.h>

#ifndef EL_EXACT
void EL_LAYER(dense, fwd)(int32_t in, int32_t out, EL_SCALARS const el_real *x, EL_WEIGHTS, const el_real *b,
                          el_real *y)
{
    for (int32_t o = 0; o < out; o++) {
        EL_SUM acc = EL_SUM_OF(b != NULL ? get(&b[o]) : 0.0f);
        for (int32_t i = 0; i < in; i++) {
            EL_TERM(acc, &x[i], o * in + i);
        }
        put(&y[o], EL_TOTAL(acc));
    }
}
#endif

void EL_LAYER(dense, bwd_x)(int32_t in, int32_t out, int32_t pitch, EL_SCALARS const el_real *dy, EL_WEIGHTS,
                            EL_AND_X el_real *dx)
{
    for (int32_t i = 0; i < in; i++) {
        EL_SUM acc = EL_SUM_OF(0.0f);
        for (int32_t o = 0; o < out; o++) {
            EL_TERM_OF_X(acc, &dy[o], o * pitch + i, &x[i]);
        }
        put(&dx[i], EL_TOTAL(acc));
    }
}

#ifndef EL_SHIFT
void EL_LAYER(dense, bwd_w)(int32_t in, int32_t out, float scale, const el_real *x, const el_real *dy,
                            EL_AND_W el_real *dw)
{
    for (int32_t o = 0; o < out; o++) {
        const float d = EL_MUL(scale, get(&dy[o]));
        for (int32_t i = 0; i < in; i++) {
            add_product(dw++, d, EL_FACTOR_OF_W(&x[i], w));
            EL_NEXT(w);
        }
    }
}
#endif

#if !defined(EL_SHIFT) && !defined(EL_EXACT)
void EL_REF(bias_bwd)(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        EL_SUM sum = EL_SUM_OF(0.0f);
        for (int32_t r = 0; r < rows;) {
            EL_SUM part = EL_SUM_OF(0.0f);
            for (const int32_t end = rows - r < EL_SUM_ROWS ? rows : r + EL_SUM_ROWS; r < end; r++) {
                EL_PLUS(part, get(&dy[r * pitch + c]));
            }
            EL_PLUS(sum, EL_TOTAL(part));
        }
        add_product(&db[c], scale, EL_TOTAL(sum));
    }
}
#endif
