/* The gradient of a convolution's weights in halves by packed products, see product.h. */
#include "el/kernels.h"

#include "weights.h"

#include "../product/weights.h"

EL_CONV2D_WEIGHTS_BY_PRODUCTS(f16, xfvec)
