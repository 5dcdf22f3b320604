/* Fully connected layers: each weight is met once, so that what counts is how few other instructions there are: one
 * load brings several vectors of them. Sums take EL_SUM_STEPS terms a lane and go into floats then. */
#ifndef EL_MVE_DENSE_H
#define EL_MVE_DENSE_H

enum { EL_SUM_STEPS = EL_LANES < 8 ? 252 : 60 };

/* In a register whose lanes are single floats too. */
EL_INLINE float el_lanes_sum(float32x4_t v)
{
    register float32x4_t q __asm__("q0") = v;
    __asm__("vadd.f32 s0, s0, s1\n"
            "vadd.f32 s2, s2, s3\n"
            "vadd.f32 s0, s0, s2\n"
            : "+w"(q));
    return vgetq_lane_f32(q, 0);
}

/* Three vectors into registers n, n + 1, n + 2, whose halves are d .. e: at once, or, where rows begin anywhere, apart.
 */
#define EL_THREE_AT_ONCE(p, d, e, n0, n1, n2) "vldm %[" p "]!, {" d "-" e "}\n"
#define EL_THREE_APART(p, d, e, n0, n1, n2)                                                                            \
    EL_VLDR " " n0 ", [%[" p "]], #16\n" EL_VLDR " " n1 ", [%[" p "]], #16\n" EL_VLDR " " n2 ", [%[" p "]], #16\n"
#define EL_THREE_TERMS(LOAD, p, a)                                                                                     \
    LOAD(p, "d10", "d15", "q5", "q6", "q7")                                                                            \
    EL_VFMA " %q[" a "], q2, q5\n" EL_VFMA " %q[" a "], q3, q6\n" EL_VFMA " %q[" a "], q4, q7\n"
#define EL_SIX_STEPS(LOAD)                                                                                             \
    __asm__ volatile("wls lr, %[n], 2f\n"                                                                              \
                     "1:\n" LOAD("x", "d4", "d9", "q2", "q3", "q4") EL_THREE_TERMS(LOAD, "w0", "a0")                   \
                         EL_THREE_TERMS(LOAD, "w1", "a1") LOAD("x", "d4", "d9", "q2", "q3", "q4")                      \
                             EL_THREE_TERMS(LOAD, "w0", "a0") EL_THREE_TERMS(LOAD, "w1", "a1") "le lr, 1b\n"           \
                                                                                               "2:\n"                  \
                     : [x] "+&r"(x), [w0] "+&r"(w0), [w1] "+&r"(w1), [a0] "+&w"(a0), [a1] "+&w"(a1)                    \
                     : [n] "r"(sixes)                                                                                  \
                     : "q2", "q3", "q4", "q5", "q6", "q7", "lr", "memory")

/* Two outputs, which share the loads of x: sums of four lanes each, in floats. */
EL_INLINE void el_dense_pair(int32_t in, const el_t *x, const el_t *w0, const el_t *w1, float32x4_t *y0,
                             float32x4_t *y1)
{
    const int aligned = el_words_aligned(x, w0, in);
    float32x4_t sum0 = vdupq_n_f32(0.0f);
    float32x4_t sum1 = sum0;
    for (int32_t left = in; left > 0;) {
        const int32_t sixes = el_min(left / EL_LANES, EL_SUM_STEPS) / 6;
        el_v a0 = el_set(0.0f, EL_ALL);
        el_v a1 = a0;
        left -= sixes * 6 * EL_LANES;
        if (aligned) {
            EL_SIX_STEPS(EL_THREE_AT_ONCE);
        } else {
            EL_SIX_STEPS(EL_THREE_APART);
        }
        if (left < 6 * EL_LANES) {
            __asm__ volatile(EL_TAIL_BEGIN " lr, %[n], 2f\n"
                                           "1:\n" EL_VLDR " q2, [%[x]], #16\n" EL_VLDR " q3, [%[w0]], #16\n" EL_VLDR
                                           " q4, [%[w1]], #16\n" EL_VFMA " %q[a0], q2, q3\n" EL_VFMA " %q[a1], q2, q4\n"
                                           "letp lr, 1b\n"
                                           "2:\n"
                             : [x] "+&r"(x), [w0] "+&r"(w0), [w1] "+&r"(w1), [a0] "+&w"(a0), [a1] "+&w"(a1)
                             : [n] "r"(left)
                             : "q2", "q3", "q4", "lr", "memory");
            left = 0;
        }
        sum0 = el_total_add(sum0, a0);
        sum1 = el_total_add(sum1, a1);
    }
    *y0 = sum0;
    *y1 = sum1;
}

void EL_KERNEL(dense_fwd)(int32_t in, int32_t out, const el_t *x, const el_t *w, const el_t *b, el_t *y)
{
    for (int32_t o = 0; o < out; o += 2, w += 2 * in) {
        const int two = out - o > 1;
        float32x4_t y0, y1;
        el_dense_pair(in, x, w, two ? w + in : w, &y0, &y1);
        y[o] = (el_t)((b != 0 ? (float)b[o] : 0.0f) + el_lanes_sum(y0));
        if (two) {
            y[o + 1] = (el_t)((b != 0 ? (float)b[o + 1] : 0.0f) + el_lanes_sum(y1));
        }
    }
}

enum { EL_WIDE = 4 * EL_LANES };

#define EL_FOUR_AT_ONCE "vldm %[w], {d8-d15}\n"
#define EL_FOUR_APART                                                                                                  \
    EL_VLDR " q4, [%[w]]\n" EL_VLDR " q5, [%[w], #16]\n" EL_VLDR " q6, [%[w], #32]\n" EL_VLDR " q7, [%[w], #48]\n"
#define EL_FOUR_TERMS(LOAD, d)                                                                                         \
    LOAD "add %[w], %[pitch]\n" EL_VFMA " %q[a0], q4, " d "\n" EL_VFMA " %q[a1], q5, " d "\n" EL_VFMA                  \
         " %q[a2], q6, " d "\n" EL_VFMA " %q[a3], q7, " d "\n"
#define EL_FOUR_STEPS(LOAD)                                                                                            \
    __asm__ volatile("wls lr, %[n], 2f\n"                                                                              \
                     "1:\n" EL_LOAD_FOUR_WORDS("d") EL_FOUR_TERMS(LOAD, "r4") EL_FOUR_TERMS(LOAD, "r5")                \
                         EL_FOUR_TERMS(LOAD, "r6") EL_FOUR_TERMS(LOAD, "r8") "le lr, 1b\n"                             \
                                                                             "2:\n"                                    \
                     : [w] "+&r"(w), [d] "+&r"(dy), [a0] "+&w"(a0), [a1] "+&w"(a1), [a2] "+&w"(a2), [a3] "+&w"(a3)     \
                     : [n] "r"(fours), [pitch] "r"(pitch * (int32_t)sizeof(el_t))                                      \
                     : "r4", "r5", "r6", "r8", "q4", "q5", "q6", "q7", "lr", "memory")
#define EL_COLUMN_TERM(i) a##i = el_fma_word(a##i, el_load_packed(w, i), d);
#define EL_COLUMN_SUM(i) s##i = el_sum_add(s##i, a##i, EL_ALL);
#define EL_COLUMN_STORE(i) el_store(dx + (i)*EL_LANES, el_sum_narrow(s##i), EL_ALL);
#define EL_FOUR(X) X(0) X(1) X(2) X(3)

/* Four vectors of dx, whole ones. */
static void el_dense_columns(int32_t pitch, int32_t out, const el_t *dy, const el_t *w, el_t *dx)
{
    const int aligned = el_words_aligned(w, w, pitch);
    const el_sum zero = el_sum_zero(EL_ALL);
    el_sum s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    while (out > 0) {
        const int32_t some = el_min(out, EL_SUM_STEPS);
        const int32_t fours = some / 4;
        el_v a0 = el_set(0.0f, EL_ALL);
        el_v a1 = a0, a2 = a0, a3 = a0;
        if (aligned) {
            EL_FOUR_STEPS(EL_FOUR_AT_ONCE);
        } else {
            EL_FOUR_STEPS(EL_FOUR_APART);
        }
        for (int32_t k = some % 4; k > 0; k--, w += pitch) {
            const uint32_t d = el_word_of(dy++);
            EL_FOUR(EL_COLUMN_TERM)
        }
        EL_FOUR(EL_COLUMN_SUM)
        out -= some;
    }
    EL_FOUR(EL_COLUMN_STORE)
}

static void el_dense_column(int32_t pitch, int32_t out, const el_t *dy, const el_t *w, el_t *dx, el_n n)
{
    el_sum sum = el_sum_zero(EL_ALL);
    while (out > 0) {
        el_v a = el_set(0.0f, EL_ALL);
        int32_t steps = el_min(out, EL_SUM_STEPS);
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
    for (; i + EL_WIDE <= in; i += EL_WIDE) {
        el_dense_columns(pitch, out, dy, w + i, dx + i);
    }
    for (; i < in; i += EL_LANES) {
        el_dense_column(pitch, out, dy, w + i, dx + i, el_some(in - i));
    }
}

enum { EL_FACTORS = 32 };

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
                     : [f] "+&r"(factor), [w] "+&r"(w)
                     : [n] "r"(count), [x] "r"(x), [pitch] "r"(pitch)
                     : "r4", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "memory");
}

void EL_KERNEL(dense_bwd_w)(int32_t in, int32_t out, float scale, const el_t *x, const el_t *dy, el_t *dw)
{
    for (int32_t o = 0; o < out; o += EL_FACTORS, dw += EL_FACTORS * in) {
        const int32_t count = el_min(out - o, EL_FACTORS);
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
