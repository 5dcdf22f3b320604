/* Update rules in 32-bit floats; the formulas are those of kernels/ref/rules.h. */
#include "f32.h"

EL_INLINE vfloat32m8_t el_get(const float *p, size_t n)
{
    return __riscv_vle32_v_f32m8(p, n);
}

/* scale * g + decay * w */
EL_INLINE vfloat32m8_t el_slope(const el_optim *o, vfloat32m8_t g, vfloat32m8_t w, size_t n)
{
    return __riscv_vfmacc_vf_f32m8(__riscv_vfmul_vf_f32m8(g, o->grad_scale, n), o->weight_decay, w, n);
}

void el_sgd_step_f32__rvv(int32_t count, const el_optim *o, const float *g, float *w)
{
    const el_optim own = *o;
    for (size_t n; count > 0; count -= (int32_t)n, g += n, w += n) {
        n = EL_VL(m8, count);
        const vfloat32m8_t old = el_get(w, n);
        __riscv_vse32_v_f32m8(w, __riscv_vfnmsac_vf_f32m8(old, own.lr, el_slope(&own, el_get(g, n), old, n), n), n);
    }
}

void el_momentum_step_f32__rvv(int32_t count, const el_optim *o, const float *g, float *w, float *v)
{
    const el_optim own = *o;
    for (size_t n; count > 0; count -= (int32_t)n, w += n, v += n) {
        n = EL_VL(m8, count);
        const vfloat32m8_t old = el_get(w, n);
        vfloat32m8_t t = __riscv_vfmacc_vf_f32m8(el_get(v, n), own.weight_decay, old, n);
        if (g != 0) {
            t = __riscv_vfmacc_vf_f32m8(t, own.grad_scale, el_get(g, n), n);
            g += n;
        }
        __riscv_vse32_v_f32m8(w, __riscv_vfnmsac_vf_f32m8(old, own.lr, t, n), n);
        __riscv_vse32_v_f32m8(v, __riscv_vfmul_vf_f32m8(t, own.momentum, n), n);
    }
}

/* With l2 * w in the gradient, after shrinking the weight by `keep`. */
EL_INLINE void el_adam(int32_t count, const el_optim *o, float l2, float keep, const float *g, float *w, float *m,
                       float *v)
{
    const float step = o->lr / o->bias1;
    const float inv_bias2 = 1.0f / o->bias2;
    const float scale = o->grad_scale;
    const float beta1 = o->momentum;
    const float beta2 = o->beta2;
    const float epsilon = o->epsilon;
    for (size_t n; count > 0; count -= (int32_t)n, g += n, w += n, m += n, v += n) {
        n = __riscv_vsetvl_e32m4((size_t)count);
        const vfloat32m4_t old = __riscv_vle32_v_f32m4(w, n);
        const vfloat32m4_t d =
            __riscv_vfmacc_vf_f32m4(__riscv_vfmul_vf_f32m4(__riscv_vle32_v_f32m4(g, n), scale, n), l2, old, n);
        const vfloat32m4_t mean =
            __riscv_vfmacc_vf_f32m4(__riscv_vfmul_vf_f32m4(__riscv_vle32_v_f32m4(m, n), beta1, n), 1.0f - beta1, d, n);
        const vfloat32m4_t square =
            __riscv_vfmacc_vf_f32m4(__riscv_vfmul_vf_f32m4(__riscv_vle32_v_f32m4(v, n), beta2, n), 1.0f - beta2,
                                    __riscv_vfmul_vv_f32m4(d, d, n), n);
        const vfloat32m4_t root =
            __riscv_vfadd_vf_f32m4(__riscv_vfsqrt_v_f32m4(__riscv_vfmul_vf_f32m4(square, inv_bias2, n), n), epsilon, n);
        const vfloat32m4_t change = __riscv_vfdiv_vv_f32m4(__riscv_vfmul_vf_f32m4(mean, step, n), root, n);
        __riscv_vse32_v_f32m4(m, mean, n);
        __riscv_vse32_v_f32m4(v, square, n);
        __riscv_vse32_v_f32m4(w, __riscv_vfsub_vv_f32m4(__riscv_vfmul_vf_f32m4(old, keep, n), change, n), n);
    }
}

void el_adam_step_f32__rvv(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    el_adam(count, o, o->weight_decay, 1.0f, g, w, m, v);
}

void el_adamw_step_f32__rvv(int32_t count, const el_optim *o, const float *g, float *w, float *m, float *v)
{
    el_adam(count, o, 0.0f, 1.0f - o->lr * o->weight_decay, g, w, m, v);
}
