/* arithmetic.c for halves. */
#define EL_HALVES
#include "arithmetic.c"
