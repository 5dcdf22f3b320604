/* optim.c with piecewise affine products. */
#define EL_PAM
#include "optim.c"
