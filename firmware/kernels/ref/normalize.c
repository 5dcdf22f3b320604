/* Normalisation with each sample's own statistics, over rows (layer) or over positions of a channel (instance). Means
 * and variances take two passes over the data: the one-pass formula cancels where the mean is large. */
#include "../real.h"
#include "el/math.h"

#include <stddef.h>

/* count elements, stride apart; parameters are gamma_stride apart, which is 0 where all elements share one. */
typedef struct {
    int32_t count, stride, gamma_stride;
    float mean, inv_std;
} set;

static set measure(int32_t count, int32_t stride, int32_t gamma_stride, float epsilon, const el_real *x)
{
    set s = {count, stride, gamma_stride, 0.0f, 0.0f};
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += get(&x[i * stride]);
    }
    s.mean = sum / (float)count;
    sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float d = get(&x[i * stride]) - s.mean;
        sum += d * d;
    }
    s.inv_std = 1.0f / el_sqrtf(sum / (float)count + epsilon);
    return s;
}

static void forward(const set *s, const el_real *x, const el_real *gamma, const el_real *beta, el_real *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        const float h = (get(&x[i * s->stride]) - s->mean) * s->inv_std;
        put(&y[i * s->stride],
            h * get(&gamma[i * s->gamma_stride]) + (beta != NULL ? get(&beta[i * s->gamma_stride]) : 0.0f));
    }
}

static void backward(const set *s, const el_real *x, const el_real *dy, const el_real *gamma, el_real *dx)
{
    float mean = 0.0f;
    float along = 0.0f;
    for (int32_t i = 0; i < s->count; i++) {
        const float g = get(&dy[i * s->stride]) * get(&gamma[i * s->gamma_stride]);
        mean += g;
        along += g * ((get(&x[i * s->stride]) - s->mean) * s->inv_std);
    }
    mean /= (float)s->count;
    along /= (float)s->count;
    for (int32_t i = 0; i < s->count; i++) {
        const float h = (get(&x[i * s->stride]) - s->mean) * s->inv_std;
        put(&dx[i * s->stride],
            (get(&dy[i * s->stride]) * get(&gamma[i * s->gamma_stride]) - mean - h * along) * s->inv_std);
    }
}

void EL_REF(layer_norm_fwd)(int32_t rows, int32_t channels, float epsilon, const el_real *x, const el_real *gamma,
                            const el_real *beta, el_real *y)
{
    for (int32_t k = 0; k < rows * channels; k += channels) {
        const set s = measure(channels, 1, 1, epsilon, x + k);
        forward(&s, x + k, gamma, beta, y + k);
    }
}

void EL_REF(layer_norm_bwd_x)(int32_t rows, int32_t channels, float epsilon, const el_real *x, const el_real *dy,
                              const el_real *gamma, el_real *dx)
{
    for (int32_t k = 0; k < rows * channels; k += channels) {
        const set s = measure(channels, 1, 1, epsilon, x + k);
        backward(&s, x + k, dy + k, gamma, dx + k);
    }
}

/* So many channels share one look at the rows' statistics. */
enum { TOGETHER = 64 };

void EL_REF(layer_norm_bwd_w)(int32_t rows, int32_t channels, float epsilon, float scale, const el_real *x,
                              const el_real *dy, el_real *dgamma)
{
    float total[TOGETHER];
    for (int32_t from = 0; from < channels; from += TOGETHER) {
        const int32_t count = channels - from < TOGETHER ? channels - from : TOGETHER;
        for (int32_t c = 0; c < count; c++) {
            total[c] = 0.0f;
        }
        for (int32_t k = 0; k < rows * channels; k += channels) {
            const set s = measure(channels, 1, 1, epsilon, x + k);
            for (int32_t c = 0; c < count; c++) {
                total[c] += get(&dy[k + from + c]) * ((get(&x[k + from + c]) - s.mean) * s.inv_std);
            }
        }
        for (int32_t c = 0; c < count; c++) {
            add(&dgamma[from + c], scale * total[c]);
        }
    }
}

void EL_REF(instance_norm_fwd)(int32_t rows, int32_t channels, float epsilon, const el_real *x, const el_real *gamma,
                               const el_real *beta, el_real *y)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        forward(&s, x + c, gamma + c, beta != NULL ? beta + c : NULL, y + c);
    }
}

void EL_REF(instance_norm_bwd_x)(int32_t rows, int32_t channels, float epsilon, const el_real *x, const el_real *dy,
                                 const el_real *gamma, el_real *dx)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        backward(&s, x + c, dy + c, gamma + c, dx + c);
    }
}

void EL_REF(instance_norm_bwd_w)(int32_t rows, int32_t channels, float epsilon, float scale, const el_real *x,
                                 const el_real *dy, el_real *dgamma)
{
    for (int32_t c = 0; c < channels; c++) {
        const set s = measure(rows, channels, 0, epsilon, x + c);
        float total = 0.0f;
        for (int32_t k = c; k < rows * channels; k += channels) {
            total += get(&dy[k]) * ((get(&x[k]) - s.mean) * s.inv_std);
        }
        add(&dgamma[c], scale * total);
    }
}
