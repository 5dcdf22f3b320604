/* Convolution of halves and the gradient of its input, in floats: see product/sums.h. */
#include "el/kernels.h"

#include "fused.h"
#include "positions_f16.h"

EL_CONV2D_BY_PRODUCTS(f16, thumb)
