/* Fully connected layers in 32-bit floats: each weight is met once, so that what counts is how few other instructions
 * there are. */
#include "f32.h"

EL_INLINE int32_t lower(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Sums of four outputs, a group of four registers each; with x and a row of w six of the eight groups. */
enum { EL_MOST = 4 };
#define EL_OUTPUTS(X) X(0) X(1) X(2) X(3)
#define EL_DECLARE(o)                                                                                                  \
    const float *p##o = w + lower(o, outputs - 1) * in;                                                                \
    vfloat32m4_t s##o = __riscv_vfmv_v_f_f32m4(0.0f, all);
#define EL_TERMS(o) s##o = __riscv_vfmacc_vv_f32m4_tu(s##o, v, __riscv_vle32_v_f32m4(p##o, n), n), p##o += n;
#define EL_RESULT(o)                                                                                                   \
    if (o < outputs) {                                                                                                 \
        const vfloat32m1_t sum = __riscv_vfredusum_vs_f32m4_f32m1(s##o, zero, all);                                    \
        y[o] = (b != 0 ? b[o] : 0.0f) + __riscv_vfmv_f_s_f32m1_f32(sum);                                               \
    }

static void el_outputs(int32_t in, int32_t outputs, const float *x, const float *w, const float *b, float *y)
{
    const size_t all = EL_VL(m4, EL_VLMAX(m4));
    const vfloat32m1_t zero = __riscv_vfmv_v_f_f32m1(0.0f, 1);
    EL_OUTPUTS(EL_DECLARE)
    for (int32_t i = 0; i < in;) {
        const size_t n = EL_VL(m4, in - i);
        const vfloat32m4_t v = __riscv_vle32_v_f32m4(x + i, n);
        EL_OUTPUTS(EL_TERMS)
        i += (int32_t)n;
    }
    EL_OUTPUTS(EL_RESULT)
}

void el_dense_fwd_f32__rvv(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    for (int32_t o = 0; o < out; o += EL_MOST) {
        el_outputs(in, lower(EL_MOST, out - o), x, w + o * in, b != 0 ? b + o : 0, y + o);
    }
}

/* dx along a group of eight registers. */
void el_dense_bwd_x_f32__rvv(int32_t in, int32_t out, const float *dy, const float *w, float *dx)
{
    for (int32_t i = 0; i < in;) {
        const size_t n = EL_VL(m8, in - i);
        const float *p = w + i;
        vfloat32m8_t sum = __riscv_vfmv_v_f_f32m8(0.0f, n);
#pragma clang loop unroll_count(4)
        for (int32_t o = 0; o < out; o++, p += in) {
            sum = __riscv_vfmacc_vf_f32m8(sum, dy[o], __riscv_vle32_v_f32m8(p, n), n);
        }
        __riscv_vse32_v_f32m8(dx + i, sum, n);
        i += (int32_t)n;
    }
}

void el_dense_bwd_w_f32__rvv(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
    for (int32_t i = 0; i < in;) {
        const size_t n = EL_VL(m8, in - i);
        const vfloat32m8_t v = __riscv_vle32_v_f32m8(x + i, n);
        float *p = dw + i;
#pragma clang loop unroll_count(4)
        for (int32_t o = 0; o < out; o++, p += in) {
            __riscv_vse32_v_f32m8(p, __riscv_vfmacc_vf_f32m8(__riscv_vle32_v_f32m8(p, n), scale * dy[o], v, n), n);
        }
        i += (int32_t)n;
    }
}

/* EL_SUM_ROWS rows are summed apart. */
void el_bias_bwd_f32__rvv(int32_t rows, int32_t channels, int32_t pitch, float scale, const float *dy, float *db)
{
    for (int32_t c = 0; c < channels;) {
        const size_t n = EL_VL(m8, channels - c);
        vfloat32m8_t sum = __riscv_vfmv_v_f_f32m8(0.0f, n);
        const float *p = dy + c;
        for (int32_t left = rows; left > 0;) {
            vfloat32m8_t part = __riscv_vle32_v_f32m8(p, n);
            const int32_t count = lower(left, EL_SUM_ROWS);
            p += pitch;
            for (int32_t r = 1; r < count; r++, p += pitch) {
                part = __riscv_vfadd_vv_f32m8(part, __riscv_vle32_v_f32m8(p, n), n);
            }
            sum = __riscv_vfadd_vv_f32m8(sum, part, n);
            left -= count;
        }
        const vfloat32m8_t old = __riscv_vle32_v_f32m8(db + c, n);
        __riscv_vse32_v_f32m8(db + c, __riscv_vfmacc_vf_f32m8(old, scale, sum, n), n);
        c += (int32_t)n;
    }
}
