/* Normalisation with each sample's own statistics, over rows (layer) or over positions of a channel (instance). Means
 * and variances take two passes over the data: the one-pass formula cancels where the mean is large. */
#include "el/kernels.h"
#include "el/math.h"

#include <stddef.h>

/* count elements, stride apart; parameters are gamma_stride apart, which is 0 where all elements share one. */
typedef struct {
    int32_t count, stride, gamma_stride;
    float mean, inv_std;
} set;

static set measure(int32_t count, int32_t stride, int32_t gamma_stride, float epsilon, const float *x)
{
    set s = {count, stride, gamma_stride, 0.0f, 0.0f};
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += x[i * stride];
    }
    s.mean = sum / (float)count;
    sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float d = x[i * stride] - s.mean;
        sum += d * d;
    }
    s.inv_std = 1.0f / el_sqrtf(sum / (float)count + epsilon);
    return s;
}

static void forward(const set *s, const float *x, const float *gamma, const float *beta, float *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        const float h = (x[i * s->stride] - s->mean) * s->inv_std;
        y[i * s->stride] = h * gamma[i * s->gamma_stride] + (beta != NULL ? beta[i * s->gamma_stride] : 0.0f);
    }
}

static void backward(const set *s, const float *x, const float *dy, const float *gamma, float *dx)
{
    float mean = 0.0f;
    float along = 0.0f;
    for (int32_t i = 0; i < s->count; i++) {
        const float g = dy[i * s->stride] * gamma[i * s->gamma_stride];
        mean += g;
        along += g * ((x[i * s->stride] - s->mean) * s->inv_std);
    }
    mean /= (float)s->count;
    along /= (float)s->count;
    for (int32_t i = 0; i < s->count; i++) {
        const float h = (x[i * s->stride] - s->mean) * s->inv_std;
        dx[i * s->stride] = (dy[i * s->stride] * gamma[i * s->gamma_stride] - mean - h * along) * s->inv_std;
    }
}

void el_layer_norm_fwd_f32__ref(int32_t rows, int32_t channels, float epsilon, const float *x, const float *gamma,
                                const float *beta, float *y)
{
    for (int32_t k = 0; k < rows * channels; k += channels) {
        const set s = measure(channels, 1, 1, epsilon, x + k);
        forward(&s, x + k, gamma, beta, y + k);
    }
}

void el_layer_norm_bwd_x_f32__ref(int32_t rows, int32_t channels, float epsilon, const float *x, const float *dy,
                                  const float *gamma, float *dx)
{
    for (int32_t k = 0; k < rows * channels; k += channels) {
        const set s = measure(channels, 1, 1, epsilon, x + k);
        backward(&s, x + k, dy + k, gamma, dx + k);
    }
}

void el_layer_norm_bwd_w_f32__ref(int32_t rows, int32_t channels, float epsilon, float scale, const float *x,
                                  const float *dy, float *dgamma)
{
    for (int32_t k = 0; k < rows * channels; k += channels) {
        const set s = measure(channels, 1, 1, epsilon, x + k);
        for (int32_t c = 0; c < channels; c++) {
            dgamma[c] += scale * (dy[k + c] * ((x[k + c] - s.mean) * s.inv_std));
        }
    }
}

void el_instance_norm_fwd_f32__ref(int32_t rows, int32_t channels, float epsilon, const float *x, const float *gamma,
                                   const float *beta, float *y)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        forward(&s, x + c, gamma + c, beta != NULL ? beta + c : NULL, y + c);
    }
}

void el_instance_norm_bwd_x_f32__ref(int32_t rows, int32_t channels, float epsilon, const float *x, const float *dy,
                                     const float *gamma, float *dx)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        backward(&s, x + c, dy + c, gamma + c, dx + c);
    }
}

void el_instance_norm_bwd_w_f32__ref(int32_t rows, int32_t channels, float epsilon, float scale, const float *x,
                                     const float *dy, float *dgamma)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        float total = 0.0f;
        for (int32_t k = c; k < rows * channels; k += channels) {
            total += dy[k] * ((x[k] - s.mean) * s.inv_std);
        }
        dgamma[c] += scale * total;
    }
}
