/* activation.c for halves. */
#define EL_HALVES
#include "activation.c"
