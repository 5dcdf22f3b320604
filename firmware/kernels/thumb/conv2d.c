/* Convolution and the gradient of its input by packed products, see product.h. */
#include "el/kernels.h"

#include "fused.h"
#include "wide.h"

#include "pack.h"

#include "../product/positions.h"

EL_CONV2D_BY_PRODUCTS(f32, thumb)
