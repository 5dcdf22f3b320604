/* Convolution in halves by packed products, see product.h: forward and the gradient of x. */
#include "el/kernels.h"

#include "positions.h"

#include "../product/positions.h"

EL_CONV2D_BY_PRODUCTS(f16, xfvec)
