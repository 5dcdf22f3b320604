/* Vectors of 32-bit floats for RISC-V V, of any length. */
#ifndef EL_RVV_F32_H
#define EL_RVV_F32_H

#include "el/kernels.h"

#include <riscv_vector.h>

typedef float el_t;
typedef float el_row_t;

#define EL_KERNEL(step) el_##step##_f32__rvv
#define EL_BITS 32
#define EL_BYTES "4"
#define EL_LOAD_SCALAR "flw"

#include "names.h"
#include "vector.h"

typedef el_v el_sum;
enum { EL_SUM_TERMS = 128 };

EL_INLINE el_sum el_sum_zero(el_n n)
{
    return el_set(0.0f, n);
}

EL_INLINE el_sum el_sum_add(el_sum s, el_v v, el_n n)
{
    return el_add(s, v, n);
}

/* p[i] += scale * s[i] */
EL_INLINE void el_sum_into(el_t *p, float scale, el_sum s, el_n n)
{
    el_store(p, el_fma_scalar(el_load(p, n), s, scale, n), n);
}

#endif
