/* Four channels of a depthwise convolution: see depthwise.h. */
#ifndef EL_QUAD_S8_H
#define EL_QUAD_S8_H

#include "layer.h"

enum { EL_QUAD = 4 };

/* What the sums start with, and the factors; see el_rescale_rows_s8. Where the short way is taken sums, what they start
 * with and the weights are twice as large, as that way wants them. */
typedef struct {
    int32_t start[EL_QUAD];
    el_factor_s8 of[EL_QUAD];
    int quick; /* each of them, with bounds that are int8's own */
} el_factors_s8;

typedef struct {
    int32_t s0, s1, s2, s3;
} el_four_s8;

#endif
