/* What kernels of all kinds share: functions that become part of their caller, functions that never do, and the lesser
 * and the greater of two sizes. */
#ifndef EL_INLINE_H
#define EL_INLINE_H

#include <stdint.h>

#define EL_INLINE static inline __attribute__((always_inline))
#define EL_APART static __attribute__((noinline)) /* so that its loops have the registers for themselves */

EL_INLINE int32_t el_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

EL_INLINE int32_t el_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

#endif
