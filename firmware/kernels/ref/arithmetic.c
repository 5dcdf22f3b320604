/* Sums and products with an operand that repeats over rows: per channel, one value, or a whole map in one row. */
#include "../real.h"

void EL_REF(mul_fwd)(int32_t rows, int32_t channels, const el_real *x, const el_real *b, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            put(y++, EL_MUL(get(x++), get(&b[c])));
        }
    }
}

/* The sum over rows of x * dy in one channel. */
static float product(int32_t rows, int32_t channels, const el_real *x, const el_real *dy)
{
    EL_SUM acc = EL_SUM_OF(0.0f);
    for (int32_t k = 0; k < rows * channels; k += channels) {
        EL_MAC(acc, get(&x[k]), get(&dy[k]));
    }
    return EL_TOTAL(acc);
}

void EL_REF(mul_bwd_x)(int32_t rows, int32_t channels, const el_real *x, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        put(&db[c], product(rows, channels, x + c, dy + c));
    }
}

void EL_REF(mul_bwd_w)(int32_t rows, int32_t channels, float scale, const el_real *x, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        add_product(&db[c], scale, product(rows, channels, x + c, dy + c));
    }
}

#ifndef EL_PAM
void EL_REF(bias_fwd)(int32_t rows, int32_t channels, const el_real *x, const el_real *b, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            put(y++, get(x++) + get(&b[c]));
        }
    }
}

void EL_REF(bias_bwd_x)(int32_t rows, int32_t channels, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t r = 0; r < rows; r++) {
            acc += get(&dy[r * channels + c]);
        }
        put(&db[c], acc);
    }
}

void EL_REF(sub_fwd)(int32_t rows, int32_t channels, const el_real *x, const el_real *b, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < channels; c++) {
            put(y++, get(x++) - get(&b[c]));
        }
    }
}

void EL_REF(sub_bwd_x)(int32_t rows, int32_t channels, const el_real *dy, el_real *db)
{
    for (int32_t c = 0; c < channels; c++) {
        float acc = 0.0f;
        for (int32_t r = 0; r < rows; r++) {
            acc -= get(&dy[r * channels + c]);
        }
        put(&db[c], acc);
    }
}

void EL_REF(reciprocal_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], 1.0f / get(&x[i]));
    }
}

void EL_REF(reciprocal_bwd)(int32_t count, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], -get(&dy[i]) * get(&y[i]) * get(&y[i]));
    }
}

void EL_REF(reshape_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; x != y && i < count; i++) {
        put(&y[i], get(&x[i]));
    }
}
#endif
