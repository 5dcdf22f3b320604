/* How an int8 layer reads its weights: bytes, or, where EL_SHIFT is defined, packed powers of two. */
#ifndef EL_REF_WEIGHTS_S8_H
#define EL_REF_WEIGHTS_S8_H

#include "el/kernels.h"
#include "el/quant.h"

#ifdef EL_SHIFT

#include "el/shift.h"

#define EL_LAYER_S8(LAYER) el_##LAYER##_shift_fwd_s8__ref
#define EL_SCALARS_S8 int32_t bits,
#define EL_WEIGHTS_S8 const uint8_t *w
#define EL_TIMES_S8(x, i) el_shift_left(x, el_shift_code(w, bits, i), bits)

#else

#define EL_LAYER_S8(LAYER) el_##LAYER##_fwd_s8__ref
#define EL_SCALARS_S8
#define EL_WEIGHTS_S8 const int8_t *w
#define EL_TIMES_S8(x, i) ((x)*w[i])

#endif

#endif
