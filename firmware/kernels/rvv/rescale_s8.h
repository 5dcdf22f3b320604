/* Sums of int8 products to int8: el_rescale and el_to_s8 of el/quant.h in vectors of RISC-V.
 *
 * VSMUL is the rounded product, saturating where no caller comes. VSSRA rounds ties up: of what is negative and will be
 * shifted one is taken off first. */
#ifndef EL_RVV_RESCALE_S8_H
#define EL_RVV_RESCALE_S8_H

#include "../product_s8/layer.h"

#include <riscv_vector.h>

/* Whether all shifts are to the right, by one at least. */
EL_INLINE int el_rightwards(const int32_t *shift, int32_t channels)
{
    int right = 1;
    for (int32_t c = 0; c < channels; c++) {
        right &= shift[c] < 0 && shift[c] > -32;
    }
    return right;
}

/* Of sums that were multiplied: shifted, rounded and narrowed at once. */
EL_INLINE vint16m2_t el_shifted_right(const el_layer_s8 *l, int32_t channel, vint32m4_t v, size_t vl)
{
    const vint16m2_t shift = __riscv_vnsra_wx_i16m2(__riscv_vle32_v_i32m4(l->shift + channel, vl), 0, vl);
    const vuint16m2_t n = __riscv_vreinterpret_v_i16m2_u16m2(__riscv_vrsub_vx_i16m2(shift, 0, vl));
    v = __riscv_vsadd_vv_i32m4(v, __riscv_vsra_vx_i32m4(v, 31, vl), vl);
    return __riscv_vnclip_wv_i16m2(v, n, __RISCV_VXRM_RNU, vl);
}

/* The same where some shifts are to the left or nothing. */
EL_INLINE vint16m2_t el_shifted(const el_layer_s8 *l, int32_t channel, vint32m4_t v, size_t vl)
{
    const vint32m4_t right = __riscv_vmin_vx_i32m4(__riscv_vle32_v_i32m4(l->shift + channel, vl), 0, vl);
    const vint32m4_t n = __riscv_vrsub_vx_i32m4(right, 0, vl);
    v = __riscv_vsadd_vv_i32m4(v, __riscv_vsra_vx_i32m4(__riscv_vand_vv_i32m4(v, right, vl), 31, vl), vl);
    v = __riscv_vssra_vv_i32m4(v, __riscv_vreinterpret_v_i32m4_u32m4(n), __RISCV_VXRM_RNU, vl);
    return __riscv_vnclip_wx_i16m2(v, 0, __RISCV_VXRM_RNU, vl);
}

/* `vl` channels from `channel` on, stored at y; l->left unless all shifts are el_rightwards(). What leaves 16 bits is
 * beyond int8 with any zero point. */
EL_INLINE void el_rescale_vector_s8(const el_layer_s8 *l, int32_t channel, vint32m4_t v, int8_t *y, size_t vl)
{
    if (l->left) {
        const vint32m4_t left = __riscv_vmax_vx_i32m4(__riscv_vle32_v_i32m4(l->shift + channel, vl), 0, vl);
        v = __riscv_vsll_vv_i32m4(v, __riscv_vreinterpret_v_i32m4_u32m4(left), vl);
    }
    v = __riscv_vsmul_vv_i32m4(v, __riscv_vle32_v_i32m4(l->multiplier + channel, vl), __RISCV_VXRM_RNU, vl);
    const vint16m2_t rounded = l->left ? el_shifted(l, channel, v, vl) : el_shifted_right(l, channel, v, vl);
    const vint16m2_t moved = __riscv_vsadd_vx_i16m2(rounded, (int16_t)l->y_zero, vl);
    const vint8m1_t bytes = __riscv_vnclip_wx_i8m1(moved, 0, __RISCV_VXRM_RNU, vl);
    __riscv_vse8_v_i8m1(y, __riscv_vmin_vx_i8m1(__riscv_vmax_vx_i8m1(bytes, (int8_t)l->min, vl), (int8_t)l->max, vl),
                        vl);
}

/* v times one factor: el_rescale() of el/quant.h. */
EL_INLINE vint32m4_t el_scaled(vint32m4_t v, int32_t multiplier, int32_t shift, size_t vl)
{
    if (shift > 0) {
        v = __riscv_vsll_vx_i32m4(v, (size_t)shift, vl);
    }
    v = __riscv_vsmul_vx_i32m4(v, multiplier, __RISCV_VXRM_RNU, vl);
    if (shift < 0) {
        v = __riscv_vsadd_vv_i32m4(v, __riscv_vsra_vx_i32m4(v, 31, vl), vl);
        v = __riscv_vssra_vx_i32m4(v, (size_t)-shift, __RISCV_VXRM_RNU, vl);
    }
    return v;
}

#endif
