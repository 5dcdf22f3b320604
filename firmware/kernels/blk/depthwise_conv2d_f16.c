/* depthwise_conv2d.c for halves. */
#define EL_HALVES
#include "depthwise_conv2d.c"
