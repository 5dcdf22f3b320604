/* Sums, zeros and copies that move elements. */
#include "el/kernels.h"

void el_add_fwd_f32__ref(int32_t count, const float *a, const float *b, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = a[i] + b[i];
    }
}

void el_zero_fwd_f32__ref(int32_t count, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = 0.0f;
    }
}

void el_pad_fwd_f32__ref(const el_pad *s, float value, const float *x, float *y)
{
    for (int32_t iy = -s->top; iy < s->in_h + s->bottom; iy++) {
        for (int32_t ix = -s->left; ix < s->in_w + s->right; ix++) {
            const int inside = iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w;
            for (int32_t c = 0; c < s->channels; c++) {
                *y++ = inside ? x[(iy * s->in_w + ix) * s->channels + c] : value;
            }
        }
    }
}

void el_pad_bwd_f32__ref(const el_pad *s, const float *dy, float *dx)
{
    const int32_t out_w = s->left + s->in_w + s->right;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        for (int32_t ix = 0; ix < s->in_w; ix++) {
            const int cropped = iy < -s->top || iy >= s->in_h + s->bottom || ix < -s->left || ix >= s->in_w + s->right;
            for (int32_t c = 0; c < s->channels; c++) {
                *dx++ = cropped ? 0.0f : dy[((iy + s->top) * out_w + ix + s->left) * s->channels + c];
            }
        }
    }
}

void el_transpose_fwd_f32__ref(const el_transpose *s, const float *x, float *y)
{
    for (int32_t i = 0; i < s->d0; i++) {
        for (int32_t j = 0; j < s->d1; j++) {
            for (int32_t k = 0; k < s->d2; k++) {
                *y++ = x[i * s->s0 + j * s->s1 + k * s->s2];
            }
        }
    }
}

void el_concat_fwd_f32__ref(int32_t outer, int32_t first, int32_t second, const float *a, const float *b, float *y)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < first; i++) {
            *y++ = *a++;
        }
        for (int32_t i = 0; i < second; i++) {
            *y++ = *b++;
        }
    }
}

void el_slice_fwd_f32__ref(int32_t outer, int32_t whole, int32_t start, int32_t part, const float *x, float *y)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < part; i++) {
            *y++ = x[o * whole + start + i];
        }
    }
}

void el_slice_bwd_f32__ref(int32_t outer, int32_t whole, int32_t start, int32_t part, const float *dy, float *dx)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < whole; i++) {
            *dx++ = i >= start && i < start + part ? *dy++ : 0.0f;
        }
    }
}

void el_take_fwd_f32__ref(int32_t rows, int32_t channels, int32_t part, const float *x, const int32_t *index, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t k = 0; k < part; k++) {
            *y++ = x[r * channels + index[k]];
        }
    }
}

void el_put_fwd_f32__ref(int32_t rows, int32_t channels, int32_t part, const float *x, const int32_t *index, float *y)
{
    for (int32_t r = 0; r < rows; r++) {
        int32_t k = 0;
        for (int32_t c = 0; c < channels; c++) {
            const int32_t here = k < part && index[k] == c;
            *y++ = here ? x[r * part + k] : 0.0f;
            k += here;
        }
    }
}
