/* The gradient of a convolution's weights by packed products, see product.h. */
#include "el/kernels.h"

#include "square.h"

#include "pack.h"

#include "../product/weights.h"

EL_CONV2D_WEIGHTS_BY_PRODUCTS(f32, thumb)
