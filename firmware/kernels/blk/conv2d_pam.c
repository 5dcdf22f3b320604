/* conv2d.c with piecewise affine products. */
#define EL_PAM
#include "conv2d.c"
