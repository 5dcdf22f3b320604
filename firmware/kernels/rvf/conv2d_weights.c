/* The gradient of a convolution's weights by packed products, see product.h. */
#include "el/kernels.h"

#include "weights.h"

#include "pack.h"

#include "../product/weights.h"

EL_CONV2D_WEIGHTS_BY_PRODUCTS(f32, rvf)
