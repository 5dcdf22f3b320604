/* depthwise_conv2d_s8.c for weights that are signed powers of two. */
#define EL_SHIFT
#include "depthwise_conv2d_s8.c"
