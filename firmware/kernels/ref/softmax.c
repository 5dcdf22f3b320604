/* Softmax and log-softmax over each row, shifted by the row's maximum so that no exponential overflows.
 * The maximum may lose a NaN, the sum over x - max never does. */
#include "el/kernels.h"
#include "el/math.h"

static float row_max(int32_t channels, const float *x)
{
    float max = x[0];
    for (int32_t c = 1; c < channels; c++) {
        max = x[c] > max ? x[c] : max;
    }
    return max;
}

void el_softmax_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, float *y)
{
    for (int32_t r = 0; r < rows; r++, x += channels, y += channels) {
        const float max = row_max(channels, x);
        float sum = 0.0f;
        for (int32_t c = 0; c < channels; c++) {
            y[c] = el_expf(x[c] - max);
            sum += y[c];
        }
        const float scale = 1.0f / sum; /* the sum is at least 1 */
        for (int32_t c = 0; c < channels; c++) {
            y[c] *= scale;
        }
    }
}

void el_softmax_bwd_f32__ref(int32_t rows, int32_t channels, const float *y, const float *dy, float *dx)
{
    for (int32_t r = 0; r < rows; r++, y += channels, dy += channels, dx += channels) {
        float dot = 0.0f;
        for (int32_t c = 0; c < channels; c++) {
            dot += dy[c] * y[c];
        }
        for (int32_t c = 0; c < channels; c++) {
            dx[c] = y[c] * (dy[c] - dot);
        }
    }
}

void el_log_softmax_fwd_f32__ref(int32_t rows, int32_t channels, const float *x, float *y)
{
    for (int32_t r = 0; r < rows; r++, x += channels, y += channels) {
        const float max = row_max(channels, x);
        float sum = 0.0f;
        for (int32_t c = 0; c < channels; c++) {
            sum += el_expf(x[c] - max);
        }
        const float log_sum = el_logf(sum);
        for (int32_t c = 0; c < channels; c++) {
            y[c] = (x[c] - max) - log_sum;
        }
    }
}

void el_log_softmax_bwd_f32__ref(int32_t rows, int32_t channels, const float *y, const float *dy, float *dx)
{
    for (int32_t r = 0; r < rows; r++, y += channels, dy += channels, dx += channels) {
        float sum = 0.0f;
        for (int32_t c = 0; c < channels; c++) {
            sum += dy[c];
        }
        for (int32_t c = 0; c < channels; c++) {
            dx[c] = dy[c] - el_expf(y[c]) * sum;
        }
    }
}
