/* Fully connected layers in assembler, see dense.h. */
#include "el/kernels.h"

#include "fused.h"

#include "dense.h"

EL_DENSE_STEPS(f32, float, thumb)
