/* Convolution and the gradient of its input by packed products, see product.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/wide.h"

#include "../thumb/pack.h"

#include "../product/positions.h"

EL_CONV2D_BY_PRODUCTS(f32, thumb_m4)
