/* Updates by gradients in halves, of weights in halves and in floats, and whether gradients are finite. Formulas and
 * random bits are those of kernels/ref/steps_f16.h. */
#include "f16.h"

enum { EL_STRIP = 32 /* weights at a time, whatever the vectors' length */ };

/* Zero times what is not finite is no number. */
void el_finite_step_f16__rvv(int32_t count, const el_f16 *g, float *scaling)
{
    const size_t all = EL_VL(m8, EL_VLMAX(m8));
    EL_V(m8) sum = EL_VOP(vfmv_v_f, m8)(0, all);
    for (size_t n; count > 0; count -= (int32_t)n, g += n) {
        n = EL_VL(m8, count);
        sum = __riscv_vfmacc_vf_f16m8_tu(sum, 0, EL_VMEM(vle, m8)(g, n), n);
    }
    if (__riscv_vfirst_m_b2(__riscv_vmfne_vv_f16m8_b2(sum, sum, all), all) >= 0) {
        scaling[EL_OVERFLOW] = 1.0f;
    }
}

/* What 32-bit numbers are made of that depend on the number of the update, the tensor and the weight. */
typedef struct {
    int32_t salt;
    uint32_t base;
} el_chance;

EL_INLINE el_chance el_chance_of(const float *scaling, int32_t salt)
{
    return (el_chance){salt, (uint32_t)scaling[EL_UPDATES] * 0x9E3779B9u ^ (uint32_t)salt * 0x85EBCA6Bu};
}

EL_INLINE vuint32m8_t el_stir(vuint32m8_t x, size_t shift, uint32_t factor, size_t n)
{
    return __riscv_vmul_vx_u32m8(__riscv_vxor_vv_u32m8(x, __riscv_vsrl_vx_u32m8(x, shift, n), n), factor, n);
}

/* Before the last step, x ^ x >> 16. */
EL_INLINE vuint32m8_t el_stirred(const el_chance *c, vuint32m8_t places, int32_t i, size_t n)
{
    const vuint32m8_t x = __riscv_vadd_vx_u32m8(places, c->base + (uint32_t)i * 0xC2B2AE35u, n);
    return el_stir(el_stir(x, 16, 0x7FEB352Du, n), 15, 0x846CA68Bu, n);
}

/* Halves around the values, one of two each. What is no normal half, or close to where they end, takes the portable
 * way. */
static void el_portable(int32_t n, const float *values, const uint32_t *stirred, el_f16 *w)
{
    for (int32_t k = 0; k < n; k++) {
        w[k] = el_f16_from_bits(el_to_half_at_random(values[k], stirred[k] ^ stirred[k] >> 16));
    }
}

EL_INLINE void el_round(vfloat32m8_t v, vuint32m8_t x, el_f16 *w, size_t n)
{
    /* 13 bits are below a half's last one: what is added to them may carry, and then they are cut off. */
    const vuint16m4_t low = __riscv_vxor_vv_u16m4(__riscv_vnsrl_wx_u16m4(x, 0, n), __riscv_vnsrl_wx_u16m4(x, 16, n), n);
    const vuint32m8_t raised =
        __riscv_vwaddu_wv_u32m8(__riscv_vreinterpret_v_f32m8_u32m8(v), __riscv_vand_vx_u16m4(low, 0x1FFF, n), n);
    const vfloat16m4_t h =
        __riscv_vfncvt_f_f_w_f16m4_rm(__riscv_vreinterpret_v_u32m8_f32m8(raised), __RISCV_FRM_RTZ, n);
    /* Without the sign: from 2^-14, which a subnormal may have been raised to, to 65,504. */
    const vuint16m4_t size = __riscv_vsll_vx_u16m4(__riscv_vreinterpret_v_f16m4_u16m4(h), 1, n);
    const vbool4_t odd =
        __riscv_vmsgtu_vx_u16m4_b4(__riscv_vsub_vx_u16m4(size, 2 * 0x0401, n), 2 * (0x7BFF - 0x0401) - 1, n);
    if (__riscv_vfirst_m_b4(odd, n) < 0) {
        __riscv_vse16_v_f16m4(w, h, n);
    } else {
        float values[EL_STRIP];
        uint32_t stirred[EL_STRIP];
        __riscv_vse32_v_f32m8(values, v, n);
        __riscv_vse32_v_u32m8(stirred, x, n);
        el_portable((int32_t)n, values, stirred, w);
    }
}

/* Weights from number i on become the values. */
EL_INLINE void el_keep(const el_chance *c, vuint32m8_t places, int32_t i, vfloat32m8_t v, el_f16 *w, size_t n)
{
    if (c->salt == 0) {
        __riscv_vse16_v_f16m4(w, __riscv_vfncvt_f_f_w_f16m4(v, n), n);
    } else {
        el_round(v, el_stirred(c, places, i, n), w, n);
    }
}

EL_INLINE size_t el_some(int32_t left)
{
    return __riscv_vsetvl_e32m8((size_t)(left < EL_STRIP ? left : EL_STRIP));
}

EL_INLINE vuint32m8_t el_places(void)
{
    return __riscv_vmul_vx_u32m8(__riscv_vid_v_u32m8(EL_STRIP), 0xC2B2AE35u, EL_STRIP);
}

EL_INLINE vfloat32m8_t el_widened(const el_f16 *p, size_t n)
{
    return __riscv_vfwcvt_f_f_v_f32m8(__riscv_vle16_v_f16m4(p, n), n);
}

/* w - lr * (scale * g + decay * w) */
EL_INLINE vfloat32m8_t el_descend(const el_optim *o, vfloat32m8_t g, vfloat32m8_t w, size_t n)
{
    if (o->weight_decay == 0.0f) {
        return __riscv_vfnmsac_vf_f32m8(w, o->lr * o->grad_scale, g, n);
    }
    const vfloat32m8_t slope =
        __riscv_vfmacc_vf_f32m8(__riscv_vfmul_vf_f32m8(g, o->grad_scale, n), o->weight_decay, w, n);
    return __riscv_vfnmsac_vf_f32m8(w, o->lr, slope, n);
}

void el_sgd_step_f16__rvv(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                          el_f16 *w)
{
    const el_optim own = *o;
    const el_chance chance = el_chance_of(scaling, salt);
    const vuint32m8_t places = el_places();
    const int32_t all = scaling[EL_OVERFLOW] != 0.0f ? 0 : count;
    size_t n;
    for (int32_t i = 0; i < all; i += (int32_t)n) {
        n = el_some(all - i);
        el_keep(&chance, places, i, el_descend(&own, el_widened(g + i, n), el_widened(w + i, n), n), w + i, n);
    }
}

void el_sgd_mixed_step_f16__rvv(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                                float *w)
{
    const el_optim own = *o;
    const int32_t all = scaling[EL_OVERFLOW] != 0.0f ? 0 : count;
    (void)salt; /* nothing is rounded */
    size_t n;
    for (int32_t i = 0; i < all; i += (int32_t)n) {
        n = el_some(all - i);
        __riscv_vse32_v_f32m8(w + i, el_descend(&own, el_widened(g + i, n), __riscv_vle32_v_f32m8(w + i, n), n), n);
    }
}

/* v + decay * w + scale * g */
EL_INLINE vfloat32m8_t el_pull(const el_optim *o, vfloat32m8_t g, vfloat32m8_t w, vfloat32m8_t v, size_t n)
{
    return __riscv_vfmacc_vf_f32m8(__riscv_vfmacc_vf_f32m8(v, o->weight_decay, w, n), o->grad_scale, g, n);
}

void el_momentum_step_f16__rvv(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                               el_f16 *w, el_f16 *v)
{
    const el_optim own = *o;
    const el_chance chance = el_chance_of(scaling, salt);
    const vuint32m8_t places = el_places();
    const int32_t all = scaling[EL_OVERFLOW] != 0.0f ? 0 : count;
    size_t n;
    for (int32_t i = 0; i < all; i += (int32_t)n) {
        n = el_some(all - i);
        const vfloat32m8_t t = el_pull(&own, el_widened(g + i, n), el_widened(w + i, n), el_widened(v + i, n), n);
        const vfloat32m8_t next = __riscv_vfnmsac_vf_f32m8(el_widened(w + i, n), own.lr, t, n);
        __riscv_vse16_v_f16m4(v + i, __riscv_vfncvt_f_f_w_f16m4(__riscv_vfmul_vf_f32m8(t, own.momentum, n), n), n);
        el_keep(&chance, places, i, next, w + i, n);
    }
}

void el_momentum_mixed_step_f16__rvv(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g,
                                     const float *scaling, float *w, float *v)
{
    const el_optim own = *o;
    const int32_t all = scaling[EL_OVERFLOW] != 0.0f ? 0 : count;
    (void)salt;
    size_t n;
    for (int32_t i = 0; i < all; i += (int32_t)n) {
        n = el_some(all - i);
        const vfloat32m8_t old = __riscv_vle32_v_f32m8(w + i, n);
        const vfloat32m8_t t = el_pull(&own, el_widened(g + i, n), old, __riscv_vle32_v_f32m8(v + i, n), n);
        __riscv_vse32_v_f32m8(w + i, __riscv_vfnmsac_vf_f32m8(old, own.lr, t, n), n);
        __riscv_vse32_v_f32m8(v + i, __riscv_vfmul_vf_f32m8(t, own.momentum, n), n);
    }
}
