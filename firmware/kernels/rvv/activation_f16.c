/* ReLU in halves. */
#include "f16.h"

#define EL_GROUP m4
#define EL_AS_BITS __riscv_vreinterpret_u16m4
typedef uint16_t el_bits;

/* The slope is a float, which a half could not say exactly. */
EL_INLINE vfloat16m4_t el_scaled(vbool4_t mask, vfloat16m4_t v, float slope, size_t n)
{
    if (slope == 0.0f) {
        return __riscv_vfmul_vf_f16m4_mu(mask, v, v, 0, n);
    }
    const vfloat32m8_t product = __riscv_vfmul_vf_f32m8(__riscv_vfwcvt_f_f_v_f32m8(v, n), slope, n);
    return __riscv_vfncvt_f_f_w_f16m4_mu(mask, v, product, n);
}

/* Where max lies between two halves the lower one is below it. */
EL_INLINE uint32_t el_span(float max)
{
    const union {
        el_f16 h;
        uint16_t u;
    } limit = {(el_f16)max};
    return max > 0.0f ? limit.u - ((float)limit.h < max ? 0u : 1u) : 0u;
}

#include "relu.h"
