/* Sums, copies, gradients of biases and averages in halves. */
#include "f16.h"

#include "elementwise.h"
