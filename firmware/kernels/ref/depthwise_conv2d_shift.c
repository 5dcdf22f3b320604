/* depthwise_conv2d.c for weights that are signed powers of two. */
#define EL_SHIFT
#include "depthwise_conv2d.c"
