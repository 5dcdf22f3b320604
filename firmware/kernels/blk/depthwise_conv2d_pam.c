/* depthwise_conv2d.c with piecewise affine products. */
#define EL_PAM
#include "depthwise_conv2d.c"
