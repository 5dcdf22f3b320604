/* The products of arithmetic.c, piecewise affine. */
#define EL_PAM
#include "arithmetic.c"
