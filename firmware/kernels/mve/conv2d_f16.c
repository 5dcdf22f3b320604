/* Convolution in halves. */
#include "tile_f16.h"

#include "conv2d.h"
