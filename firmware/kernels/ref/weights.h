/* How a layer reads its weights: numbers like its operands, or, where EL_SHIFT is defined, packed powers of two.
 *
 * EL_TERM(sum, x, i) adds *x times weight i. The gradients' terms are EL_TERM_OF_X(sum, dy, i, x) of the input x, and
 * EL_TERM_OF_W(sum, dy, x, w) of the weight *w: the same products, or, where EL_EXACT is defined, the derivatives of
 * piecewise affine ones, which depend on both factors. */
#ifndef EL_REF_WEIGHTS_H
#define EL_REF_WEIGHTS_H

#include "../real.h"

#if defined(EL_SHIFT)

#include "el/shift.h"

#define EL_LAYER(LAYER, STEP) EL_REF(LAYER##_shift_##STEP)
#define EL_SCALARS int32_t bits, int32_t k,
#define EL_WEIGHTS const uint8_t *w
#define EL_TERM(sum, x, i) ((sum) += el_shift_times(get(x), el_shift_code(w, bits, i), bits, k))

#else

#ifdef EL_EXACT
#define EL_LAYER(LAYER, STEP) EL_REF(LAYER##_exact_##STEP)
#else
#define EL_LAYER(LAYER, STEP) EL_REF(LAYER##_##STEP)
#endif
#define EL_SCALARS
#define EL_WEIGHTS const el_real *w
#define EL_TERM(sum, x, i) EL_MAC(sum, get(x), get(&w[i]))

#endif

#ifdef EL_EXACT
#define EL_AND_X const el_real *x,
#define EL_AND_W const el_real *w,
#define EL_NEXT(operand) (operand)++
#define EL_TERM_OF_X(sum, dy, i, x) EL_MAC(sum, get(dy), el_pam_slope(get(x), get(&w[i])))
#define EL_TERM_OF_W(sum, dy, x, w) EL_MAC(sum, get(dy), el_pam_slope(get(w), get(x)))
#define EL_FACTOR_OF_W(x, w) el_pam_slope(get(w), get(x))
#else
#define EL_AND_X
#define EL_AND_W
#define EL_NEXT(operand) (void)0
#define EL_TERM_OF_X(sum, dy, i, x) EL_TERM(sum, dy, i)
#define EL_TERM_OF_W(sum, dy, x, w) EL_MAC(sum, get(dy), get(x))
#define EL_FACTOR_OF_W(x, w) get(x)
#endif

#endif
