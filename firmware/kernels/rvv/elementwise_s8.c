/* Between int8 and floats, and functions of one byte, in vectors of RISC-V. */
#include "el/kernels.h"

#include <riscv_vector.h>

void el_table_fwd_s8__rvv(int32_t count, const int8_t *x, const int8_t *table, int8_t *y)
{
    for (size_t n; count > 0; count -= (int32_t)n, x += n, y += n) {
        n = __riscv_vsetvl_e8m8((size_t)count);
        const vint8m8_t v = __riscv_vle8_v_i8m8(x, n);
        const vuint8m8_t at = __riscv_vxor_vx_u8m8(__riscv_vreinterpret_v_i8m8_u8m8(v), 0x80, n);
        __riscv_vse8_v_i8m8(y, __riscv_vluxei8_v_i8m8(table, at, n), n);
    }
}

/* A NaN is zero. Beyond 512 steps all is int8's end, whatever the zero point. */
void el_quantize_fwd_s8__rvv(int32_t count, int32_t zero, int32_t even, float scale, const float *x, int8_t *y)
{
    for (size_t n; count > 0; count -= (int32_t)n, x += n, y += n) {
        n = __riscv_vsetvl_e32m4((size_t)count);
        const vfloat32m4_t ratio = __riscv_vfdiv_vf_f32m4(__riscv_vle32_v_f32m4(x, n), scale, n);
        const vbool8_t numbers = __riscv_vmfeq_vv_f32m4_b8(ratio, ratio, n);
        const vint32m4_t near = even ? __riscv_vfcvt_x_f_v_i32m4_rm(ratio, __RISCV_FRM_RNE, n)
                                     : __riscv_vfcvt_x_f_v_i32m4_rm(ratio, __RISCV_FRM_RMM, n);
        const vint32m4_t q = __riscv_vmerge_vvm_i32m4(__riscv_vmv_v_x_i32m4(0, n), near, numbers, n);
        const vint32m4_t v = __riscv_vsadd_vx_i32m4(q, zero, n);
        __riscv_vse8_v_i8m1(
            y, __riscv_vnclip_wx_i8m1(__riscv_vnclip_wx_i16m2(v, 0, __RISCV_VXRM_RNU, n), 0, __RISCV_VXRM_RNU, n), n);
    }
}

void el_dequantize_fwd_s8__rvv(int32_t count, int32_t zero, float scale, const int8_t *x, float *y)
{
    for (size_t n; count > 0; count -= (int32_t)n, x += n, y += n) {
        n = __riscv_vsetvl_e32m4((size_t)count);
        const vint16m2_t centred =
            __riscv_vsub_vx_i16m2(__riscv_vsext_vf2_i16m2(__riscv_vle8_v_i8m1(x, n), n), (int16_t)zero, n);
        __riscv_vse32_v_f32m4(y, __riscv_vfmul_vf_f32m4(__riscv_vfwcvt_f_x_v_f32m4(centred, n), scale, n), n);
    }
}
