/* Sums, zeros and copies that move elements. */
#include "../real.h"

void EL_REF(add_fwd)(int32_t count, const el_real *a, const el_real *b, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], get(&a[i]) + get(&b[i]));
    }
}

void EL_REF(zero_fwd)(int32_t count, el_real *y)
{
    for (int32_t i = 0; i < count; i++) {
        put(&y[i], 0.0f);
    }
}

void EL_REF(pad_fwd)(const el_pad *s, float value, const el_real *x, el_real *y)
{
    for (int32_t iy = -s->top; iy < s->in_h + s->bottom; iy++) {
        for (int32_t ix = -s->left; ix < s->in_w + s->right; ix++) {
            const int inside = iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w;
            for (int32_t c = 0; c < s->channels; c++) {
                put(y++, inside ? get(&x[(iy * s->in_w + ix) * s->channels + c]) : value);
            }
        }
    }
}

void EL_REF(pad_bwd)(const el_pad *s, const el_real *dy, el_real *dx)
{
    const int32_t out_w = s->left + s->in_w + s->right;
    for (int32_t iy = 0; iy < s->in_h; iy++) {
        for (int32_t ix = 0; ix < s->in_w; ix++) {
            const int cropped = iy < -s->top || iy >= s->in_h + s->bottom || ix < -s->left || ix >= s->in_w + s->right;
            for (int32_t c = 0; c < s->channels; c++) {
                put(dx++, cropped ? 0.0f : get(&dy[((iy + s->top) * out_w + ix + s->left) * s->channels + c]));
            }
        }
    }
}

void EL_REF(transpose_fwd)(const el_transpose *s, const el_real *x, el_real *y)
{
    for (int32_t i = 0; i < s->d0; i++) {
        for (int32_t j = 0; j < s->d1; j++) {
            for (int32_t k = 0; k < s->d2; k++) {
                put(y++, get(&x[i * s->s0 + j * s->s1 + k * s->s2]));
            }
        }
    }
}

void EL_REF(concat_fwd)(int32_t outer, int32_t first, int32_t second, const el_real *a, const el_real *b, el_real *y)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < first; i++) {
            put(y++, get(a++));
        }
        for (int32_t i = 0; i < second; i++) {
            put(y++, get(b++));
        }
    }
}

void EL_REF(slice_fwd)(int32_t outer, int32_t whole, int32_t start, int32_t part, const el_real *x, el_real *y)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < part; i++) {
            put(y++, get(&x[o * whole + start + i]));
        }
    }
}

void EL_REF(slice_bwd)(int32_t outer, int32_t whole, int32_t start, int32_t part, const el_real *dy, el_real *dx)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < whole; i++) {
            put(dx++, i >= start && i < start + part ? get(dy++) : 0.0f);
        }
    }
}

void EL_REF(take_fwd)(int32_t rows, int32_t channels, int32_t part, const el_real *x, const int32_t *index, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t k = 0; k < part; k++) {
            put(y++, get(&x[r * channels + index[k]]));
        }
    }
}

void EL_REF(put_fwd)(int32_t rows, int32_t channels, int32_t part, const el_real *x, const int32_t *index, el_real *y)
{
    for (int32_t r = 0; r < rows; r++) {
        int32_t k = 0;
        for (int32_t c = 0; c < channels; c++) {
            const int32_t here = k < part && index[k] == c;
            put(y++, here ? get(&x[r * part + k]) : 0.0f);
            k += here;
        }
    }
}
