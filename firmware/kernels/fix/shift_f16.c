/* Layers that shift in halves, summed in integers. */
#define EL_HALVES
#include "../shift/fixed.h"

EL_FIXED_STEPS(f16)
