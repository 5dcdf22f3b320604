/* Sums of int8 products to int8: el_rescale and el_to_s8 of el/quant.h in vectors of RISC-V.
 *
 * VSMUL is the rounded product, saturating where no caller comes. VSSRA rounds ties up: of what is negative and will be
 * shifted one is taken off first. */
#ifndef EL_RVV_RESCALE_S8_H
#define EL_RVV_RESCALE_S8_H

#include "../product_s8/layer.h"

#include <riscv_vector.h>

/* `vl` channels from `channel` on, stored at y. */
EL_INLINE void el_rescale_vector_s8(const el_layer_s8 *l, int32_t channel, vint32m4_t v, int8_t *y, size_t vl)
{
    const vint32m4_t shift = __riscv_vle32_v_i32m4(l->shift + channel, vl);
    const vint32m4_t right = __riscv_vmin_vx_i32m4(shift, 0, vl);
    const vint32m4_t left = __riscv_vmax_vx_i32m4(shift, 0, vl);
    v = __riscv_vsll_vv_i32m4(v, __riscv_vreinterpret_v_i32m4_u32m4(left), vl);
    v = __riscv_vsmul_vv_i32m4(v, __riscv_vle32_v_i32m4(l->multiplier + channel, vl), __RISCV_VXRM_RNU, vl);
    v = __riscv_vsadd_vv_i32m4(v, __riscv_vsra_vx_i32m4(__riscv_vand_vv_i32m4(v, right, vl), 31, vl), vl);
    const vint32m4_t n = __riscv_vrsub_vx_i32m4(right, 0, vl);
    v = __riscv_vssra_vv_i32m4(v, __riscv_vreinterpret_v_i32m4_u32m4(n), __RISCV_VXRM_RNU, vl);
    v = __riscv_vsadd_vx_i32m4(v, l->y_zero, vl);
    v = __riscv_vmin_vx_i32m4(__riscv_vmax_vx_i32m4(v, l->min, vl), l->max, vl);
    __riscv_vse8_v_i8m1(y, __riscv_vnsra_wx_i8m1(__riscv_vnsra_wx_i16m2(v, 0, vl), 0, vl), vl);
}

#endif
