/* batch_norm.c with piecewise affine products. */
#define EL_PAM
#include "batch_norm.c"
