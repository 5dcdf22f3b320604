/* Reads (function, f32) pairs as words and writes f32 results: el/math.h for test_kernels_math.py. */
#include "el/math.h"

#include <stdio.h>

int main(void)
{
    uint32_t request[2];
    while (fread(request, sizeof request, 1, stdin) == 1) {
        const float x = el_from_bits(request[1]);
        float y = 0.0f;
        switch (request[0]) {
        case 0:
            y = el_expf(x);
            break;
        case 1:
            y = el_logf(x);
            break;
        case 2:
            y = el_tanhf(x);
            break;
        case 3:
            y = el_sigmoidf(x);
            break;
        case 4:
            y = el_cosf(x);
            break;
        case 5:
            y = el_sqrtf(x);
            break;
        case 6:
            y = el_sqrtf_soft(x);
            break;
        case 7:
            y = el_log1pf(x);
            break;
        default:
            y = el_normalf(x);
            break;
        }
        fwrite(&y, sizeof y, 1, stdout);
    }
    return 0;
}
