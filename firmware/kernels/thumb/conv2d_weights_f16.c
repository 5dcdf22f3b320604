/* The gradient of a convolution's weights where all are halves, in floats: see product/sums.h. */
#include "el/kernels.h"

#include "halves.h"
#include "square.h"

#include "pack_f16.h"

#include "../product/weights.h"

EL_CONV2D_WEIGHTS_BY_PRODUCTS(f16, thumb)
