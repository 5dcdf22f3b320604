/* normalize.c for halves. */
#define EL_HALVES
#include "normalize.c"
