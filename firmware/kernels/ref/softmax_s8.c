/* Softmax of int8 rows: exps[d] is e^(-d steps of x) with 31 bits behind the point, the result has steps of 1/256. */
#include "el/kernels.h"
#include "el/quant.h"

/* 1 / (1 + a) for a in [0, 1), both with 31 bits behind the point: Newton's steps for 1 / half, half = (1 + a) / 2, on
 * values with 29 bits behind the point. */
static int32_t over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + (1ll << 31)) >> 1);
    int32_t x = 1515870810 + el_high_mul(half, -1010580540); /* 48/17 - 32/17 half */
    for (int32_t k = 0; k < 3; k++) {
        x += el_high_mul(x, (1 << 29) - el_high_mul(half, x)) * 4;
    }
    return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

void el_softmax_fwd_s8__ref(int32_t rows, int32_t channels, const int8_t *x, const int32_t *exps, int8_t *y)
{
    for (int32_t r = 0; r < rows; r++, x += channels, y += channels) {
        int32_t max = x[0];
        for (int32_t c = 1; c < channels; c++) {
            max = x[c] > max ? x[c] : max;
        }
        uint32_t sum = 0; /* 19 bits behind the point; at least one */
        for (int32_t c = 0; c < channels; c++) {
            sum += (uint32_t)el_rounding_shift(exps[max - x[c]], 12);
        }
        int32_t headroom = 0;
        while ((sum & 0x80000000u) == 0u) {
            sum <<= 1;
            headroom++;
        }
        const int32_t scale = over_one_plus((int32_t)(sum & 0x7fffffffu));
        for (int32_t c = 0; c < channels; c++) {
            const int32_t part = el_high_mul(scale, exps[max - x[c]]);
            y[c] = el_to_s8(el_rounding_shift(part, 35 - headroom), INT8_MIN, INT8_MIN, INT8_MAX);
        }
    }
}
