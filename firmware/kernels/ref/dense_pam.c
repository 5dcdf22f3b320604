/* dense.c with piecewise affine products. */
#define EL_PAM
#include "dense.c"
