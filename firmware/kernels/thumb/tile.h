/* The tile of the gradient of w for Cortex-M4F: 5 x 4 or 4 x 4 sums in FPU registers. Rows are packed, columns too or
 * where they are in the map, so that a term is two loads of several registers and the multiply-adds. A loop of eight
 * terms, which is entered where the remainder of a division by eight says, and around it one over panels of columns.
 *
 * s0-s19 sums, s20-s24 rows, s25-s28 columns, s29-s31 free. The arithmetic comes from apart.h, which is included
 * before.
 */
#ifndef EL_THUMB_TILE_H
#define EL_THUMB_TILE_H

#include <stdint.h>

#include "registers.h"

typedef float el_t;
typedef float el_row_t;

#ifdef EL_SUMS_BYTES
#define EL_TILE_HEIGHT 4 /* rows of halves are whole words in fours alone */
#else
#define EL_TILE_HEIGHT 5
#endif
#define EL_TILE_WIDTH 4
#define EL_OWN_PANELS
#define EL_COLUMNS_IN_PLACE

/* Fives and fours make up any number above eleven. */
static inline int32_t el_tile_height(int32_t left)
{
    return EL_TILE_HEIGHT == 5 && (left % 5 == 0 || left < 4) ? 5 : 4;
}

#define EL_MACS_4                                                                                                      \
    EL_MACS("s0", "s1", "s2", "s3", "s20")                                                                             \
    EL_MACS("s4", "s5", "s6", "s7", "s21")                                                                             \
    EL_MACS("s8", "s9", "s10", "s11", "s22") EL_MACS("s12", "s13", "s14", "s15", "s23")
#define EL_MACS_5 EL_MACS("s16", "s17", "s18", "s19", "s24")
/* Columns are packed, or a row of them is `m` bytes behind the other; bytes of code of a term. */
#define EL_PACKED "vldmia %[b]!, {s25-s28}\n\t"
#define EL_COLUMNS_APART "vldmia %[b], {s25-s28}\n\tadd.w %[b], %[b], %[m]\n\t"
#define EL_TERM_5(COLUMNS) "vldmia %[t]!, {s20-s24}\n\t" COLUMNS EL_MACS_4 EL_MACS_5
#define EL_TERM_4(COLUMNS) "vldmia %[t]!, {s20-s23}\n\t" COLUMNS EL_MACS_4

/* Once: %[e] is where the loop is entered, and %[n] becomes how often it runs. The first pass leaves out (-count) mod 8
 * terms of `bytes` of code each. */
#define EL_ENTRY(bytes)                                                                                                \
    "rsb %[t], %[n], #0\n\tand %[t], %[t], #7\n\tadd %[n], %[n], #7\n\tlsr %[n], %[n], #3\n\t"                         \
    "mov %[i], #(" bytes ")\n\tmul %[t], %[t], %[i]\n\tadr.w %[e], 1f\n\tadd %[e], %[e], %[t]\n\t"
/* A panel's sum: rows again from the first. */
#define EL_TERMS(TERM)                                                                                                 \
    "mov %[t], %[a]\n\tmov %[i], %[n]\n\tmov pc, %[e]\n\t.balign 4\n1:\n\t" TERM TERM TERM TERM TERM TERM TERM TERM    \
    "subs %[i], %[i], #1\n\tbne.w 1b\n\t"

/* DO on rows of four from [p] on, each `pitch` bytes behind the one before; then p is `hop` further. */
#define EL_FOUR_ROWS(DO, p, pitch, hop)                                                                                \
    "mov %[t], %[" p "]\n\tadd %[" p "], %[" p "], " hop "\n\t" DO("s0", "s1", "s2", "s3", "s0-s3") EL_NEXT(pitch)     \
        DO("s4", "s5", "s6", "s7", "s4-s7") EL_NEXT(pitch) DO("s8", "s9", "s10", "s11", "s8-s11") EL_NEXT(pitch)       \
            DO("s12", "s13", "s14", "s15", "s12-s15")
#define EL_FIVE_ROWS(DO, p, pitch, hop)                                                                                \
    EL_FOUR_ROWS(DO, p, pitch, hop) EL_NEXT(pitch) DO("s16", "s17", "s18", "s19", "s16-s19")
#define EL_NEXT(pitch) "add %[t], %[t], %[" pitch "]\n\t"
#define EL_ADD(c0, c1, c2, c3, row) "vldmia %[t], {s20-s23}\n\t" EL_SCALED(c0, c1, c2, c3) "vstmia %[t], {s20-s23}\n\t"

/* y += scale * sum; pitches in bytes. Of columns: how far a row is behind the one before it, and the next panel behind
 * the last row of one. */
typedef struct {
    float scale;
    int32_t pitch, next;
} el_add_steps;

#define EL_DEFINE(NAME, BYTES, TERM, ROWS)                                                                             \
    EL_APART void NAME(int32_t panels, int32_t n, const float *a, const float *b, const el_add_steps *v, float *y,     \
                       int32_t l)                                                                                      \
    {                                                                                                                  \
        int32_t t;                                                                                                     \
        int32_t e;                                                                                                     \
        int32_t i;                                                                                                     \
        __asm__ volatile(                                                                                              \
            EL_ENTRY(BYTES) "2:\n\tvldmia %[z], {s0-s19}\n\t" EL_TERMS(TERM) "vldr s28, [%[v]]\n\t" ROWS(              \
                EL_ADD, "y", "l", "#16") "ldr %[t], [%[v], #8]\n\tadd %[b], %[b], %[t]\n\t"                            \
                                         "subs %[panels], %[panels], #1\n\tbne.w 2b\n\t"                               \
            : [n] "+r"(n), [b] "+r"(b), [y] "+r"(y), [panels] "+r"(panels), [t] "=&r"(t), [e] "=&r"(e), [i] "=&r"(i)   \
            : [a] "r"(a), [l] "r"(l), [v] "r"(v), [m] "r"(v->pitch), [z] "r"(el_zeros)                                 \
            : EL_ALL_REGISTERS);                                                                                       \
    }
EL_DEFINE(el_add_5, EL_BYTES_5, EL_TERM_5(EL_PACKED), EL_FIVE_ROWS)
EL_DEFINE(el_add_4, EL_BYTES_4, EL_TERM_4(EL_PACKED), EL_FOUR_ROWS)
EL_DEFINE(el_add_5_apart, EL_BYTES_5 "+4", EL_TERM_5(EL_COLUMNS_APART), EL_FIVE_ROWS)
EL_DEFINE(el_add_4_apart, EL_BYTES_4 "+4", EL_TERM_4(EL_COLUMNS_APART), EL_FOUR_ROWS)

typedef void el_adder(int32_t panels, int32_t n, const float *a, const float *b, const el_add_steps *v, float *y,
                      int32_t l);

/* The functions for tiles of 4 and 5 rows. Panels that are not full go through a tile of their own. */
EL_INLINE void el_panels(el_adder *four, el_adder *five, int32_t height, int32_t rows, int32_t cols, int32_t count,
                         const float *a, const float *b, const el_add_steps *v, float *y, int32_t ldy)
{
    enum { SIZE = sizeof(float) };
    el_adder *const add = height == 5 ? five : four;
    const int32_t full = rows == height ? cols / EL_TILE_WIDTH : 0;
    if (full != 0) {
        add(full, count, a, b, v, y, SIZE * ldy);
    }
    for (int32_t j = full * EL_TILE_WIDTH; j < cols; j += EL_TILE_WIDTH) {
        const int32_t n = cols - j < EL_TILE_WIDTH ? cols - j : EL_TILE_WIDTH;
        const int32_t panel = j / EL_TILE_WIDTH * (count * v->pitch + v->next);
        float tile[20];
        el_tile_clear(tile);
        el_tile_clear(tile + 4);
        el_tile_copy(rows, n, y + j, ldy, tile, EL_TILE_WIDTH);
        add(1, count, a, b + panel / SIZE, v, tile, SIZE * EL_TILE_WIDTH);
        el_tile_copy(rows, n, tile, EL_TILE_WIDTH, y + j, ldy);
    }
}

static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    const el_add_steps v = {scale, (int32_t)sizeof(float) * width, 0};
    el_panels(el_add_4, el_add_5, height, rows, cols, count, a, b, &v, y, ldy);
}

static __attribute__((unused)) void el_panels_add_apart(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                        int32_t count, const float *a, const float *b, int32_t ldb,
                                                        float scale, float *y, int32_t ldy)
{
    const int32_t size = (int32_t)sizeof(float);
    const el_add_steps v = {scale, size * ldb, size * (width - count * ldb)};
    el_panels(el_add_4_apart, el_add_5_apart, height, rows, cols, count, a, b, &v, y, ldy);
}

#endif
