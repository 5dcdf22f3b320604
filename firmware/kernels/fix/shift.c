/* Layers that shift, summed in integers. */
#include "../shift/fixed.h"

EL_FIXED_STEPS(f32)
