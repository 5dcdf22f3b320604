/* Fully connected layer on int8 vectors, w [out][in]. */
#include "el/kernels.h"
#include "el/quant.h"

#include <stddef.h>

void el_dense_fwd_s8__ref(int32_t in, int32_t out, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                          const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                          const int32_t *shift, int8_t *y)
{
    for (int32_t o = 0; o < out; o++) {
        int32_t acc = b != NULL ? b[o] : 0;
        for (int32_t i = 0; i < in; i++) {
            acc += (x[i] - x_zero) * *w++;
        }
        y[o] = el_to_s8(el_rescale(acc, multiplier[o], shift[o]), y_zero, min, max);
    }
}
