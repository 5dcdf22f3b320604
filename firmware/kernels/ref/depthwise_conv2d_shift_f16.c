/* depthwise_conv2d_shift.c for halves. */
#define EL_HALVES
#include "depthwise_conv2d_shift.c"
