/* Depthwise convolution in halves. */
#include "f16.h"

#include "../vector/depthwise_conv2d.h"

#include "depthwise_weights.h"
