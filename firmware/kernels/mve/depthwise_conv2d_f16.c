/* Depthwise convolution in halves. */
#include "f16.h"

#include "../vector/depthwise_conv2d.h"
