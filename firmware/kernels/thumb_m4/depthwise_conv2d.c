/* Depthwise convolution (multiplier 1) on eight channels at a time, see sweep.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"
#include "../thumb/lanes.h"

EL_DEPTHWISE_BY_SWEEPS(f32, thumb_m4)
