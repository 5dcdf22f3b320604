/* ReLU of activation.c with a slope below zero that is a piecewise affine product. */
#define EL_PAM
#include "activation.c"
