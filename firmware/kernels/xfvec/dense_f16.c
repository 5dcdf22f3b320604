/* Fully connected layers in halves. Sums are halves for up to EL_HALF_TERMS terms of a lane, then floats. */
#include "el/kernels.h"
#include "pair.h"

enum { EL_HALF_TERMS = 72, EL_ROWS = 6, EL_PAIRS = 8 };

static int32_t lower(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* sum[r] += w[r][i] * x[i] over i < 2 * pairs, rows `pitch` apart */
EL_INLINE void add_rows(int rows, int32_t pairs, int32_t pitch, const el_f16 *x, const el_f16 *w, float *sum)
{
    el_pair acc[EL_ROWS];
    for (int r = 0; r < rows; r++) {
        acc[r] = el_pair_zero();
    }
#pragma GCC unroll 4
    for (; pairs > 0; pairs--, x += 2, w += 2) {
        const el_pair v = el_pair_load(x);
        el_pair f[EL_ROWS];
        for (int r = 0; r < rows; r++) {
            f[r] = el_pair_load(w + r * pitch);
        }
        for (int r = 0; r < rows; r++) {
            acc[r] = el_pair_mac(acc[r], f[r], v);
        }
    }
    for (int r = 0; r < rows; r++) {
        sum[r] += el_pair_low(acc[r]) + el_pair_high(acc[r]);
    }
}

EL_INLINE void forward(int rows, int32_t in, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y)
{
    float sum[EL_ROWS];
    for (int r = 0; r < rows; r++) {
        sum[r] = b != 0 ? el_half_load(b + r) : 0.0f;
    }
    int32_t i = 0;
    while (in - i >= 2) {
        const int32_t pairs = lower(EL_HALF_TERMS, (in - i) / 2);
        add_rows(rows, pairs, in, x + i, w + i, sum);
        i += 2 * pairs;
    }
    for (int r = 0; r < rows; r++) {
        if (i < in) {
            sum[r] += el_half_load(w + r * in + i) * el_half_load(x + i);
        }
        el_half_store(y + r, sum[r]);
    }
}

void el_dense_fwd_f16__xfvec(int32_t in, int32_t out, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y)
{
    int32_t o = 0;
    for (; out - o >= EL_ROWS; o += EL_ROWS) {
        forward(EL_ROWS, in, x, w + o * in, b != 0 ? b + o : 0, y + o);
    }
    for (; o < out; o++) {
        forward(1, in, x, w + o * in, b != 0 ? b + o : 0, y + o);
    }
}

/* dx[c] = sum over o of w[o][c] * dy[o], for two channels a pair */
EL_INLINE void columns(int pairs, int32_t pitch, int32_t out, const el_f16 *dy, const el_f16 *w, el_f16 *dx)
{
    float sum[2 * EL_PAIRS] = {0};
    for (int32_t o = 0; o < out;) {
        el_pair acc[EL_PAIRS];
        for (int c = 0; c < pairs; c++) {
            acc[c] = el_pair_zero();
        }
        const int32_t end = lower(out, o + EL_HALF_TERMS);
#pragma GCC unroll 4
        for (; o < end; o++, w += pitch) {
            const el_pair v = el_pair_one(dy + o);
            el_pair f[EL_PAIRS];
            for (int c = 0; c < pairs; c++) {
                f[c] = el_pair_load(w + 2 * c);
            }
            for (int c = 0; c < pairs; c++) {
                acc[c] = el_pair_mac_low(acc[c], f[c], v);
            }
        }
        for (int c = 0; c < pairs; c++) {
            sum[2 * c] += el_pair_low(acc[c]);
            sum[2 * c + 1] += el_pair_high(acc[c]);
        }
    }
    for (int c = 0; c < pairs; c++) {
        el_pair_store(dx + 2 * c, el_pair_of(sum[2 * c], sum[2 * c + 1]));
    }
}

void el_dense_bwd_x_f16__xfvec(int32_t in, int32_t out, int32_t pitch, const el_f16 *dy, const el_f16 *w, el_f16 *dx)
{
    int32_t i = 0;
    for (; in - i >= 2 * EL_PAIRS; i += 2 * EL_PAIRS) {
        columns(EL_PAIRS, pitch, out, dy, w + i, dx + i);
    }
    for (; in - i >= 2; i += 2) {
        columns(1, pitch, out, dy, w + i, dx + i);
    }
    if (i < in) {
        float sum = 0.0f;
        for (int32_t o = 0; o < out; o++) {
            sum += el_half_load(w + o * pitch + i) * el_half_load(dy + o);
        }
        el_half_store(dx + i, sum);
    }
}

/* Factors that a half holds as well as any are one; smaller and larger ones stay floats. */
static int fits(float factor)
{
    const float size = factor < 0.0f ? -factor : factor;
    return size >= 6.103515625e-5f && size < 65504.0f;
}

void el_dense_bwd_w_f16__xfvec(int32_t in, int32_t out, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw)
{
    for (int32_t o = 0; o < out; o++, dw += in) {
        const float factor = scale * el_half_load(dy + o);
        const el_pair v = el_pair_of(factor, factor);
        int32_t i = 0;
        if (fits(factor)) {
            for (; in - i >= 2 * EL_PAIRS; i += 2 * EL_PAIRS) {
                el_pair g[EL_PAIRS];
                for (int c = 0; c < EL_PAIRS; c++) {
                    g[c] = el_pair_mac(el_pair_load(dw + i + 2 * c), el_pair_load(x + i + 2 * c), v);
                }
                for (int c = 0; c < EL_PAIRS; c++) {
                    el_pair_store(dw + i + 2 * c, g[c]);
                }
            }
        }
        for (; i < in; i++) {
            el_half_store(dw + i, el_half_load(dw + i) + factor * el_half_load(x + i));
        }
    }
}
