/* Elementwise non-linearities; every one of them may run in place. */
#include "../real.h"
#include "el/math.h"

#include <stddef.h>

void EL_REF(relu_fwd)(int32_t count, float slope, float max, const el_real *x, el_real *y, uint8_t *mask)
{
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        const float v = get(&x[i]);
        put(&y[i], v < 0.0f ? EL_MUL(slope, v) : (v > max ? max : v)); /* NaN takes the last branch */
        bits |= (uint32_t)(v > 0.0f && v < max) << (i & 7);
        if (mask != NULL && ((i & 7) == 7 || i == count - 1)) {
            mask[i / 8] = (uint8_t)bits;
            bits = 0;
        }
    }
}

void EL_REF(relu_bwd)(int32_t count, float slope, const el_real *dy, const uint8_t *mask, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], (mask[i / 8] >> (i & 7) & 1) != 0 ? get(&dy[i]) : EL_MUL(slope, get(&dy[i])));
    }
}

#ifndef EL_PAM
void EL_REF(sigmoid_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], el_sigmoidf(get(&x[i])));
    }
}

void EL_REF(sigmoid_bwd)(int32_t count, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&dy[i]) * (get(&y[i]) * (1.0f - get(&y[i]))));
    }
}

void EL_REF(tanh_fwd)(int32_t count, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], el_tanhf(get(&x[i])));
    }
}

void EL_REF(tanh_bwd)(int32_t count, const el_real *y, const el_real *dy, el_real *dx)
{
    for (int32_t i = 0; i < count; i++) {
        put(&dx[i], get(&dy[i]) * (1.0f - get(&y[i]) * get(&y[i])));
    }
}
#endif
