/* Vectors of halves for RISC-V V with Zvfh, of any length. */
#ifndef EL_RVV_F16_H
#define EL_RVV_F16_H

#include "el/kernels.h"

#include <riscv_vector.h>

typedef el_f16 el_t;
typedef el_f16 el_row_t;

/* So many terms are summed in halves; then the sum goes into floats. */
enum { EL_SUM_TERMS = 64 };

#define EL_KERNEL(step) el_##step##_f16__rvv
#define EL_BITS 16
#define EL_BYTES "2"
#define EL_LOAD_SCALAR "flh"

#include "../inline.h"
#include "names.h"

#endif
