/* How a layer reads its weights: numbers like its operands, or, where EL_SHIFT is defined, packed powers of two. */
#ifndef EL_REF_WEIGHTS_H
#define EL_REF_WEIGHTS_H

#include "../real.h"

#ifdef EL_SHIFT

#include "el/shift.h"

#define EL_LAYER(LAYER, STEP) EL_REF(LAYER##_shift_##STEP)
#define EL_SCALARS int32_t bits, int32_t k,
#define EL_WEIGHTS const uint8_t *w
#define EL_TIMES(x, i) el_shift_times(get(x), el_shift_code(w, bits, i), bits, k)

#else

#define EL_LAYER(LAYER, STEP) EL_REF(LAYER##_##STEP)
#define EL_SCALARS
#define EL_WEIGHTS const el_real *w
#define EL_TIMES(x, i) (get(x) * get(&w[i]))

#endif

#endif
