/* Sums, products, tables and copies of int8 elements, and the way between int8 and real numbers. */
#include "el/kernels.h"
#include "el/quant.h"

void el_add_fwd_s8__ref(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t r = 0; r < s->rows; r++) {
        for (int32_t c = 0; c < s->channels; c++) {
            /* The fixed-point sum has 20 bits behind the point. */
            const int32_t wide_a = (*a++ - s->a_zero) * (1 << 20);
            const int32_t wide_b = (b[c] - s->b_zero) * (1 << 20);
            const int32_t sum =
                el_rescale(wide_a, s->a_multiplier, s->a_shift) + el_rescale(wide_b, s->b_multiplier, s->b_shift);
            *y++ = el_to_s8(el_rescale(sum, s->y_multiplier, s->y_shift), s->y_zero, s->min, s->max);
        }
    }
}

void el_sub_fwd_s8__ref(const el_add_s8 *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t r = 0; r < s->rows; r++) {
        for (int32_t c = 0; c < s->channels; c++) {
            const int32_t wide_a = (*a++ - s->a_zero) * (1 << 20);
            const int32_t wide_b = (b[c] - s->b_zero) * (1 << 20);
            const int32_t difference =
                el_rescale(wide_a, s->a_multiplier, s->a_shift) - el_rescale(wide_b, s->b_multiplier, s->b_shift);
            *y++ = el_to_s8(el_rescale(difference, s->y_multiplier, s->y_shift), s->y_zero, s->min, s->max);
        }
    }
}

void el_mul_fwd_s8__ref(const el_mul_s8 *s, const int8_t *x, const int8_t *b, int8_t *y)
{
    for (int32_t r = 0; r < s->rows; r++) {
        for (int32_t c = 0; c < s->channels; c++) {
            const int32_t product = (*x++ - s->x_zero) * (b[c] - s->b_zero);
            *y++ = el_to_s8(el_rescale(product, s->multiplier, s->shift), s->y_zero, s->min, s->max);
        }
    }
}

void el_slice_fwd_s8__ref(int32_t outer, int32_t whole, int32_t start, int32_t part, const int8_t *x, int8_t *y)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < part; i++) {
            *y++ = x[o * whole + start + i];
        }
    }
}

void el_concat_fwd_s8__ref(int32_t outer, int32_t first, int32_t second, const int8_t *a, const int8_t *b, int8_t *y)
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

void el_transpose_fwd_s8__ref(const el_transpose *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->d0; i++) {
        for (int32_t j = 0; j < s->d1; j++) {
            for (int32_t k = 0; k < s->d2; k++) {
                *y++ = x[i * s->s0 + j * s->s1 + k * s->s2];
            }
        }
    }
}

void el_table_fwd_s8__ref(int32_t count, const int8_t *x, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = table[x[i] + 128];
    }
}

void el_reshape_fwd_s8__ref(int32_t count, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = x[i];
    }
}

void el_pad_fwd_s8__ref(const el_pad *s, int32_t value, const int8_t *x, int8_t *y)
{
    for (int32_t iy = -s->top; iy < s->in_h + s->bottom; iy++) {
        for (int32_t ix = -s->left; ix < s->in_w + s->right; ix++) {
            const int inside = iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w;
            for (int32_t c = 0; c < s->channels; c++) {
                *y++ = inside ? x[(iy * s->in_w + ix) * s->channels + c] : (int8_t)value;
            }
        }
    }
}

void el_quantize_fwd_s8__ref(int32_t count, int32_t zero, int32_t even, float scale, const float *x, int8_t *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = el_round_s8(x[i] / scale, zero, even);
    }
}

void el_dequantize_fwd_s8__ref(int32_t count, int32_t zero, float scale, const int8_t *x, float *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = scale * (float)(x[i] - zero);
    }
}
