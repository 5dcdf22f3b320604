/* The number format that a file of portable kernels is compiled for. Files stand here for f32; <name>_f16.c defines
 * EL_HALVES and includes <name>.c. Both compute in floats: what differs is how operands lie in memory, and that a
 * result that is a half is rounded when it is stored, once. */
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

#define EL_REF(STEP) el_##STEP##_f32__ref
#define EL_BLK(STEP) el_##STEP##_f32__blk
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

#endif
