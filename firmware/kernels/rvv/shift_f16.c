/* Layers that shift in halves: weights decoded, then the kernels for numbers. */
#define EL_HALVES
#include "../shift/decoded.h"

EL_DECODED(f16, rvv, EL_NO_MORE)
