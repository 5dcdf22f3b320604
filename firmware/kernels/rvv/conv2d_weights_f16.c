/* Convolution in halves: the gradient of w, whose sums over positions are floats. */
#include "f16.h"

/* The floats become the halves (fresh) or grow by them. */
static void el_widen(int32_t count, int fresh, const el_t *halves, float *floats)
{
    for (size_t n; count > 0; count -= (int32_t)n, halves += n, floats += n) {
        n = EL_VL(m4, count);
        const vfloat16m4_t h = __riscv_vle16_v_f16m4(halves, n);
        const vfloat32m8_t sum =
            fresh ? __riscv_vfwcvt_f_f_v_f32m8(h, n) : __riscv_vfwadd_wv_f32m8(__riscv_vle32_v_f32m8(floats, n), h, n);
        __riscv_vse32_v_f32m8(floats, sum, n);
    }
}

/* y += scale * (the floats + the halves), rounded once, the floats being nothing if fresh; columns of y are `apart`
 * elements apart, rows ldy. */
static void el_update(int32_t rows, int32_t cols, float scale, int fresh, const el_t *halves, const float *floats,
                      int32_t apart, el_t *y, int32_t ldy)
{
    const ptrdiff_t bytes = apart * (ptrdiff_t)sizeof(el_t);
    for (; rows > 0; rows--, y += ldy) {
        el_t *to = y;
        size_t n;
        for (int32_t left = cols; left > 0; left -= (int32_t)n, halves += n, floats += n, to += (int32_t)n * apart) {
            n = EL_VL(m4, left);
            const vfloat16m4_t h = __riscv_vle16_v_f16m4(halves, n);
            const vfloat16m4_t old = apart == 1 ? __riscv_vle16_v_f16m4(to, n) : __riscv_vlse16_v_f16m4(to, bytes, n);
            const vfloat32m8_t sum = fresh ? __riscv_vfwcvt_f_f_v_f32m8(h, n)
                                           : __riscv_vfwadd_wv_f32m8(__riscv_vle32_v_f32m8(floats, n), h, n);
            const vfloat32m8_t total = scale == 1.0f
                                           ? __riscv_vfwadd_wv_f32m8(sum, old, n)
                                           : __riscv_vfmacc_vf_f32m8(__riscv_vfwcvt_f_f_v_f32m8(old, n), scale, sum, n);
            const vfloat16m4_t rounded = __riscv_vfncvt_f_f_w_f16m4(total, n);
            if (apart == 1) {
                __riscv_vse16_v_f16m4(to, rounded, n);
            } else {
                __riscv_vsse16_v_f16m4(to, bytes, rounded, n);
            }
        }
    }
}

#define EL_LONGEST EL_SUM_TERMS
#define EL_START(H, M) int fresh = 1
#define EL_PUT(i, M) EL_VMEM(vse, M)(halves + (i) * (int32_t)vl, c##i, vl);
#define EL_FLOATS(t) ((float *)(void *)((char *)(t)->sums + EL_TILE_HEIGHT * EL_TILE_BYTES))
#define EL_DRAIN(H, M, last)                                                                                           \
    if (!(last)) {                                                                                                     \
        el_t *const halves = t->sums;                                                                                  \
        EL_ROWS##H(EL_PUT, M) el_widen((H) * (int32_t)vl, fresh, halves, EL_FLOATS(t));                                \
        EL_ROWS##H(EL_ZERO, M) fresh = 0;                                                                              \
    }
#define EL_ADD(i, M) EL_VMEM(vse, M)(y, EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vle, M)(y, vl), vl), vl), y += ldy;
#define EL_ADD_APART(i, M)                                                                                             \
    EL_VMEM(vsse, M)(y, bytes, EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vlse, M)(y, bytes, vl), vl), vl), y += ldy;
#define EL_FINISH(H, M)                                                                                                \
    if (!fresh || t->scale != 1.0f) {                                                                                  \
        el_t *const halves = t->sums;                                                                                  \
        EL_ROWS##H(EL_PUT, M) el_update(H, (int32_t)vl, t->scale, fresh, halves, EL_FLOATS(t), t->apart, y, ldy),      \
            y += (H)*ldy;                                                                                              \
    } else if (t->apart == 1) {                                                                                        \
        EL_ROWS##H(EL_ADD, M)                                                                                          \
    } else {                                                                                                           \
        EL_ROWS##H(EL_ADD_APART, M)                                                                                    \
    }                                                                                                                  \
    (void)v, (void)bytes

#include "weights.h"

void el_conv2d_bwd_w_f16__rvv(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                              void *scratch)
{
    el_product_weights(s, scale, x, dy, dw, scratch);
}
