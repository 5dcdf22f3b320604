/* Sums of maps, copies, frozen norms and averages, across elements or channels. Sums are floats. */
#ifndef EL_RVV_ELEMENTWISE_H
#define EL_RVV_ELEMENTWISE_H

#include "../clip.h"
#include "wide.h"

void EL_KERNEL(add_fwd)(int32_t count, const el_t *a, const el_t *b, el_t *y)
{
    for (size_t n; count > 0; count -= (int32_t)n, a += n, b += n, y += n) {
        n = EL_VL(m8, count);
        EL_VMEM(vse, m8)(y, EL_VOP(vfadd_vv, m8)(EL_VMEM(vle, m8)(a, n), EL_VMEM(vle, m8)(b, n), n), n);
    }
}

void EL_KERNEL(zero_fwd)(int32_t count, el_t *y)
{
    const EL_V(m8) zeros = EL_VOP(vfmv_v_f, m8)(0, EL_VL(m8, EL_VLMAX(m8)));
    for (size_t n; count > 0; count -= (int32_t)n, y += n) {
        n = EL_VL(m8, count);
        EL_VMEM(vse, m8)(y, zeros, n);
    }
}

void EL_KERNEL(reshape_fwd)(int32_t count, const el_t *x, el_t *y)
{
    for (size_t n; count > 0; count -= (int32_t)n, x += n, y += n) {
        n = EL_VL(m8, count);
        EL_VMEM(vse, m8)(y, EL_VMEM(vle, m8)(x, n), n);
    }
}

void EL_KERNEL(bias_fwd)(int32_t rows, int32_t channels, const el_t *x, const el_t *b, el_t *y)
{
    size_t n;
    for (int32_t c = 0; c < channels; c += (int32_t)n) {
        n = EL_VL(m8, channels - c);
        const EL_V(m8) bias = EL_VMEM(vle, m8)(b + c, n);
        const el_t *from = x + c;
        el_t *to = y + c;
        for (int32_t r = 0; r < rows; r++, from += channels, to += channels) {
            EL_VMEM(vse, m8)(to, EL_VOP(vfadd_vv, m8)(EL_VMEM(vle, m8)(from, n), bias, n), n);
        }
    }
}

void EL_KERNEL(batch_norm_fwd)(int32_t rows, int32_t channels, const el_t *x, const el_t *gamma, const el_t *beta,
                               const float *mean, const float *inv_std, el_t *y)
{
    size_t n;
    for (int32_t c = 0; c < channels; c += (int32_t)n) {
        n = EL_VL(EL_WIDE, channels - c);
        const el_t *from = x + c;
        el_t *to = y + c;
        for (int32_t r = 0; r < rows; r++, from += channels, to += channels) {
            const el_floats factor =
                __riscv_vfmul_vv_f32m8(el_read(gamma + c, n), __riscv_vle32_v_f32m8(inv_std + c, n), n);
            const el_floats centred = __riscv_vfsub_vv_f32m8(el_read(from, n), __riscv_vle32_v_f32m8(mean + c, n), n);
            el_write(to, __riscv_vfmadd_vv_f32m8(centred, factor, el_read(beta + c, n), n), n);
        }
    }
}

void EL_KERNEL(batch_norm_bwd_x)(int32_t rows, int32_t channels, const el_t *dy, const el_t *gamma,
                                 const float *inv_std, el_t *dx)
{
    size_t n;
    for (int32_t c = 0; c < channels; c += (int32_t)n) {
        n = EL_VL(EL_WIDE, channels - c);
        const el_floats factor =
            __riscv_vfmul_vv_f32m8(el_read(gamma + c, n), __riscv_vle32_v_f32m8(inv_std + c, n), n);
        const el_t *from = dy + c;
        el_t *to = dx + c;
        for (int32_t r = 0; r < rows; r++, from += channels, to += channels) {
            el_write(to, __riscv_vfmul_vv_f32m8(el_read(from, n), factor, n), n);
        }
    }
}

void EL_KERNEL(batch_norm_bwd_w)(int32_t rows, int32_t channels, float scale, const el_t *x, const el_t *dy,
                                 const float *mean, const float *inv_std, el_t *dgamma)
{
    size_t n;
    for (int32_t c = 0; c < channels; c += (int32_t)n) {
        n = EL_VL(EL_WIDE, channels - c);
        el_floats sum = el_nothing(n);
        for (int32_t r = 0; r < rows; r++) {
            const el_floats centred =
                __riscv_vfsub_vv_f32m8(el_read(x + r * channels + c, n), __riscv_vle32_v_f32m8(mean + c, n), n);
            sum = __riscv_vfmacc_vv_f32m8(sum, el_read(dy + r * channels + c, n), centred, n);
        }
        sum = __riscv_vfmul_vv_f32m8(sum, __riscv_vle32_v_f32m8(inv_std + c, n), n);
        el_write(dgamma + c, __riscv_vfmacc_vf_f32m8(el_read(dgamma + c, n), scale, sum, n), n);
    }
}

void EL_KERNEL(avg_pool2d_fwd)(const el_window *s, const el_t *x, el_t *y)
{
    const int32_t channels = s->in_c;
    for (int32_t o = 0; o < s->out_h * s->out_w; o++, y += channels) {
        const int32_t iy = o / s->out_w * s->stride_h - s->pad_top;
        const int32_t ix = o % s->out_w * s->stride_w - s->pad_left;
        int32_t top, bottom, left, right;
        el_clip(iy, s->k_h, s->in_h, &top, &bottom);
        el_clip(ix, s->k_w, s->in_w, &left, &right);
        const float share = el_share(s, (bottom - top) * (right - left));
        size_t n;
        for (int32_t c = 0; c < channels; c += (int32_t)n) {
            n = EL_VL(EL_WIDE, channels - c);
            el_floats sum = el_nothing(n);
            const el_t *row = x + ((iy + top) * s->in_w + ix + left) * channels + c;
            for (int32_t ky = top; ky < bottom; ky++, row += s->in_w * channels) {
                const el_t *p = row;
                for (int32_t kx = left; kx < right; kx++, p += channels) {
                    sum = el_grow(sum, EL_VMEM(vle, EL_WIDE)(p, n), n);
                }
            }
            el_write(y + c, __riscv_vfmul_vf_f32m8(sum, share, n), n);
        }
    }
}

/* Where one window is the whole map. */
void EL_KERNEL(avg_pool2d_bwd)(const el_window *s, const el_t *dy, el_t *dx)
{
    const int32_t channels = s->in_c;
    const int32_t count = s->in_h * s->in_w;
    size_t n;
    for (int32_t c = 0; c < channels; c += (int32_t)n) {
        n = EL_VL(EL_WIDE, channels - c);
        const el_floats share = __riscv_vfmul_vf_f32m8(el_read(dy + c, n), el_share(s, count), n);
        const EL_V(EL_WIDE) each = el_close(share, n);
        el_t *to = dx + c;
        for (int32_t i = 0; i < count; i++, to += channels) {
            EL_VMEM(vse, EL_WIDE)(to, each, n);
        }
    }
}

#endif
