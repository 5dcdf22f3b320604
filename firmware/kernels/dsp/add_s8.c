/* Sums and differences of int8 maps with the DSP extension's rounded products. */
#include "dsp.h"

#include "../product_s8/add.h"

EL_ADD_KERNELS_S8(dsp)
