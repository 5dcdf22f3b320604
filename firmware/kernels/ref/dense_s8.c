/* Fully connected layer on int8 vectors, w [out][in]. */
#include "weights_s8.h"

#include <stddef.h>

void EL_LAYER_S8(dense)(int32_t in, int32_t out, EL_SCALARS_S8 int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                        const int8_t *x, EL_WEIGHTS_S8, const int32_t *b, const int32_t *multiplier,
                        const int32_t *shift, int8_t *y)
{
    for (int32_t o = 0; o < out; o++) {
        int32_t acc = b != NULL ? b[o] : 0;
        for (int32_t i = 0; i < in; i++) {
            acc += EL_TIMES_S8(x[i] - x_zero, o * in + i);
        }
        y[o] = el_to_s8(el_rescale(acc, multiplier[o], shift[o]), y_zero, min, max);
    }
}
