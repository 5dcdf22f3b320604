/* ReLU and its bits in 32-bit floats: a mask register holds element i in bit i, as masks in memory do. */
#include "f32.h"

void el_relu_fwd_f32__rvv(int32_t count, float slope, float max, const float *x, float *y, uint8_t *mask)
{
    const union {
        float f;
        uint32_t u;
    } limit = {max};
    const uint32_t span = max > 0.0f ? limit.u - 1u : 0u;
    while (count > 0) {
        const size_t n = EL_VL_ALL(m8, count);
        const vfloat32m8_t v = __riscv_vle32_v_f32m8(x, n);
        vfloat32m8_t r = __riscv_vfmul_vf_f32m8_mu(__riscv_vmflt_vf_f32m8_b4(v, 0.0f, n), v, v, slope, n);
        if (max < __builtin_inff()) { /* a NaN is not above it, and stays */
            r = __riscv_vfmerge_vfm_f32m8(r, max, __riscv_vmfgt_vf_f32m8_b4(v, max, n), n);
        }
        __riscv_vse32_v_f32m8(y, r, n);
        if (mask != 0) { /* the bits of 0 < v < max, less one, are below those of max, less one */
            const vuint32m8_t bits = __riscv_vsub_vx_u32m8(__riscv_vreinterpret_v_f32m8_u32m8(v), 1, n);
            __riscv_vsm_v_b4(mask, __riscv_vmsltu_vx_u32m8_b4(bits, span, n), n);
            if (n % 8 != 0) { /* the last ones: what is beyond them is nothing */
                mask[n / 8] = (uint8_t)(mask[n / 8] & ((1u << n % 8) - 1u));
            }
            mask += n / 8;
        }
        x += n;
        y += n;
        count -= (int32_t)n;
    }
}

void el_relu_bwd_f32__rvv(int32_t count, float slope, const float *dy, const uint8_t *mask, float *dx)
{
    while (count > 0) {
        const size_t n = EL_VL_ALL(m8, count);
        const vfloat32m8_t d = __riscv_vle32_v_f32m8(dy, n);
        const vbool4_t stops = __riscv_vmnot_m_b4(__riscv_vlm_v_b4(mask, n), n);
        __riscv_vse32_v_f32m8(dx, __riscv_vfmul_vf_f32m8_mu(stops, d, d, slope, n), n);
        mask += (n + 7) / 8;
        dy += n;
        dx += n;
        count -= (int32_t)n;
    }
}
