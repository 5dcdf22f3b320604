/* ReLU in halves. */
#include "f16.h"

#define EL_GROUP m8
#define EL_AS_BITS __riscv_vreinterpret_u16m8
#define EL_LOAD_MASK __riscv_vlm_v_b2
typedef uint16_t el_bits;
typedef vbool2_t el_mask;

EL_INLINE vfloat16m4_t el_times(vfloat16m4_t v, float slope, size_t n)
{
    return __riscv_vfncvt_f_f_w_f16m4(__riscv_vfmul_vf_f32m8(__riscv_vfwcvt_f_f_v_f32m8(v, n), slope, n), n);
}

/* The slope is a float, which a half could not say exactly. */
EL_INLINE vfloat16m8_t el_scaled(el_mask mask, vfloat16m8_t v, float slope, size_t n)
{
    if (slope == 0.0f) {
        return __riscv_vfmul_vf_f16m8_mu(mask, v, v, 0, n);
    }
    const size_t half = __riscv_vsetvlmax_e16m4();
    const vfloat16m4_t low = el_times(__riscv_vget_v_f16m8_f16m4(v, 0), slope, half);
    const vfloat16m4_t high = el_times(__riscv_vget_v_f16m8_f16m4(v, 1), slope, half);
    return __riscv_vmerge_vvm_f16m8(v, __riscv_vcreate_v_f16m4_f16m8(low, high), mask, n);
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
