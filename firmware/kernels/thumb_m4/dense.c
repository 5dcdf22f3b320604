/* Fully connected layers in assembler, see dense.h. */
#include "el/kernels.h"

#include "../thumb/apart.h"

#include "../thumb/dense.h"

EL_DENSE_STEPS(f32, float, thumb_m4)
