/* The gradients of depthwise_conv2d.c by the exact derivatives of piecewise affine products. */
#define EL_EXACT
#define EL_PAM
#include "depthwise_conv2d.c"
