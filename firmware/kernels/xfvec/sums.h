/* The sums of a tile: 6 or 4 rows of 16 bytes of columns, 8 halves or 4 floats, in 24 or 16 float registers.
 *
 *   el_sums_<height>_apart(rows, count, a, lda, b, t)   t[i][j] = sum over k < count of a[i * lda + k] * b[k][j]
 *   el_sums_<height>_mixed(count, a, b, t)              the same with a[k * height + i]
 *
 * Only `rows` rows that lie apart are read; those that the height has beyond repeat the last. A term is four loads of
 * columns, one of an element of a for each row, and four multiply-adds a row. Terms are added in ascending order. The
 * file of a format says before it includes this one:
 *   el_t, EL_COLS, EL_BYTES   an element, elements in 16 bytes, bytes of an element (a number to paste into text)
 *   EL_ROW(f, at)             load an element of a row into register f, for all lanes; `at` is offset and pointer
 *   EL_MAC(sum, column, row)  multiply-add, operands are numbers of registers
 * and, for anything but RISC-V, el_term(sum, column, row): *sum += *column * *row. */
#ifndef EL_XFVEC_SUMS_H
#define EL_XFVEC_SUMS_H

enum { EL_ROWS = 6 };

typedef struct __attribute__((aligned(4))) {
    el_t row[EL_ROWS][EL_COLS];
} el_sums;

#if defined(__riscv)

/* f0-f23 sums, f24-f27 columns, f28-f31 rows */
#define EL_MACS(s0, s1, s2, s3, row) EL_MAC(s0, 24, row) EL_MAC(s1, 25, row) EL_MAC(s2, 26, row) EL_MAC(s3, 27, row)
#define EL_COLUMNS(k)                                                                                                  \
    "flw f24, 16*" #k "(%[b])\n\tflw f25, 16*" #k "+4(%[b])\n\tflw f26, 16*" #k "+8(%[b])\n\tflw f27, 16*" #k          \
    "+12(%[b])\n\t"
#define EL_TEXT_(x) #x
#define EL_TEXT(x) EL_TEXT_(x)
#define EL_SIZE EL_TEXT(EL_BYTES)
#define EL_APART(f, i, k, rows) EL_ROW(f, EL_SIZE "*" #k "(%[a" #i "])")
#define EL_MIXED(f, i, k, rows) EL_ROW(f, EL_SIZE "*(" #rows "*" #k "+" #i ")(%[a0])")
#define EL_TERM_4(ROW, k)                                                                                              \
    EL_COLUMNS(k)                                                                                                      \
    ROW(28, 0, k, 4)                                                                                                   \
    ROW(29, 1, k, 4)                                                                                                   \
    EL_MACS(0, 1, 2, 3, 28)                                                                                            \
    ROW(30, 2, k, 4) EL_MACS(4, 5, 6, 7, 29) ROW(31, 3, k, 4) EL_MACS(8, 9, 10, 11, 30) EL_MACS(12, 13, 14, 15, 31)
#define EL_TERM_6(ROW, k)                                                                                              \
    EL_COLUMNS(k)                                                                                                      \
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
#define EL_EIGHT(TERM, ROW)                                                                                            \
    TERM(ROW, 0) TERM(ROW, 1) TERM(ROW, 2) TERM(ROW, 3) TERM(ROW, 4) TERM(ROW, 5) TERM(ROW, 6) TERM(ROW, 7)

#define EL_CLEAR(f) "fmv.w.x f" #f ", zero\n\t"
#define EL_KEEP(f) "fsw f" #f ", 4*" #f "(%[t])\n\t"
#define EL_FOUR(DO, s0, s1, s2, s3) DO(s0) DO(s1) DO(s2) DO(s3)
#define EL_EACH_4(DO)                                                                                                  \
    EL_FOUR(DO, 0, 1, 2, 3) EL_FOUR(DO, 4, 5, 6, 7) EL_FOUR(DO, 8, 9, 10, 11) EL_FOUR(DO, 12, 13, 14, 15)
#define EL_EACH_6(DO) EL_EACH_4(DO) EL_FOUR(DO, 16, 17, 18, 19) EL_FOUR(DO, 20, 21, 22, 23)

#define EL_STEP(i, n) "addi %[a" #i "], %[a" #i "], " EL_SIZE "*" EL_TEXT(n) "\n\t"
#define EL_NEXT_4_APART(n) EL_STEP(0, n) EL_STEP(1, n) EL_STEP(2, n) EL_STEP(3, n)
#define EL_NEXT_6_APART(n) EL_NEXT_4_APART(n) EL_STEP(4, n) EL_STEP(5, n)
#define EL_NEXT_4_MIXED(n) EL_STEP(0, 4 * n)
#define EL_NEXT_6_MIXED(n) EL_STEP(0, 6 * n)

#define EL_F_REGISTERS                                                                                                 \
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",    \
        "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10",    \
        "ft11"

/* Eight terms a turn, then one; POINTERS are the operands that point to rows. */
#define EL_SUMS(H, ROW, NEXT, ...)                                                                                     \
    int32_t turns = count >> 3;                                                                                        \
    int32_t rest = count & 7;                                                                                          \
    __asm volatile(".option push\n\t.option norvc\n\t.balign 4\n\t" EL_EACH_##H(                                       \
                       EL_CLEAR) "beqz %[turns], 2f\n1:\n\t" EL_EIGHT(EL_TERM_##H, ROW)                                \
                       NEXT(8) "addi %[b], %[b], 128\n\taddi %[turns], %[turns], -1\n\t"                               \
                               "bnez %[turns], 1b\n2:\n\tbeqz %[rest], 4f\n3:\n\t" EL_TERM_##H(ROW, 0)                 \
                                   NEXT(1) "addi %[b], %[b], 16\n\taddi %[rest], %[rest], -1\n\t"                      \
                                           "bnez %[rest], 3b\n4:\n\t" EL_EACH_##H(EL_KEEP) ".option pop"               \
                   : [turns] "+r"(turns), [rest] "+r"(rest), [b] "+r"(b), __VA_ARGS__                                  \
                   : [t] "r"(t)                                                                                        \
                   : "memory", EL_F_REGISTERS)

/* `tiles` whole tiles, one below the other, for the same columns: y = from + sums, without a detour through memory. */
#define EL_FINISH(s0, s1, s2, s3)                                                                                      \
    "flw f24, 0(%[from])\n\tflw f25, 4(%[from])\n\tflw f26, 8(%[from])\n\tflw f27, 12(%[from])\n\t" EL_ADD(s0, 24)     \
        EL_ADD(s1, 25) EL_ADD(s2, 26) EL_ADD(s3, 27) "add %[from], %[from], %[pitch]\n\tfsw f" #s0 ", 0(%[y])\n\tfsw " \
                                                     "f" #s1 ", 4(%[y])\n\tfsw f" #s2 ", 8(%[y])\n\tfsw f" #s3         \
                                                     ", 12(%[y])\n\tadd %[y], %[y], %[ldy]\n\t"
#define EL_FINISH_4 EL_FINISH(0, 1, 2, 3) EL_FINISH(4, 5, 6, 7) EL_FINISH(8, 9, 10, 11) EL_FINISH(12, 13, 14, 15)
#define EL_FINISH_6 EL_FINISH_4 EL_FINISH(16, 17, 18, 19) EL_FINISH(20, 21, 22, 23)
#define EL_ON(i) "add %[a" #i "], %[a" #i "], %[on]\n\t"
#define EL_ON_4 EL_ON(0) EL_ON(1) EL_ON(2) EL_ON(3)
#define EL_ON_6 EL_ON_4 EL_ON(4) EL_ON(5)
#define EL_STORES(H)                                                                                                   \
    static inline void el_stores_##H(int32_t tiles, int32_t count, const el_t *a0, int32_t lda, const el_t *panel,     \
                                     const el_t *from, int32_t pitch, el_t *y, int32_t ldy)                            \
    {                                                                                                                  \
        const el_t *a1 = a0 + lda;                                                                                     \
        const el_t *a2 = a1 + lda;                                                                                     \
        const el_t *a3 = a2 + lda;                                                                                     \
        const el_t *a4 = a3 + (H > 4 ? lda : 0);                                                                       \
        const el_t *a5 = a4 + (H > 4 ? lda : 0);                                                                       \
        const el_t *end = panel + (count & ~7) * EL_COLS;                                                              \
        const el_t *all = panel + count * EL_COLS;                                                                     \
        const el_t *b;                                                                                                 \
        __asm volatile(                                                                                                \
            ".option push\n\t.option norvc\n\t.balign 4\n5:\n\t" EL_EACH_##H(                                          \
                EL_CLEAR) "mv %[b], %[panel]\n\tbeq %[b], %[end], 2f\n1:\n\t" EL_EIGHT(EL_TERM_##H, EL_APART)          \
                EL_NEXT_##H##_APART(                                                                                   \
                    8) "addi %[b], %[b], 128\n\tbne %[b], %[end], 1b\n2:\n\tbeq %[b], "                                \
                       "%[all], 4f\n3:\n\t" EL_TERM_##H(EL_APART, 0) EL_NEXT_##H##_APART(                              \
                           1) "addi %[b], %[b], 16\n\tbne %[b], %[all], 3b\n4:\n\t" EL_FINISH_##H EL_ON_##H            \
            "addi %[tiles], %[tiles], -1\n\tbnez %[tiles], 5b\n\t.option pop"                                          \
            : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4), [a5] "+r"(a5), [b] "=&r"(b),  \
              [from] "+r"(from), [y] "+r"(y), [tiles] "+r"(tiles)                                                      \
            : [panel] "r"(panel), [end] "r"(end), [all] "r"(all), [pitch] "r"(EL_BYTES * pitch),                       \
              [ldy] "r"(EL_BYTES * ldy), [on] "r"(EL_BYTES * (H * lda - count))                                        \
            : "memory", EL_F_REGISTERS);                                                                               \
    }
EL_STORES(6)
EL_STORES(4)

static inline void el_sums_6_apart(int32_t rows, int32_t count, const el_t *a, int32_t lda, const el_t *b, el_sums *t)
{
    const el_t *a1 = rows > 1 ? a + lda : a;
    const el_t *a2 = rows > 2 ? a1 + lda : a1;
    const el_t *a3 = rows > 3 ? a2 + lda : a2;
    const el_t *a4 = rows > 4 ? a3 + lda : a3;
    const el_t *a5 = rows > 5 ? a4 + lda : a4;
    EL_SUMS(6, EL_APART,
            EL_NEXT_6_APART, [a0] "+r"(a), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4), [a5] "+r"(a5));
}

static inline void el_sums_4_apart(int32_t rows, int32_t count, const el_t *a, int32_t lda, const el_t *b, el_sums *t)
{
    const el_t *a1 = rows > 1 ? a + lda : a;
    const el_t *a2 = rows > 2 ? a1 + lda : a1;
    const el_t *a3 = rows > 3 ? a2 + lda : a2;
    EL_SUMS(4, EL_APART, EL_NEXT_4_APART, [a0] "+r"(a), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3));
}

static inline void el_sums_6_mixed(int32_t count, const el_t *a, const el_t *b, el_sums *t)
{
    EL_SUMS(6, EL_MIXED, EL_NEXT_6_MIXED, [a0] "+r"(a));
}

static inline void el_sums_4_mixed(int32_t count, const el_t *a, const el_t *b, el_sums *t)
{
    EL_SUMS(4, EL_MIXED, EL_NEXT_4_MIXED, [a0] "+r"(a));
}

#else

static inline void el_sums_any(int32_t rows, int32_t count, const el_t *a, int32_t i_step, int32_t k_step,
                               const el_t *b, el_sums *t)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < EL_COLS; j++) {
            t->row[i][j] = 0;
            for (int32_t k = 0; k < count; k++) {
                el_term(&t->row[i][j], b + k * EL_COLS + j, a + i * i_step + k * k_step);
            }
        }
    }
}

static inline void el_sums_6_apart(int32_t rows, int32_t count, const el_t *a, int32_t lda, const el_t *b, el_sums *t)
{
    el_sums_any(rows, count, a, lda, 1, b, t);
}

static inline void el_sums_4_apart(int32_t rows, int32_t count, const el_t *a, int32_t lda, const el_t *b, el_sums *t)
{
    el_sums_any(rows, count, a, lda, 1, b, t);
}

static inline void el_sums_6_mixed(int32_t count, const el_t *a, const el_t *b, el_sums *t)
{
    el_sums_any(6, count, a, 1, 6, b, t);
}

static inline void el_sums_4_mixed(int32_t count, const el_t *a, const el_t *b, el_sums *t)
{
    el_sums_any(4, count, a, 1, 4, b, t);
}

#endif

/* By the height of a panel of rows, 6 or 4 */
static inline __attribute__((always_inline)) void el_sums_apart(int32_t height, int32_t rows, int32_t count,
                                                                const el_t *a, int32_t lda, const el_t *b, el_sums *t)
{
    if (height == 6) {
        el_sums_6_apart(rows, count, a, lda, b, t);
    } else {
        el_sums_4_apart(rows, count, a, lda, b, t);
    }
}

static inline __attribute__((always_inline)) void el_sums_mixed(int32_t height, int32_t count, const el_t *a,
                                                                const el_t *b, el_sums *t)
{
    if (height == 6) {
        el_sums_6_mixed(count, a, b, t);
    } else {
        el_sums_4_mixed(count, a, b, t);
    }
}

/* Sixes and fours make up any even number above two. */
static inline int32_t el_tile_height(int32_t left)
{
    const int32_t over = left % 6;
    return left < 4 || over == 2 || over == 4 ? 4 : 6;
}

#endif
