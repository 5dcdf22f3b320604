/* The number format that a file of portable kernels is compiled for. Files stand here for f32; <name>_f16.c defines
 * EL_HALVES, <name>_pam.c EL_PAM, and includes <name>.c. In f32 and f16 floats are computed: what differs is how
 * operands lie in memory, and that a result that is a half is rounded when it is stored, once. In pam operands are
 * floats, and products are those of el/pam.h.
 *
 * EL_MUL is a product. EL_SUM is a running sum: EL_SUM_OF(x) begins with x, EL_MAC(sum, a, b) adds a product, EL_PLUS
 * a number, EL_TOTAL is what it came to. */
#ifndef EL_REAL_H
#define EL_REAL_H

#include "el/kernels.h"

#ifdef EL_HALVES

#define EL_REF(STEP) el_##STEP##_f16__ref
#define EL_BLK(STEP) el_##STEP##_f16__blk
typedef el_f16 el_real;

static inline float get(const el_real *from)
{
    return el_f16_load(from);
}

static inline void put(el_real *to, float value)
{
    el_f16_store(to, value);
}

#else

#ifdef EL_PAM
#define EL_REF(STEP) el_##STEP##_pam__ref
#define EL_BLK(STEP) el_##STEP##_pam__blk
#else
#define EL_REF(STEP) el_##STEP##_f32__ref
#define EL_BLK(STEP) el_##STEP##_f32__blk
#endif
typedef float el_real;

static inline float get(const el_real *from)
{
    return *from;
}

static inline void put(el_real *to, float value)
{
    *to = value;
}

#endif

static inline void add(el_real *to, float value)
{
    put(to, get(to) + value);
}

#ifdef EL_PAM

#include "el/pam.h"

#define EL_MUL(a, b) el_pam(a, b)
#define EL_SUM el_pam_sum
#define EL_SUM_OF(x) el_pam_start(x)
#define EL_MAC(sum, a, b) el_pam_mac(&(sum), a, b)
#define EL_PLUS(sum, x) el_pam_add(&(sum), x)
#define EL_TOTAL(sum) el_pam_end(&(sum))

/* *to += a times b */
static inline void add_product(el_real *to, float a, float b)
{
    el_pam_sum s = el_pam_start(*to);
    el_pam_mac(&s, a, b);
    *to = el_pam_end(&s);
}

#else

#define EL_MUL(a, b) ((a) * (b))
#define EL_SUM float
#define EL_SUM_OF(x) (x)
#define EL_MAC(sum, a, b) ((sum) += (a) * (b))
#define EL_PLUS(sum, x) ((sum) += (x))
#define EL_TOTAL(sum) (sum)

static inline void add_product(el_real *to, float a, float b)
{
    add(to, a * b);
}

#endif

#endif
