/* Pools of int8 maps across channels, in vectors of RISC-V. Padding never wins a maximum and is not summed. */
#include "rescale_s8.h"

#include "../product_s8/inside.h"

enum { EL_PART = 128 /* bytes whose sum stays within 16 bits */ };

void el_max_pool2d_fwd_s8__rvv(const el_window *s, int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++, y += channels) {
        const el_inside part = el_inside_of(s, x, o);
        size_t n;
        for (int32_t c = 0; c < channels; c += (int32_t)n) {
            n = __riscv_vsetvl_e8m8((size_t)(channels - c));
            vint8m8_t best = __riscv_vmv_v_x_i8m8((int8_t)min, n);
            const int8_t *row = part.from + c;
            for (int32_t r = 0; r < part.rows; r++, row += s->in_w * channels) {
                const int8_t *p = row;
                for (int32_t k = 0; k < part.columns; k++, p += channels) {
                    best = __riscv_vmax_vv_i8m8(best, __riscv_vle8_v_i8m8(p, n), n);
                }
            }
            __riscv_vse8_v_i8m8(y + c, __riscv_vmin_vx_i8m8(best, (int8_t)max, n), n);
        }
    }
}

/* The sum of a part's bytes, n channels from c on. */
EL_INLINE vint32m4_t el_summed(const el_inside *part, int32_t row_step, int32_t channels, int32_t c, size_t n)
{
    vint32m4_t sum = __riscv_vmv_v_x_i32m4(0, n);
    vint16m2_t some = __riscv_vmv_v_x_i16m2(0, n);
    const int8_t *row = part->from + c;
    int32_t left = EL_PART;
    for (int32_t r = 0; r < part->rows; r++, row += row_step) {
        const int8_t *p = row;
        for (int32_t k = 0; k < part->columns; k++, p += channels) {
            some = __riscv_vwadd_wv_i16m2(some, __riscv_vle8_v_i8m1(p, n), n);
            if (--left == 0) {
                sum = __riscv_vwadd_wv_i32m4(sum, some, n);
                some = __riscv_vmv_v_x_i16m2(0, n);
                left = EL_PART;
            }
        }
    }
    return __riscv_vwadd_wv_i32m4(sum, some, n);
}

void el_mean_fwd_s8__rvv(const el_window *s, int32_t multiplier, int32_t shift, int32_t x_zero, int32_t y_zero,
                         int32_t min, int32_t max, const int8_t *x, int8_t *y)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++, y += channels) {
        const el_inside part = el_inside_of(s, x, o);
        const int32_t zeros = part.rows * part.columns * x_zero;
        size_t n;
        for (int32_t c = 0; c < channels; c += (int32_t)n) {
            n = __riscv_vsetvl_e32m4((size_t)(channels - c));
            vint32m4_t v = el_summed(&part, s->in_w * channels, channels, c, n);
            v = el_scaled(__riscv_vsub_vx_i32m4(v, zeros, n), multiplier, shift, n);
            v = __riscv_vsadd_vx_i32m4(v, y_zero, n);
            v = __riscv_vmin_vx_i32m4(__riscv_vmax_vx_i32m4(v, min, n), max, n);
            __riscv_vse8_v_i8m1(y + c, __riscv_vnsra_wx_i8m1(__riscv_vnsra_wx_i16m2(v, 0, n), 0, n), n);
        }
    }
}
