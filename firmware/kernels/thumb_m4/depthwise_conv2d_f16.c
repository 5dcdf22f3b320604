/* Depthwise convolution (multiplier 1) of halves, in floats: see strips_f16.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/strips_f16.h"

EL_DEPTHWISE_BY_STRIPS(thumb_m4)
