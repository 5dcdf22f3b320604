/* Vectors of 32-bit floats for RISC-V V, of any length. */
#ifndef EL_RVV_F32_H
#define EL_RVV_F32_H

#include "el/kernels.h"

#include <riscv_vector.h>

typedef float el_t;
typedef float el_row_t;

#define EL_KERNEL(step) el_##step##_f32__rvv
#define EL_BITS 32
#define EL_BYTES "4"
#define EL_LOAD_SCALAR "flw"

#include "../inline.h"
#include "names.h"

#endif
