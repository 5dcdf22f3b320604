/* Layers that shift: weights decoded, then the kernels for numbers. */
#include "../shift/decoded.h"

EL_DECODED(f32, rvf, EL_NO_MORE)
