/* batch_norm.c for halves. */
#define EL_HALVES
#include "batch_norm.c"
