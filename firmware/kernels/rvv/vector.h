/* Groups of four vector registers as kernels/vector/ wants them: a run of four outputs, three weights and what is
 * loaded are eight groups, all the registers there are. Elements beyond `n` are neither read nor written. */
#ifndef EL_RVV_VECTOR_H
#define EL_RVV_VECTOR_H

typedef EL_V(m4) el_v;
typedef size_t el_n;

/* step(at, n, ...) for each strip of `count` elements; there is no tail that would differ. */
#define EL_STRIPS_OR(count, step, tail, ...)                                                                           \
    do {                                                                                                               \
        el_n n_;                                                                                                       \
        for (int32_t at_ = 0; at_ < (count); at_ += (int32_t)n_) {                                                     \
            n_ = EL_VL(m4, (count)-at_);                                                                               \
            step(at_, n_, __VA_ARGS__);                                                                                \
        }                                                                                                              \
    } while (0)
#define EL_STRIPS(count, step, ...) EL_STRIPS_OR(count, step, step, __VA_ARGS__)

EL_INLINE el_v el_load(const el_t *p, el_n n)
{
    return EL_VMEM(vle, m4)(p, n);
}

EL_INLINE void el_store(el_t *p, el_v v, el_n n)
{
    EL_VMEM(vse, m4)(p, v, n);
}

EL_INLINE el_v el_set(float value, el_n n)
{
    return EL_VOP(vfmv_v_f, m4)((el_t)value, n);
}

/* a + b * c */
EL_INLINE el_v el_fma(el_v a, el_v b, el_v c, el_n n)
{
    return EL_VOP(vfmacc_vv, m4)(a, b, c, n);
}

EL_INLINE el_v el_fma_scalar(el_v a, el_v b, float c, el_n n)
{
    return EL_VOP(vfmacc_vf, m4)(a, (el_t)c, b, n);
}

EL_INLINE el_v el_add(el_v a, el_v b, el_n n)
{
    return EL_VOP(vfadd_vv, m4)(a, b, n);
}

EL_INLINE el_v el_sub(el_v a, el_v b, el_n n)
{
    return EL_VOP(vfsub_vv, m4)(a, b, n);
}

EL_INLINE el_v el_mul(el_v a, el_v b, el_n n)
{
    return EL_VOP(vfmul_vv, m4)(a, b, n);
}

EL_INLINE el_v el_mul_scalar(el_v a, float b, el_n n)
{
    return EL_VOP(vfmul_vf, m4)(a, (el_t)b, n);
}

#endif
