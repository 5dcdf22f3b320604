/* Depthwise convolution on eight channels at a time, for sweep.h: s0-s7 sums, s8-s15 and s16-s23 the operands. The
 * arithmetic is in fused.h and apart.h. */
#ifndef EL_THUMB_LANES_H
#define EL_THUMB_LANES_H

#include "registers.h"

#include "../sweep.h"

enum { EL_LANES = 8 };

#define EL_LANES_TERM                                                                                                  \
    "vldmia %[a], {s8-s15}\n\tadd %[a], %[a], %[p]\n\tvldmia %[b], {s16-s23}\n\tadd %[b], %[b], "                      \
    "%[q]\n\t" EL_LANES_MACS
/* `rows` rows; a and b go on by m and n behind each */
#define EL_LANES_ROWS(terms)                                                                                           \
    "vldmia %[from], {s0-s7}\n\tcmp %[rows], #0\n\tbeq.w 3f\n1:\n\t" terms                                             \
    "add %[a], %[a], %[m]\n\tadd %[b], %[b], %[n]\n\tsubs %[rows], %[rows], #1\n\tbne.w 1b\n3:\n\t"
#define EL_LANES_LOOP "mov %[i], %[count]\n2:\n\t" EL_LANES_TERM "subs %[i], %[i], #1\n\tbne.w 2b\n\t"
#define EL_LANES_THREE EL_LANES_TERM EL_LANES_TERM EL_LANES_TERM
#define EL_LANES_ASM(text)                                                                                             \
    __asm__ volatile(text                                                                                              \
                     : [a] "+r"(a), [b] "+r"(b), [rows] "+r"(rows), [i] "=&r"(i)                                       \
                     : [from] "r"(from), [y] "r"(y), [count] "r"(v->count), [p] "r"(4 * v->a_step),                    \
                       [q] "r"(4 * v->b_step), [m] "r"(4 * (v->a_row - v->count * v->a_step)),                         \
                       [n] "r"(4 * (v->b_row - v->count * v->b_step)), [scale] "t"(scale)                              \
                     : EL_LOW_REGISTERS, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc")

/* y[0..8) = from[0..8) + the sum. Most windows are three wide: their loop is unrolled. */
static inline void el_lanes_store(const el_sweep *v, const float *a, const float *b, const float *from, float *y)
{
    const float scale = 0.0f;
    int32_t rows = v->rows;
    int32_t i;
    if (v->count == 3) {
        EL_LANES_ASM(EL_LANES_ROWS(EL_LANES_THREE) "vstmia %[y], {s0-s7}\n\t");
    } else {
        EL_LANES_ASM(EL_LANES_ROWS(EL_LANES_LOOP) "vstmia %[y], {s0-s7}\n\t");
    }
}

/* y[0..8) += scale * the sum */
static inline void el_lanes_add(const el_sweep *v, float scale, const float *a, const float *b, float *y)
{
    const float *from = el_zeros;
    int32_t rows = v->rows;
    int32_t i;
    EL_LANES_ASM(EL_LANES_ROWS(EL_LANES_LOOP) "vldmia %[y], {s8-s15}\n\t" EL_LANES_SCALED "vstmia %[y], {s8-s15}\n\t");
}

/* The sum for one channel */
static inline float el_lanes_one(const el_sweep *v, const float *a, const float *b, float sum)
{
    for (int32_t r = 0; r < v->rows; r++, a += v->a_row, b += v->b_row) {
        for (int32_t k = 0; k < v->count; k++) {
            sum += a[k * v->a_step] * b[k * v->b_step];
        }
    }
    return sum;
}

EL_APART void el_sweep_store(const el_sweep *v, int32_t channels, const float *a, const float *b, const float *bias,
                             float *y)
{
    int32_t c = 0;
    for (; c + EL_LANES <= channels; c += EL_LANES) {
        el_lanes_store(v, a + c, b + c, bias != 0 ? bias + c : el_zeros, y + c);
    }
    for (; c < channels; c++) {
        y[c] = el_lanes_one(v, a + c, b + c, bias != 0 ? bias[c] : 0.0f);
    }
}

EL_APART void el_sweep_add(const el_sweep *v, int32_t channels, float scale, const float *a, const float *b, float *dw)
{
    int32_t c = 0;
    for (; c + EL_LANES <= channels; c += EL_LANES) {
        el_lanes_add(v, scale, a + c, b + c, dw + c);
    }
    for (; c < channels; c++) {
        dw[c] += scale * el_lanes_one(v, a + c, b + c, 0.0f);
    }
}

#endif
