/* Convolution in 32-bit floats. */
#include "tile_f32.h"

#include "conv2d.h"
