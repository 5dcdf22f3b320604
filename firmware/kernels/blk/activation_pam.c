/* activation.c with piecewise affine products. */
#define EL_PAM
#include "activation.c"
