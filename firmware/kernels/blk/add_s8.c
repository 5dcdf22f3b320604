/* Sums and differences of int8 maps in portable C. */
#include "../product_s8/add.h"

EL_ADD_KERNELS_S8(blk)
