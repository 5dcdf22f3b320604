/* conv2d_shift.c for halves. */
#define EL_HALVES
#include "conv2d_shift.c"
