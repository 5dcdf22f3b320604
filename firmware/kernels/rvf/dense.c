/* Fully connected layers with sums in many registers: eight rows of w at a time against x, and sixteen columns of w at
 * a time in the gradients. */
#include "el/kernels.h"

#define EL_EACH_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EL_EACH_16(X) EL_EACH_8(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static void eight(int32_t in, const float *x, const float *w, const float *b, float *y)
{
#define EL_START(j)                                                                                                    \
    float t##j = b != 0 ? b[j] : 0.0f;                                                                                 \
    const float *w##j = w + (j)*in;
#define EL_TERMS(j) t##j = t##j + x0 * w##j[0] + x1 * w##j[1] + x2 * w##j[2] + x3 * w##j[3], w##j += 4;
#define EL_TERM(j) t##j += *x * *w##j++;
#define EL_END(j) y[j] = t##j;
    EL_EACH_8(EL_START)
    const float *const end = x + in;
    for (const float *fours = x + (in & ~3); x != fours; x += 4) {
        const float x0 = x[0];
        const float x1 = x[1];
        const float x2 = x[2];
        const float x3 = x[3];
        EL_EACH_8(EL_TERMS)
    }
    for (; x != end; x++) {
        EL_EACH_8(EL_TERM)
    }
    EL_EACH_8(EL_END)
#undef EL_START
#undef EL_TERMS
#undef EL_TERM
#undef EL_END
}

void el_dense_fwd_f32__rvf(int32_t in, int32_t out, const float *x, const float *w, const float *b, float *y)
{
    int32_t o = 0;
    for (; o + 8 <= out; o += 8, w += 8 * in) {
        eight(in, x, w, b != 0 ? b + o : 0, y + o);
    }
    for (; o < out; o++, w += in) {
        float sum = b != 0 ? b[o] : 0.0f;
        for (int32_t i = 0; i < in; i++) {
            sum += x[i] * w[i];
        }
        y[o] = sum;
    }
}

void el_dense_bwd_x_f32__rvf(int32_t in, int32_t out, int32_t pitch, const float *dy, const float *w, float *dx)
{
#define EL_START(j) float t##j = 0.0f;
#define EL_TERM(j) t##j += d * p[j];
#define EL_END(j) dx[j] = t##j;
    const float *const end = dy + out;
    int32_t i = 0;
    for (; i + 16 <= in; i += 16, w += 16, dx += 16) {
        const float *p = w;
        EL_EACH_16(EL_START)
        for (const float *g = dy; g != end; g++, p += pitch) {
            const float d = *g;
            EL_EACH_16(EL_TERM)
        }
        EL_EACH_16(EL_END)
    }
    for (; i < in; i++, w++) {
        float sum = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            sum += dy[o] * w[o * pitch];
        }
        *dx++ = sum;
    }
#undef EL_START
#undef EL_TERM
#undef EL_END
}

void el_dense_bwd_w_f32__rvf(int32_t in, int32_t out, float scale, const float *x, const float *dy, float *dw)
{
#define EL_START(j) const float x##j = x[j];
/* The compiler would load all sixteen first and have no registers left. */
#define EL_TERM(j)                                                                                                     \
    p[j] += d * x##j;                                                                                                  \
    __asm__("" ::: "memory");
    const float *const end = dy + out;
    int32_t i = 0;
    for (; i + 16 <= in; i += 16, dw += 16, x += 16) {
        float *p = dw;
        EL_EACH_16(EL_START)
        for (const float *g = dy; g != end; g++, p += in) {
            const float d = scale * *g;
            EL_EACH_16(EL_TERM)
        }
    }
    for (; i < in; i++, dw++, x++) {
        for (int32_t o = 0; o < out; o++) {
            dw[o * in] += scale * dy[o] * *x;
        }
    }
#undef EL_START
#undef EL_TERM
}
