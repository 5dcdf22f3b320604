/* Tables of int8 and the way back to real numbers on Helium. */
#include "../product_s8/layer.h"

#include <arm_mve.h>

void el_table_fwd_s8__mve(int32_t count, const int8_t *x, const int8_t *table, int8_t *y)
{
    const uint8x16_t middle = vdupq_n_u8(128);
    for (int32_t i = 0; i < count; i += 16) {
        const mve_pred16_t p = vctp8q((uint32_t)(count - i));
        const uint8x16_t at = veorq_u8(vldrbq_z_u8((const uint8_t *)x + i, p), middle);
        vstrbq_p_s8(y + i, vldrbq_gather_offset_z_s8(table, at, p), p);
    }
}

void el_dequantize_fwd_s8__mve(int32_t count, int32_t zero, float scale, const int8_t *x, float *y)
{
    for (int32_t i = 0; i < count; i += 4) {
        const mve_pred16_t p = vctp32q((uint32_t)(count - i));
        const int32x4_t v = vsubq_n_s32(vldrbq_z_s32(x + i, p), zero);
        vstrwq_p_f32(y + i, vmulq_n_f32(vcvtq_f32_s32(v), scale), p);
    }
}
