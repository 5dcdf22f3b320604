/* Depthwise convolution in 32-bit floats. */
#include "f32.h"

#include "../vector/depthwise_conv2d.h"

#include "depthwise_weights.h"
