/* Fully connected layers in halves: all sums are floats, by multiply-adds that widen. */
#include "f16.h"

void el_dense_fwd_f16__rvv(int32_t in, int32_t out, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y)
{
    const size_t all = __riscv_vsetvlmax_e16m4();
    const vfloat32m1_t zero = __riscv_vfmv_v_f_f32m1(0.0f, 1);
    for (int32_t o = 0; o < out; o++) {
        vfloat32m8_t sum = __riscv_vfmv_v_f_f32m8(0.0f, all);
        for (int32_t i = 0; i < in;) {
            const size_t n = __riscv_vsetvl_e16m4((size_t)(in - i));
            sum = __riscv_vfwmacc_vv_f32m8_tu(sum, __riscv_vle16_v_f16m4(x + i, n), __riscv_vle16_v_f16m4(w, n), n);
            w += n;
            i += (int32_t)n;
        }
        const float total = __riscv_vfmv_f_s_f32m1_f32(__riscv_vfredusum_vs_f32m8_f32m1(sum, zero, all));
        y[o] = (el_f16)((b != 0 ? (float)b[o] : 0.0f) + total);
    }
}

void el_dense_bwd_x_f16__rvv(int32_t in, int32_t out, const el_f16 *dy, const el_f16 *w, el_f16 *dx)
{
    for (int32_t i = 0; i < in;) {
        const size_t n = __riscv_vsetvl_e16m4((size_t)(in - i));
        const el_f16 *p = w + i;
        vfloat32m8_t sum = __riscv_vfmv_v_f_f32m8(0.0f, n);
#pragma clang loop unroll_count(4)
        for (int32_t o = 0; o < out; o++, p += in) {
            sum = __riscv_vfwmacc_vf_f32m8(sum, dy[o], __riscv_vle16_v_f16m4(p, n), n);
        }
        __riscv_vse16_v_f16m4(dx + i, __riscv_vfncvt_f_f_w_f16m4(sum, n), n);
        i += (int32_t)n;
    }
}

/* scale * dy may be too small for a half. */
void el_dense_bwd_w_f16__rvv(int32_t in, int32_t out, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw)
{
    for (int32_t i = 0; i < in;) {
        const size_t n = __riscv_vsetvl_e16m4((size_t)(in - i));
        const vfloat32m8_t v = __riscv_vfwcvt_f_f_v_f32m8(__riscv_vle16_v_f16m4(x + i, n), n);
        el_f16 *p = dw + i;
        for (int32_t o = 0; o < out; o++, p += in) {
            const vfloat32m8_t old = __riscv_vfwcvt_f_f_v_f32m8(__riscv_vle16_v_f16m4(p, n), n);
            const vfloat32m8_t sum = __riscv_vfmacc_vf_f32m8(old, scale * (float)dy[o], v, n);
            __riscv_vse16_v_f16m4(p, __riscv_vfncvt_f_f_w_f16m4(sum, n), n);
        }
        i += (int32_t)n;
    }
}

/* EL_SUM_ROWS rows are summed apart. */
void el_bias_bwd_f16__rvv(int32_t rows, int32_t channels, int32_t pitch, float scale, const el_f16 *dy, el_f16 *db)
{
    for (int32_t c = 0; c < channels;) {
        const size_t n = __riscv_vsetvl_e16m4((size_t)(channels - c));
        const el_f16 *p = dy + c;
        vfloat32m8_t sum = __riscv_vfmv_v_f_f32m8(0.0f, n);
        for (int32_t left = rows; left > 0;) {
            const int32_t count = left < EL_SUM_ROWS ? left : EL_SUM_ROWS;
            vfloat32m8_t part = __riscv_vfmv_v_f_f32m8(0.0f, n);
            for (int32_t r = 0; r < count; r++, p += pitch) {
                part = __riscv_vfwadd_wv_f32m8(part, __riscv_vle16_v_f16m4(p, n), n);
            }
            sum = __riscv_vfadd_vv_f32m8(sum, part, n);
            left -= count;
        }
        const vfloat32m8_t old = __riscv_vfwcvt_f_f_v_f32m8(__riscv_vle16_v_f16m4(db + c, n), n);
        __riscv_vse16_v_f16m4(db + c, __riscv_vfncvt_f_f_w_f16m4(__riscv_vfmacc_vf_f32m8(old, scale, sum, n), n), n);
        c += (int32_t)n;
    }
}
