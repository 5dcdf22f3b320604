/* conv2d.c for halves. */
#define EL_HALVES
#include "conv2d.c"
