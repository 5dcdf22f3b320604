/* A single position against four channels at a time in portable C: its terms are widened to 16 bits, without their zero
 * point. */
#ifndef EL_SINGLE_S8_H
#define EL_SINGLE_S8_H

#include "window.h"

/* A line's terms, `rows` apart */
EL_APART void el_widen_s8(int16_t *to, int32_t rows, const el_line_s8 *line, int32_t x_zero)
{
    const int8_t *from = line->from;
    for (int32_t k = 0; k < line->pieces; k++, from += line->step) {
        const int8_t *term = from;
        for (const int8_t *end = from + line->length; term != end; to += rows) {
            *to = (int16_t)(*term++ - x_zero);
        }
    }
}

/* Turns of `term(0)` to `term(3)` and what advances their pointers, then of `term(0)` alone. */
#define EL_TERMS_S8(count, term, advance)                                                                              \
    for (int32_t fours = (count) >> 2; fours > 0; fours--) {                                                           \
        term(0) term(1) term(2) term(3) advance(4)                                                                     \
    }                                                                                                                  \
    for (int32_t ones = (count)&3; ones > 0; ones--) {                                                                 \
        term(0) advance(1)                                                                                             \
    }

EL_INLINE void el_one_by_four_s8(int32_t k, const int16_t *v, const int8_t *w, int32_t step, int32_t sums[4])
{
    const int8_t *w1 = w + step;
    const int8_t *w2 = w1 + step;
    const int8_t *w3 = w2 + step;
    int32_t s0 = sums[0];
    int32_t s1 = sums[1];
    int32_t s2 = sums[2];
    int32_t s3 = sums[3];
#define EL_TERM(t)                                                                                                     \
    {                                                                                                                  \
        const int32_t x = v[t];                                                                                        \
        s0 += x * w[t];                                                                                                \
        s1 += x * w1[t];                                                                                               \
        s2 += x * w2[t];                                                                                               \
        s3 += x * w3[t];                                                                                               \
    }
#define EL_ADVANCE(n) v += (n), w += (n), w1 += (n), w2 += (n), w3 += (n);
    EL_TERMS_S8(k, EL_TERM, EL_ADVANCE)
#undef EL_TERM
#undef EL_ADVANCE
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* Of five channels, say, the last four once more; of fewer than four each as four times the same. */
EL_APART void el_sums_of_one_s8(const el_layer_s8 *l, const int16_t *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t together = count < 4 ? 1 : 4;
    const int32_t hop = count < 4 ? 0 : 1;
    for (int32_t n = 0; n < count; n += together) {
        const int32_t from = el_min(n, count - together);
        const int32_t o = first + from;
        int32_t four[4];
        for (int32_t j = 0; j < 4; j++) {
            four[j] = el_start_s8(l, o + j * hop);
        }
        el_one_by_four_s8(l->terms, panel, l->w + o * l->terms, hop * l->terms, four);
        for (int32_t j = 0; j < together; j++) {
            sums[from + j] = four[j];
        }
    }
}

#endif
