/* Fully connected layers of halves, in floats: see dense_f16.h. */
#include "el/kernels.h"

#include "fused.h"

#include "dense_f16.h"

EL_DENSE_STEPS(f16, el_f16, thumb)
