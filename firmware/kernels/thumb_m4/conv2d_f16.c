/* Convolution of halves and the gradient of its input, in floats: see product/sums.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/positions_f16.h"

EL_CONV2D_BY_PRODUCTS(f16, thumb_m4)
