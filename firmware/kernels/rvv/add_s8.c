/* Sums and differences of int8 maps in vectors of RISC-V. See rescale_s8.h for the rounding. */
#include "rescale_s8.h"

/* Four bytes to a lane, 20 bits behind the point, on the scale that both operands share. */
EL_INLINE vint32m4_t shared(const int8_t *x, int32_t zero, int32_t multiplier, int32_t shift, size_t vl)
{
    const vint16m2_t centred = __riscv_vwsub_vx_i16m2(__riscv_vle8_v_i8m1(x, vl), (int8_t)zero, vl);
    return el_scaled(__riscv_vsll_vx_i32m4(__riscv_vsext_vf2_i32m4(centred, vl), 20, vl), multiplier, shift, vl);
}

EL_INLINE void rows(const el_add_s8 *s, const int minus, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t r = 0; r < s->rows; r++, a += s->channels, y += s->channels) {
        for (int32_t c = 0; c < s->channels;) {
            const size_t vl = __riscv_vsetvl_e32m4((size_t)(s->channels - c));
            const vint32m4_t first = shared(a + c, s->a_zero, s->a_multiplier, s->a_shift, vl);
            const vint32m4_t second = shared(b + c, s->b_zero, s->b_multiplier, s->b_shift, vl);
            vint32m4_t v = minus ? __riscv_vsub_vv_i32m4(first, second, vl) : __riscv_vadd_vv_i32m4(first, second, vl);
            v = __riscv_vsadd_vx_i32m4(el_scaled(v, s->y_multiplier, s->y_shift, vl), s->y_zero, vl);
            v = __riscv_vmin_vx_i32m4(__riscv_vmax_vx_i32m4(v, s->min, vl), s->max, vl);
            __riscv_vse8_v_i8m1(y + c, __riscv_vnsra_wx_i8m1(__riscv_vnsra_wx_i16m2(v, 0, vl), 0, vl), vl);
            c += (int32_t)vl;
        }
    }
}

void el_add_fwd_s8__rvv(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    rows(s, 0, a, b, y);
}

void el_sub_fwd_s8__rvv(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    rows(s, 1, a, b, y);
}
