/* Convolution of int8 in floats, which have the sums of as many products as EL_EXACT_S8 without rounding: a
 * multiply-add takes one instruction then, where integers take two. Six positions lie side by side as floats, without
 * their zero point; weights become floats four channels at a time, for all six. */
#include "tile.h"

#include "../product_s8/single.h"

enum { EL_ROWS_S8 = EL_TILE_HEIGHT, EL_LINES_S8 = 1, EL_CHUNK_S8 = 16, EL_UNIT_S8 = 1 };
enum { EL_EXACT_S8 = 512, EL_TOGETHER_S8 = EL_TILE_WIDTH }; /* terms of 255 * 128 at most, which stay below 2^24 */

#define EL_PANEL_BYTES(k) ((k)*EL_ROWS_S8 * (int32_t)sizeof(float))

typedef struct {
    float *terms;
} el_panel_s8;

EL_INLINE int8_t *el_prepare_s8(el_layer_s8 *l, int32_t channels, void *scratch)
{
    l->small = el_small_s8(l, channels);
    return scratch;
}

EL_INLINE el_panel_s8 el_panel_s8_in(void *memory, int32_t k)
{
    (void)k;
    return (el_panel_s8){memory};
}

EL_APART void pack(float *to, const el_line_s8 *line, int32_t x_zero)
{
    const int8_t *from = line->from;
    for (int32_t k = 0; k < line->pieces; k++, from += line->step) {
        const int8_t *term = from;
        const int8_t *const end = from + line->length;
#pragma GCC unroll 4
        for (; term != end; to += EL_ROWS_S8) {
            *to = (float)(*term++ - x_zero);
        }
    }
}

/* The lines of six positions are floats, that of one has 16 bits. */
EL_INLINE void el_pack_s8(const el_panel_s8 *panel, int32_t i, int32_t rows, const el_line_s8 *line, int32_t x_zero)
{
    if (rows == EL_ROWS_S8) {
        pack(panel->terms + i, line, x_zero);
    } else {
        el_widen_s8((int16_t *)(void *)panel->terms, 1, line, x_zero);
    }
}

#define EL_ZERO_SUMS                                                                                                   \
    "fmv.w.x f0, zero\n\tfmv.w.x f1, zero\n\tfmv.w.x f2, zero\n\tfmv.w.x f3, zero\n\tfmv.w.x f4, zero\n\t"             \
    "fmv.w.x f5, zero\n\tfmv.w.x f6, zero\n\tfmv.w.x f7, zero\n\tfmv.w.x f8, zero\n\tfmv.w.x f9, zero\n\t"             \
    "fmv.w.x f10, zero\n\tfmv.w.x f11, zero\n\tfmv.w.x f12, zero\n\tfmv.w.x f13, zero\n\tfmv.w.x f14, zero\n\t"        \
    "fmv.w.x f15, zero\n\tfmv.w.x f16, zero\n\tfmv.w.x f17, zero\n\tfmv.w.x f18, zero\n\tfmv.w.x f19, zero\n\t"        \
    "fmv.w.x f20, zero\n\tfmv.w.x f21, zero\n\tfmv.w.x f22, zero\n\tfmv.w.x f23, zero\n\t"
#define EL_WEIGHTS(at)                                                                                                 \
    "lb %[t0], " at "(%[w0])\n\tlb %[t1], " at "(%[w1])\n\tlb %[t2], " at "(%[w2])\n\tlb %[t3], " at                   \
    "(%[w3])\n\tfcvt.s.w f24, %[t0]\n\tfcvt.s.w f25, %[t1]\n\tfcvt.s.w f26, %[t2]\n\tfcvt.s.w f27, %[t3]\n\t"
#define EL_STEP_WEIGHTS(n)                                                                                             \
    "addi %[w0], %[w0], " n "\n\taddi %[w1], %[w1], " n "\n\taddi %[w2], %[w2], " n "\n\taddi %[w3], %[w3], " n "\n\t"
#define EL_WHOLE(f0, f1, at0, at1)                                                                                     \
    "fcvt.w.s %[t0], " f0 "\n\tfcvt.w.s %[t1], " f1 "\n\tsw %[t0], " at0 "*4(%[sums])\n\tsw %[t1], " at1               \
    "*4(%[sums])\n\t"

/* sums[j][i] of channels j, whose weights are `hop` apart, and positions i */
EL_APART void six_by_four(int32_t count, const float *a, const int8_t *w0, int32_t hop, int32_t *sums)
{
    const int8_t *w1 = w0 + hop;
    const int8_t *w2 = w1 + hop;
    const int8_t *w3 = w2 + hop;
    const int8_t *end = w0 + (count & ~7);
    const int8_t *all = w0 + count;
    int32_t t0;
    int32_t t1;
    int32_t t2;
    int32_t t3;
    __asm__ volatile(
        EL_ZERO_SUMS
        "beq %[w0], %[end], 2f\n1:\n\t" EL_TURN_TERMS(5, EL_SIX, EL_TOGETHER_6, EL_WEIGHTS) EL_STEP_WEIGHTS(
            "8") "addi %[a], %[a], 8*24\n\tbne %[w0], %[end], 1b\n2:\n\tbeq %[w0], %[all], "
                 "4f\n3:\n\t" EL_SIX(EL_TOGETHER_6, EL_WEIGHTS, "0") EL_STEP_WEIGHTS(
                     "1") "addi %[a], %[a], 24\n\tbne %[w0], %[all], 3b\n4:\n\t" EL_WHOLE("f0", "f1", "0", "6")
                     EL_WHOLE("f2", "f3", "12", "18") EL_WHOLE("f4", "f5", "1", "7") EL_WHOLE("f6", "f7", "13", "19")
                         EL_WHOLE("f8", "f9", "2", "8") EL_WHOLE("f10", "f11", "14", "20")
                             EL_WHOLE("f12", "f13", "3", "9") EL_WHOLE("f14", "f15", "15", "21")
                                 EL_WHOLE("f16", "f17", "4", "10") EL_WHOLE("f18", "f19", "16", "22")
                                     EL_WHOLE("f20", "f21", "5", "11") EL_WHOLE("f22", "f23", "17", "23")
        : [a] "+r"(a), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [t0] "=&r"(t0), [t1] "=&r"(t1),
          [t2] "=&r"(t2), [t3] "=&r"(t3)
        : [end] "r"(end), [all] "r"(all), [sums] "r"(sums)
        : EL_REGISTERS);
}

/* A channel's sums to those of the terms before, or to its start. */
EL_INLINE void add(int32_t start, const int32_t *part, int first, int32_t *sums)
{
#pragma GCC unroll 6
    for (int32_t i = 0; i < EL_ROWS_S8; i++) {
        sums[i] = part[i] + (first ? start : sums[i]);
    }
}

/* Of five channels, say, the last four once more; of fewer than four each as four times the same. */
EL_APART void sums_of_six(const el_layer_s8 *l, const float *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t together = count < EL_TOGETHER_S8 ? 1 : EL_TOGETHER_S8;
    const int32_t hop = count < EL_TOGETHER_S8 ? 0 : l->terms;
    for (int32_t n = 0; n < count; n += together) {
        const int32_t from = el_min(n, count - together);
        int32_t *const to = sums + from * EL_ROWS_S8;
        int32_t four[EL_TOGETHER_S8 * EL_ROWS_S8];
        for (int32_t k = 0; k < l->terms; k += EL_EXACT_S8) {
            six_by_four(el_min(EL_EXACT_S8, l->terms - k), panel + k * EL_ROWS_S8, l->w + (first + from) * l->terms + k,
                        hop, four);
            for (int32_t j = 0; j < together; j++) {
                add(el_start_s8(l, first + from + j), four + j * EL_ROWS_S8, k == 0, to + j * EL_ROWS_S8);
            }
        }
    }
}

EL_INLINE void el_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first, int32_t count,
                          int32_t *sums)
{
    if (rows == EL_ROWS_S8) {
        sums_of_six(l, panel->terms, first, count, sums);
    } else {
        el_sums_of_one_s8(l, (const int16_t *)(const void *)panel->terms, first, count, sums);
    }
}

#include "../product_s8/rescale.h"

#include "../product_s8/product.h"

EL_CONV2D_KERNEL_S8(rvf)
