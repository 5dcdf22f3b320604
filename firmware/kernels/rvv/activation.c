/* ReLU in 32-bit floats. */
#include "f32.h"

#define EL_GROUP m8
#define EL_AS_BITS __riscv_vreinterpret_u32m8
#define EL_LOAD_MASK __riscv_vlm_v_b4
typedef uint32_t el_bits;
typedef vbool4_t el_mask;

EL_INLINE vfloat32m8_t el_scaled(el_mask mask, vfloat32m8_t v, float slope, size_t n)
{
    return __riscv_vfmul_vf_f32m8_mu(mask, v, v, slope, n);
}

EL_INLINE uint32_t el_span(float max)
{
    const union {
        float f;
        uint32_t u;
    } limit = {max};
    return max > 0.0f ? limit.u - 1u : 0u;
}

#include "relu.h"
