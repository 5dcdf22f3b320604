/* dense.c for halves. */
#define EL_HALVES
#include "dense.c"
