/* Depthwise convolution (multiplier 1) on eight channels at a time, see sweep.h. */
#include "el/kernels.h"

#include "fused.h"
#include "lanes.h"

EL_DEPTHWISE_BY_SWEEPS(f32, thumb)
