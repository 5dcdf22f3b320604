/* Between halves and what lies beside them: floats, and int8. Nothing may run in place. */
#include "el/kernels.h"
#include "el/quant.h"

void el_narrow_fwd_f16__ref(int32_t count, const float *x, el_f16 *y)
{
    for (int32_t i = 0; i < count; i++) {
        el_f16_store(&y[i], x[i]);
    }
}

void el_widen_fwd_f16__ref(int32_t count, const el_f16 *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = el_f16_load(&x[i]);
    }
}

void el_quantize_fwd_f16__ref(int32_t count, int32_t zero, int32_t even, float scale, const el_f16 *x, int8_t *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = el_round_s8(el_f16_load(&x[i]) / scale, zero, even);
    }
}

void el_dequantize_fwd_f16__ref(int32_t count, int32_t zero, float scale, const int8_t *x, el_f16 *y)
{
    for (int32_t i = 0; i < count; i++) {
        el_f16_store(&y[i], scale * (float)(x[i] - zero));
    }
}
