/* Layers that shift: weights decoded, then the kernels for numbers. */
#include "../shift/decoded.h"

EL_DECODED(f32, thumb_m4, EL_NO_MORE)
