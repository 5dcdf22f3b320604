/* The gradients of dense.c by the exact derivatives of piecewise affine products. */
#define EL_EXACT
#define EL_PAM
#include "dense.c"
