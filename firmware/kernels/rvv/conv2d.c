/* Convolution in 32-bit floats by packed products, see product.h: forward and the gradient of x. */
#include "f32.h"
#include "positions.h"

EL_CONV2D_BY_PRODUCTS(f32, rvv)
