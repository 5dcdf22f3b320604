/* Convolution in halves: the gradient of w, whose sums over positions are floats. */
#include "f16.h"

#define EL_WIDER_m1 m2
#define EL_WIDER_m2 m4
#define EL_WIDER_m4 m8
#define EL_WIDE_(op, M) __riscv_##op##_f32##M
#define EL_WIDE__(op, M) EL_WIDE_(op, M)
#define EL_WIDE(op, M) EL_WIDE__(op, EL_WIDER_##M)

#define EL_START(H, M)                                                                                                 \
    int32_t budget = EL_SUM_TERMS;                                                                                     \
    int fresh = 1
#define EL_LIMIT(count) count = el_min(count, budget)
#define EL_PUT(i, M) EL_VMEM(vse, M)(halves + (i) * (int32_t)vl, c##i, vl);
#define EL_AWAY(H, M)                                                                                                  \
    el_t *halves = t->sums;                                                                                            \
    EL_ROWS##H(EL_PUT, M)
#define EL_FLOATS(t) ((float *)(void *)((el_t *)(t)->sums + EL_TILE_HEIGHT * EL_VLMAX(m4)))
#define EL_DRAIN(H, M, count)                                                                                          \
    budget -= count;                                                                                                   \
    if (budget == 0) {                                                                                                 \
        EL_AWAY(H, M)                                                                                                  \
        el_widen_##M(H, vl, fresh, halves, EL_FLOATS(t));                                                              \
        EL_ROWS##H(EL_ZERO, M) budget = EL_SUM_TERMS;                                                                  \
        fresh = 0;                                                                                                     \
    }
#define EL_FINISH(H, M)                                                                                                \
    EL_AWAY(H, M)                                                                                                      \
    el_widen_##M(H, vl, fresh, halves, EL_FLOATS(t));                                                                  \
    el_update_##M(H, vl, scale, EL_FLOATS(t), turned ? ldy : 1, y, turned ? 1 : ldy);                                  \
    (void)v

/* el_widen: the floats become the halves (fresh) or grow by them. el_update: y += scale * the floats, rounded once; its
 * columns are `apart` elements apart, rows ldy. */
#define EL_SUMS_OF(M)                                                                                                  \
    static void el_widen_##M(int32_t rows, size_t vl, int fresh, const el_t *halves, float *floats)                    \
    {                                                                                                                  \
        for (; rows > 0; rows--, halves += vl, floats += vl) {                                                         \
            const EL_V(M) h = EL_VMEM(vle, M)(halves, vl);                                                             \
            EL_WIDE(vse32_v, M)                                                                                        \
            (floats,                                                                                                   \
             fresh ? EL_WIDE(vfwcvt_f_f_v, M)(h, vl) : EL_WIDE(vfwadd_wv, M)(EL_WIDE(vle32_v, M)(floats, vl), h, vl),  \
             vl);                                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    static void el_update_##M(int32_t rows, size_t vl, float scale, const float *floats, int32_t apart, el_t *y,       \
                              int32_t ldy)                                                                             \
    {                                                                                                                  \
        for (; rows > 0; rows--, floats += vl, y += ldy) {                                                             \
            const ptrdiff_t bytes = apart * (ptrdiff_t)sizeof(el_t);                                                   \
            const EL_V(M) old = apart == 1 ? EL_VMEM(vle, M)(y, vl) : EL_VMEM(vlse, M)(y, bytes, vl);                  \
            const EL_V(M) sum = EL_VOP(vfncvt_f_f_w, M)(                                                               \
                EL_WIDE(vfmacc_vf, M)(EL_WIDE(vfwcvt_f_f_v, M)(old, vl), scale, EL_WIDE(vle32_v, M)(floats, vl), vl),  \
                vl);                                                                                                   \
            if (apart == 1) {                                                                                          \
                EL_VMEM(vse, M)(y, sum, vl);                                                                           \
            } else {                                                                                                   \
                EL_VMEM(vsse, M)(y, bytes, sum, vl);                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }
EL_SUMS_OF(m1)
EL_SUMS_OF(m2)
EL_SUMS_OF(m4)

#include "weights.h"

void el_conv2d_bwd_w_f16__rvv(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                              void *scratch)
{
    el_product_weights(s, scale, x, dy, dw, scratch);
}
