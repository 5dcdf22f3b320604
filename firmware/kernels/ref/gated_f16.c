/* gated.c for halves. */
#define EL_HALVES
#include "gated.c"
