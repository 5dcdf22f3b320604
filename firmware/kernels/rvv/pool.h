/* Max pools across channels, in groups whose floats are eight registers. Padding never wins a maximum; the first NaN of
 * a window does, and stays. */
#include "wide.h"

#include "../product/block.h"

#include "el/math.h"

/* Some of an axis: [first, last). */
typedef struct {
    int32_t first, last;
} el_span;

/* Elements of a window from `start` on that lie inside the map. */
EL_INLINE el_span el_inside(int32_t start, int32_t k, int32_t size)
{
    return (el_span){el_max(-start, 0), el_min(k, size - start)};
}

/* Windows along an axis that reach its element i. */
EL_INLINE el_span el_windows(int32_t i, int32_t pad, int32_t k, int32_t stride, int32_t out)
{
    return (el_span){i + pad < k ? 0 : (i + pad - k) / stride + 1, el_min((i + pad) / stride + 1, out)};
}

void EL_KERNEL(max_pool2d_fwd)(const el_window *s, const el_t *x, el_t *y, uint8_t *winner)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++) {
        const int32_t iy = o / s->out_w * s->stride_h - s->pad_top;
        const int32_t ix = o % s->out_w * s->stride_w - s->pad_left;
        const el_span rows = el_inside(iy, s->k_h, s->in_h);
        const el_span columns = el_inside(ix, s->k_w, s->in_w);
        size_t n;
        for (int32_t c = 0; c < channels; c += (int32_t)n) {
            n = EL_VL(EL_WIDE, channels - c);
            EL_V(EL_WIDE) best = EL_VOP(vfmv_v_f, EL_WIDE)((el_t)-EL_INFINITY, n);
            vuint8m2_t index = __riscv_vmv_v_x_u8m2(UINT8_MAX, n);
            int first = 1;
            for (int32_t ky = rows.first; ky < rows.last; ky++) {
                const el_t *p = x + ((iy + ky) * s->in_w + ix + columns.first) * channels + c;
                for (int32_t kx = columns.first; kx < columns.last; kx++, p += channels) {
                    const EL_V(EL_WIDE) v = EL_VMEM(vle, EL_WIDE)(p, n);
                    const uint8_t k = (uint8_t)(ky * s->k_w + kx);
                    if (first) {
                        best = v;
                        index = __riscv_vmv_v_x_u8m2(k, n);
                        first = 0;
                        continue;
                    }
                    /* above it, or a NaN where there was none */
                    const vbool4_t wins = __riscv_vmandn(__riscv_vmfeq(best, best, n), __riscv_vmfle(v, best, n), n);
                    best = __riscv_vmerge(best, v, wins, n);
                    if (winner != 0) {
                        index = __riscv_vmerge(index, k, wins, n);
                    }
                }
            }
            EL_VMEM(vse, EL_WIDE)(y + o * channels + c, best, n);
            if (winner != 0) {
                __riscv_vse8_v_u8m2(winner + o * channels + c, index, n);
            }
        }
    }
}

/* sum + v where it won */
EL_INLINE el_floats el_grow_where(vbool4_t won, el_floats sum, EL_V(EL_WIDE) v, size_t n)
{
#if EL_BITS == 32
    return __riscv_vfadd_mu(won, sum, sum, v, n);
#else
    return __riscv_vfwadd_wv_mu(won, sum, sum, v, n);
#endif
}

void EL_KERNEL(max_pool2d_bwd)(const el_window *s, const el_t *dy, const uint8_t *winner, el_t *dx)
{
    const int32_t channels = s->in_c;
    for (int32_t i = 0; i < s->in_h * s->in_w; i++) {
        const int32_t iy = i / s->in_w;
        const int32_t ix = i % s->in_w;
        const el_span rows = el_windows(iy, s->pad_top, s->k_h, s->stride_h, s->out_h);
        const el_span columns = el_windows(ix, s->pad_left, s->k_w, s->stride_w, s->out_w);
        size_t n;
        for (int32_t c = 0; c < channels; c += (int32_t)n) {
            n = EL_VL(EL_WIDE, channels - c);
            el_floats sum = el_nothing(n);
            for (int32_t oy = rows.first; oy < rows.last; oy++) {
                const int32_t line = (iy + s->pad_top - oy * s->stride_h) * s->k_w;
                for (int32_t ox = columns.first; ox < columns.last; ox++) {
                    const int32_t at = (oy * s->out_w + ox) * channels + c;
                    const uint8_t k = (uint8_t)(line + ix + s->pad_left - ox * s->stride_w);
                    const vbool4_t won = __riscv_vmseq(__riscv_vle8_v_u8m2(winner + at, n), k, n);
                    sum = el_grow_where(won, sum, EL_VMEM(vle, EL_WIDE)(dy + at, n), n);
                }
            }
            el_write(dx + i * channels + c, sum, n);
        }
    }
}
