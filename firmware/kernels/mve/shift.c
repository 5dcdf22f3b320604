/* Layers that shift: weights decoded, then the kernels for numbers. */
#include "../shift/decoded.h"

EL_DECODED(f32, mve, EL_AND_MORE)
