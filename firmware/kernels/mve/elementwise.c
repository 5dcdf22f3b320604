/* Sums, copies, gradients of biases and averages in 32-bit floats. */
#include "f32.h"

#include "elementwise.h"
