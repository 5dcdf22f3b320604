/* The tile of products in halves: 6 or 4 rows of 8 columns, two a register, whose sums stay in registers.
 *
 *   el_stores_<height>(rows, tiles, count, a, lda, b, from, pitch, y, ldy)
 *       y[i * ldy + j] = from[i * pitch + j] + sum over k < count of a[i * lda + k] * b[k][j]
 *       tiles lie one below the other
 *   el_adds_<height>(panels, count, a, b, ldb, next, scale, y, ldy), and el_adds_<height>_apart
 *       y[i * ldy + j] += scale * sum over k < count of a[k][i] * b[k * ldb + j]
 *       tiles lie side by side, the columns of each `next` elements behind those of the one before; ldb is 8 but for
 *       the latter
 *
 * Only `rows` rows are read; those that a tile has beyond repeat the last. A term is four loads of columns, one of an
 * element of a for each row, and four multiply-adds a row. Terms are added in ascending order, as halves, and their sum
 * to y as one. Eight terms are a turn; of a sum that is no multiple of eight the first turn is begun in its midst. */
#ifndef EL_XFVEC_SUMS_H
#define EL_XFVEC_SUMS_H

#include "pair.h"

enum { EL_ROWS = 6, EL_TURN = 8 };

#if defined(__riscv)

/* f0-f23 sums, f24-f27 columns, f28-f31 rows */
#define EL_LOAD(f, at) ".insn i 0x07, 1, f" #f ", " at "\n\t"
#define EL_MAC(sum, column, row) ".insn r 0x33, 6, 0x48, f" #sum ", f" #column ", f" #row "\n\t"
#define EL_ADD(sum, other) ".insn r 0x33, 2, 0x41, f" #sum ", f" #sum ", f" #other "\n\t"
#define EL_MACS(s0, s1, s2, s3, row) EL_MAC(s0, 24, row) EL_MAC(s1, 25, row) EL_MAC(s2, 26, row) EL_MAC(s3, 27, row)
#define EL_COLUMNS(k)                                                                                                  \
    "flw f24, 16*" #k "(%[b])\n\tflw f25, 16*" #k "+4(%[b])\n\tflw f26, 16*" #k "+8(%[b])\n\tflw f27, 16*" #k          \
    "+12(%[b])\n\t"
/* Columns that are not packed: one row of them after the other */
#define EL_COLUMNS_APART(k)                                                                                            \
    "flw f24, 0(%[b])\n\tflw f25, 4(%[b])\n\tflw f26, 8(%[b])\n\tflw f27, 12(%[b])\n\tadd %[b], %[b], %[ldb]\n\t"
#define EL_ROW_APART(f, i, k, rows) EL_LOAD(f, "2*" #k "(%[a" #i "])")
#define EL_ROW_MIXED(f, i, k, rows) EL_LOAD(f, "2*(" #rows "*" #k "+" #i ")(%[a])")
#define EL_TERM_4(COLUMNS, ROW, k)                                                                                     \
    COLUMNS(k)                                                                                                         \
    ROW(28, 0, k, 4)                                                                                                   \
    ROW(29, 1, k, 4)                                                                                                   \
    EL_MACS(0, 1, 2, 3, 28)                                                                                            \
    ROW(30, 2, k, 4) EL_MACS(4, 5, 6, 7, 29) ROW(31, 3, k, 4) EL_MACS(8, 9, 10, 11, 30) EL_MACS(12, 13, 14, 15, 31)
#define EL_TERM_6(COLUMNS, ROW, k)                                                                                     \
    COLUMNS(k)                                                                                                         \
    ROW(28, 0, k, 6)                                                                                                   \
    ROW(29, 1, k, 6)                                                                                                   \
    EL_MACS(0, 1, 2, 3, 28)                                                                                            \
    ROW(30, 2, k, 6)                                                                                                   \
    EL_MACS(4, 5, 6, 7, 29)                                                                                            \
    ROW(31, 3, k, 6)                                                                                                   \
    EL_MACS(8, 9, 10, 11, 30)                                                                                          \
    ROW(28, 4, k, 6)                                                                                                   \
    EL_MACS(12, 13, 14, 15, 31)                                                                                        \
    ROW(29, 5, k, 6) EL_MACS(16, 17, 18, 19, 28) EL_MACS(20, 21, 22, 23, 29)
#define EL_EIGHT(TERM, COLUMNS, ROW)                                                                                   \
    TERM(COLUMNS, ROW, 0)                                                                                              \
    TERM(COLUMNS, ROW, 1)                                                                                              \
    TERM(COLUMNS, ROW, 2)                                                                                              \
    TERM(COLUMNS, ROW, 3)                                                                                              \
    TERM(COLUMNS, ROW, 4) TERM(COLUMNS, ROW, 5) TERM(COLUMNS, ROW, 6) TERM(COLUMNS, ROW, 7)

/* Bytes of a term's instructions, and what one more has */
enum { EL_TERM_BYTES_4 = 4 * 24, EL_TERM_BYTES_6 = 4 * 34, EL_WORD = 4 };

#define EL_CLEAR(f) "fmv.w.x f" #f ", zero\n\t"
#define EL_FOUR(DO, s0, s1, s2, s3) DO(s0) DO(s1) DO(s2) DO(s3)
#define EL_CLEAR_4                                                                                                     \
    EL_FOUR(EL_CLEAR, 0, 1, 2, 3)                                                                                      \
    EL_FOUR(EL_CLEAR, 4, 5, 6, 7) EL_FOUR(EL_CLEAR, 8, 9, 10, 11) EL_FOUR(EL_CLEAR, 12, 13, 14, 15)
#define EL_CLEAR_6 EL_CLEAR_4 EL_FOUR(EL_CLEAR, 16, 17, 18, 19) EL_FOUR(EL_CLEAR, 20, 21, 22, 23)

#define EL_STEP(i) "addi %[a" #i "], %[a" #i "], 16\n\t"
#define EL_STEP_4 EL_STEP(0) EL_STEP(1) EL_STEP(2) EL_STEP(3)
#define EL_STEP_6 EL_STEP_4 EL_STEP(4) EL_STEP(5)
#define EL_ON(i) "add %[a" #i "], %[a" #i "], %[on]\n\t"
#define EL_ON_4 EL_ON(0) EL_ON(1) EL_ON(2) EL_ON(3)
#define EL_ON_6 EL_ON_4 EL_ON(4) EL_ON(5)

#define EL_COLUMNS_OF(op, p)                                                                                           \
    op " f24, 0(" p ")\n\t" op " f25, 4(" p ")\n\t" op " f26, 8(" p ")\n\t" op " f27, 12(" p ")\n\t"
/* y = from + sums of a row, without a detour through memory */
#define EL_FINISH(s0, s1, s2, s3)                                                                                      \
    EL_COLUMNS_OF("flw", "%[from]")                                                                                    \
    EL_ADD(s0, 24)                                                                                                     \
    EL_ADD(s1, 25)                                                                                                     \
    EL_ADD(s2, 26)                                                                                                     \
    EL_ADD(s3, 27)                                                                                                     \
    "add %[from], %[from], %[pitch]\n\tfsw f" #s0 ", 0(%[y])\n\tfsw f" #s1 ", 4(%[y])\n\tfsw f" #s2                    \
    ", 8(%[y])\n\tfsw f" #s3 ", 12(%[y])\n\tadd %[y], %[y], %[ldy]\n\t"
#define EL_FINISH_4 EL_FINISH(0, 1, 2, 3) EL_FINISH(4, 5, 6, 7) EL_FINISH(8, 9, 10, 11) EL_FINISH(12, 13, 14, 15)
#define EL_FINISH_6 EL_FINISH_4 EL_FINISH(16, 17, 18, 19) EL_FINISH(20, 21, 22, 23)
/* y += scale, in f28, times sums of a row */
#define EL_SCALED(s0, s1, s2, s3)                                                                                      \
    EL_COLUMNS_OF("flw", "%[t]")                                                                                       \
    EL_MAC(24, s0, 28)                                                                                                 \
    EL_MAC(25, s1, 28) EL_MAC(26, s2, 28) EL_MAC(27, s3, 28) EL_COLUMNS_OF("fsw", "%[t]") "add %[t], %[t], %[ldy]\n\t"
#define EL_SCALED_4 EL_SCALED(0, 1, 2, 3) EL_SCALED(4, 5, 6, 7) EL_SCALED(8, 9, 10, 11) EL_SCALED(12, 13, 14, 15)
#define EL_SCALED_6 EL_SCALED_4 EL_SCALED(16, 17, 18, 19) EL_SCALED(20, 21, 22, 23)

#define EL_F_REGISTERS                                                                                                 \
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",    \
        "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10",    \
        "ft11"

/* Every instruction of a turn has four bytes: `skip` terms of the first one lie in front of where it is entered. */
#define EL_BEGIN(CLEAR)                                                                                                \
    ".option push\n\t.option norvc\n\t.balign 4\n\tlla %[entry], 1f\n\tadd %[entry], %[entry], %[skip]\n5:\n\t" CLEAR
#define EL_STORES(H)                                                                                                   \
    static void el_stores_##H(int32_t rows, int32_t tiles, int32_t count, const el_f16 *a0, int32_t lda,               \
                              const el_f16 *panel, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)          \
    {                                                                                                                  \
        const int32_t skip = -count & (EL_TURN - 1);                                                                   \
        a0 -= skip;                                                                                                    \
        const el_f16 *a1 = rows > 1 ? a0 + lda : a0;                                                                   \
        const el_f16 *a2 = rows > 2 ? a1 + lda : a1;                                                                   \
        const el_f16 *a3 = rows > 3 ? a2 + lda : a2;                                                                   \
        const el_f16 *a4 = H > 4 && rows > 4 ? a3 + lda : a3;                                                          \
        const el_f16 *a5 = H > 4 && rows > 5 ? a4 + lda : a4;                                                          \
        const el_f16 *b;                                                                                               \
        uint32_t entry;                                                                                                \
        __asm volatile(                                                                                                \
            EL_BEGIN(EL_CLEAR_##H) "mv %[b], %[panel]\n\tjr %[entry]\n1:\n\t" EL_EIGHT(EL_TERM_##H, EL_COLUMNS,        \
                                                                                       EL_ROW_APART) EL_STEP_##H       \
            "addi %[b], %[b], 128\n\tbne %[b], %[all], 1b\n\t" EL_FINISH_##H EL_ON_##H                                 \
            "addi %[tiles], %[tiles], -1\n\tbnez %[tiles], 5b\n\t.option pop"                                          \
            : [a0] "+&r"(a0), [a1] "+&r"(a1), [a2] "+&r"(a2), [a3] "+&r"(a3), [a4] "+&r"(a4), [a5] "+&r"(a5),          \
              [b] "=&r"(b), [from] "+&r"(from), [y] "+&r"(y), [tiles] "+&r"(tiles), [entry] "=&r"(entry)               \
            : [panel] "r"(panel - skip * EL_COLS), [all] "r"(panel + count * EL_COLS), [pitch] "r"(2 * pitch),         \
              [ldy] "r"(2 * ldy), [on] "r"(2 * (H * lda - count - skip)), [skip] "r"(skip * EL_TERM_BYTES_##H)         \
            : "memory", EL_F_REGISTERS);                                                                               \
    }
/* Columns are packed and STEP goes on by a turn of them, or they are apart, which takes one more instruction a term. */
#define EL_ADDS(NAME, H, COLUMNS, MORE, STEP)                                                                          \
    static void NAME(int32_t panels, int32_t count, const el_f16 *rows, const el_f16 *b, int32_t ldb, int32_t next,    \
                     const el_f16 *scale, el_f16 *y, int32_t ldy)                                                      \
    {                                                                                                                  \
        const int32_t skip = -count & (EL_TURN - 1);                                                                   \
        const int32_t ahead = MORE != 0 ? 0 : skip; /* what is skipped goes on by itself */                            \
        const el_f16 *all = b + count * ldb;                                                                           \
        const el_f16 *a;                                                                                               \
        el_f16 *t;                                                                                                     \
        uint32_t entry;                                                                                                \
        b -= ahead * ldb;                                                                                              \
        __asm volatile(                                                                                                \
            EL_BEGIN(EL_CLEAR_##H) "mv %[a], %[rows]\n\tjr %[entry]\n1:\n\t" EL_EIGHT(                                 \
                EL_TERM_##H, COLUMNS,                                                                                  \
                EL_ROW_MIXED) "addi %[a], %[a], 16*" #H "\n\t" STEP                                                    \
                              "bne %[b], %[all], 1b\n\t" EL_LOAD(28, "0(%[scale])") "mv %[t], %[y]\n\t" EL_SCALED_##H  \
            "addi %[y], %[y], 16\n\tadd %[b], %[b], %[back]\n\tadd %[all], %[all], %[next]\n\t"                        \
            "addi %[panels], %[panels], -1\n\tbnez %[panels], 5b\n\t.option pop"                                       \
            : [a] "=&r"(a), [b] "+&r"(b), [all] "+&r"(all), [y] "+&r"(y), [t] "=&r"(t), [panels] "+&r"(panels),        \
              [entry] "=&r"(entry)                                                                                     \
            : [rows] "r"(rows - skip * H), [scale] "r"(scale), [ldy] "r"(2 * ldy), [ldb] "r"(2 * ldb),                 \
              [back] "r"(2 * (next - (count + ahead) * ldb)), [next] "r"(2 * next),                                    \
              [skip] "r"(skip * (EL_TERM_BYTES_##H + MORE))                                                            \
            : "memory", EL_F_REGISTERS);                                                                               \
    }

#else

/* sum[j] = sum over k < count of a[k * step] * b[k * ldb + j] */
static inline void el_sums(int32_t count, const el_f16 *a, int32_t step, const el_f16 *b, int32_t ldb, el_pair *sum)
{
    for (int32_t j = 0; j < EL_COLS; j += 2) {
        el_pair t = el_pair_zero();
        for (int32_t k = 0; k < count; k++) {
            t = el_pair_mac_low(t, el_pair_load(b + k * ldb + j), el_pair_one(a + k * step));
        }
        sum[j / 2] = t;
    }
}

#endif

#endif
