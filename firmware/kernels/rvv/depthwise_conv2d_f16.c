/* Depthwise convolution in halves. The terms of an output are few; the gradient of w is summed in floats. */
#include "f16.h"
#include "vector.h"

/* Groups of as many floats. */
#define EL_WIDER_m1 m2
#define EL_WIDER_m2 m4
#define EL_WIDER_m4 m8
#define EL_FLOATS__(M) vfloat32##M##_t
#define EL_FLOATS_(M) EL_FLOATS__(M)
#define EL_IN_FLOATS__(op, M) __riscv_##op##_f32##M
#define EL_IN_FLOATS_(op, M) EL_IN_FLOATS__(op, M)
#define EL_WIDER_OF__(M) EL_WIDER_##M
#define EL_WIDER_OF_(M) EL_WIDER_OF__(M)
#define EL_IN_FLOATS(op) EL_IN_FLOATS_(op, EL_WIDER_OF_(EL_M))

#define el_sum EL_FLOATS_(EL_WIDER_OF_(EL_M))
#define el_sum_zero(n) EL_IN_FLOATS(vfmv_v_f)(0.0f, n)
#define el_sum_add(s, v, n) EL_IN_FLOATS(vfwadd_wv)(s, v, n)
/* p[i] += scale * s[i], rounded once */
#define el_sum_into(p, scale, s, n)                                                                                    \
    el_store(p,                                                                                                        \
             EL_VOP(vfncvt_f_f_w,                                                                                      \
                    EL_M)(EL_IN_FLOATS(vfmacc_vf)(EL_IN_FLOATS(vfwcvt_f_f_v)(el_load(p, n), n), scale, s, n), n),      \
             n)

#include "runs.h"
