/* Fully connected layers: each weight is met once, so that what counts is how few other instructions there are. Sums
 * take EL_SUM_STEPS terms a lane and go into floats then. */
#ifndef EL_MVE_DENSE_H
#define EL_MVE_DENSE_H

enum { EL_ROWS = 6, EL_SUM_STEPS = EL_LANES < 8 ? 256 : 64 };

#define EL_SIX(X) X(0) X(1) X(2) X(3) X(4) X(5)

EL_INLINE int32_t el_lower(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

EL_INLINE float el_lanes_sum(float32x4_t v)
{
    return (vgetq_lane_f32(v, 0) + vgetq_lane_f32(v, 1)) + (vgetq_lane_f32(v, 2) + vgetq_lane_f32(v, 3));
}

#define EL_ROW_BEGIN(r)                                                                                                \
    const el_t *p##r = w + el_lower(r, rows - 1) * in;                                                                 \
    el_v a##r = el_set(0.0f, EL_ALL);
#define EL_ROW_TERMS(r)                                                                                                \
    a##r = el_fma(a##r, v, el_load(p##r, EL_ALL), EL_ALL);                                                             \
    p##r += EL_LANES;
#define EL_ROW_REST(r) a##r = el_fma(a##r, v, el_load(p##r, n), EL_ALL);
#define EL_ROW_DRAIN(r)                                                                                                \
    sums[r] = el_sum_add(sums[r], a##r, EL_ALL);                                                                       \
    a##r = el_set(0.0f, EL_ALL);
#define EL_ROW_ZERO(r) sums[r] = el_sum_zero(EL_ALL);

/* Up to six outputs, which share the loads of x. */
EL_INLINE void el_dense_rows(int32_t in, int32_t rows, const el_t *x, const el_t *w, const el_t *b, el_t *y)
{
    el_sum sums[EL_ROWS];
    EL_SIX(EL_ROW_ZERO)
    EL_SIX(EL_ROW_BEGIN)
    int32_t left = in;
    while (left >= EL_LANES) {
        int32_t steps = el_lower(left / EL_LANES, EL_SUM_STEPS);
        left -= steps * EL_LANES;
#pragma GCC unroll 2
        for (; steps > 0; steps--, x += EL_LANES) {
            const el_v v = el_load(x, EL_ALL);
            EL_SIX(EL_ROW_TERMS)
        }
        EL_SIX(EL_ROW_DRAIN)
    }
    if (left > 0) {
        const el_n n = el_some(left);
        const el_v v = el_load(x, n);
        EL_SIX(EL_ROW_REST)
        EL_SIX(EL_ROW_DRAIN)
    }
    for (int32_t r = 0; r < rows; r++) {
        y[r] = (el_t)((b != 0 ? (float)b[r] : 0.0f) + el_lanes_sum(el_sum_total(sums[r])));
    }
}

void EL_KERNEL(dense_fwd)(int32_t in, int32_t out, const el_t *x, const el_t *w, const el_t *b, el_t *y)
{
    for (int32_t o = 0; o < out; o += EL_ROWS) {
        el_dense_rows(in, el_lower(EL_ROWS, out - o), x, w + o * in, b != 0 ? b + o : 0, y + o);
    }
}

#define EL_COLUMN_TERMS(c) a##c = el_fma_word(a##c, el_load_packed(p, c), d);
#define EL_COLUMN_BEGIN(c) el_v a##c = el_set(0.0f, EL_ALL);
#define EL_COLUMN_DRAIN(c) EL_ROW_DRAIN(c)
#define EL_COLUMN_STORE(c) el_store(dx + (c)*EL_LANES, el_sum_narrow(sums[c]), EL_ALL);

/* Six vectors of dx, whole ones. */
static void el_dense_columns(int32_t pitch, int32_t out, const el_t *dy, const el_t *w, el_t *dx)
{
    el_sum sums[EL_ROWS];
    const el_t *p = w;
    EL_SIX(EL_ROW_ZERO)
    EL_SIX(EL_COLUMN_BEGIN)
    while (out > 0) {
        int32_t steps = el_lower(out, EL_SUM_STEPS);
        out -= steps;
#pragma GCC unroll 4
        for (; steps > 0; steps--, p += pitch) {
            const uint32_t d = el_word_of(dy++);
            EL_SIX(EL_COLUMN_TERMS)
        }
        EL_SIX(EL_COLUMN_DRAIN)
    }
    EL_SIX(EL_COLUMN_STORE)
}

static void el_dense_column(int32_t pitch, int32_t out, const el_t *dy, const el_t *w, el_t *dx, el_n n)
{
    el_sum sum = el_sum_zero(EL_ALL);
    while (out > 0) {
        el_v a = el_set(0.0f, EL_ALL);
        int32_t steps = el_lower(out, EL_SUM_STEPS);
        out -= steps;
        for (; steps > 0; steps--, w += pitch) {
            a = el_fma_word(a, el_load(w, n), el_word_of(dy++));
        }
        sum = el_sum_add(sum, a, EL_ALL);
    }
    el_store(dx, el_sum_narrow(sum), n);
}

void EL_KERNEL(dense_bwd_x)(int32_t in, int32_t out, int32_t pitch, const el_t *dy, const el_t *w, el_t *dx)
{
    int32_t i = 0;
    for (; i + EL_ROWS * EL_LANES <= in; i += EL_ROWS * EL_LANES) {
        el_dense_columns(pitch, out, dy, w + i, dx + i);
    }
    for (; i < in; i += EL_LANES) {
        el_dense_column(pitch, out, dy, w + i, dx + i, el_some(in - i));
    }
}

enum { EL_FACTORS = 32, EL_WIDE = 4 * EL_LANES };

/* w[o][0 .. EL_WIDE) += factor[o] * x for each o: four vectors of w come and go by one instruction. */
static void el_dense_update(int32_t in, int32_t count, const uint32_t *factor, const el_t *x, el_t *w)
{
    const int32_t pitch = in * (int32_t)sizeof(el_t);
    __asm__ volatile("vldm %[x], {d0-d7}\n"
                     "wls lr, %[n], 2f\n"
                     "1:\n"
                     "vldm %[w], {d8-d15}\n"
                     "ldr r4, [%[f]], #4\n" EL_VFMA " q4, q0, r4\n" EL_VFMA " q5, q1, r4\n" EL_VFMA
                     " q6, q2, r4\n" EL_VFMA " q7, q3, r4\n"
                     "vstm %[w], {d8-d15}\n"
                     "add %[w], %[pitch]\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [f] "+r"(factor), [w] "+r"(w)
                     : [n] "r"(count), [x] "r"(x), [pitch] "r"(pitch)
                     : "r4", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "memory");
}

void EL_KERNEL(dense_bwd_w)(int32_t in, int32_t out, float scale, const el_t *x, const el_t *dy, el_t *dw)
{
    for (int32_t o = 0; o < out; o += EL_FACTORS, dw += EL_FACTORS * in) {
        const int32_t count = el_lower(out - o, EL_FACTORS);
        uint32_t factor[EL_FACTORS];
        for (int32_t k = 0; k < count; k++) {
            const el_t value = (el_t)(scale * (float)dy[o + k]);
            factor[k] = el_word_of(&value);
        }
        int32_t i = 0;
        if (el_words_aligned(x, dw, in)) {
            for (; i + EL_WIDE <= in; i += EL_WIDE) {
                el_dense_update(in, count, factor, x + i, dw + i);
            }
        }
        for (; i < in; i += EL_LANES) {
            const el_n n = el_some(in - i);
            const el_v v = el_load(x + i, n);
            el_t *p = dw + i;
            for (int32_t k = 0; k < count; k++, p += in) {
                el_store(p, el_fma_word(el_load(p, n), v, factor[k]), n);
            }
        }
    }
}

#endif
