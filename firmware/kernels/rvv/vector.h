/* Groups of EL_M vector registers as runs.h wants them: a run of four outputs, three weights and what is loaded are
 * eight groups, with groups of four all the registers there are. Elements beyond `n` are neither read nor written. */
#ifndef EL_RVV_VECTOR_H
#define EL_RVV_VECTOR_H

#define EL_FN__(name, M) name##_##M
#define EL_FN_(name, M) EL_FN__(name, M)
#define EL_FN(name) EL_FN_(name, EL_M)

#define el_v EL_V(EL_M)
typedef size_t el_n;

/* step(at, n, ...) for each strip of `count` elements; there is no tail that would differ. */
#define EL_STRIPS_OR(count, step, tail, ...)                                                                           \
    do {                                                                                                               \
        el_n n_;                                                                                                       \
        for (int32_t at_ = 0; at_ < (count); at_ += (int32_t)n_) {                                                     \
            n_ = EL_VL(EL_M, (count)-at_);                                                                             \
            step(at_, n_, __VA_ARGS__);                                                                                \
        }                                                                                                              \
    } while (0)
#define EL_STRIPS(count, step, ...) EL_STRIPS_OR(count, step, step, __VA_ARGS__)

#define el_load(p, n) EL_VMEM(vle, EL_M)(p, n)
#define el_store(p, v, n) EL_VMEM(vse, EL_M)(p, v, n)
#define el_set(value, n) EL_VOP(vfmv_v_f, EL_M)((el_t)(value), n)
#define el_fma(a, b, c, n) EL_VOP(vfmacc_vv, EL_M)(a, b, c, n) /* a + b * c */

#endif
