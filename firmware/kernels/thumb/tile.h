/* The tile of products for Cortex-M4F, M7 and M33: 5 x 4 or 4 x 4 sums in FPU registers, operands packed, so that a
 * term is two loads of several registers and the multiply-adds. A loop of eight terms, which is entered where the
 * remainder of a division by eight says, and around it one over panels of columns.
 *
 * s0-s19 sums, s20-s24 rows, s25-s28 columns, s29-s31 free. The arithmetic comes from the file that is included before:
 * fused.h, one instruction for a multiply-add, or apart.h, two that take fewer cycles on a Cortex-M4. */
#ifndef EL_THUMB_TILE_H
#define EL_THUMB_TILE_H

#include <stdint.h>

#include "registers.h"

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 5
#define EL_TILE_WIDTH 4
#define EL_OWN_PANELS

/* Fives and fours make up any number above eleven. */
static inline int32_t el_tile_height(int32_t left)
{
    return left % 5 == 0 || left < 4 ? 5 : 4;
}

#define EL_MACS_4                                                                                                      \
    EL_MACS("s0", "s1", "s2", "s3", "s20")                                                                             \
    EL_MACS("s4", "s5", "s6", "s7", "s21")                                                                             \
    EL_MACS("s8", "s9", "s10", "s11", "s22") EL_MACS("s12", "s13", "s14", "s15", "s23")
#define EL_MACS_5 EL_MACS("s16", "s17", "s18", "s19", "s24")
#define EL_TERM_5 "vldmia %[t]!, {s20-s24}\n\tvldmia %[b]!, {s25-s28}\n\t" EL_MACS_4 EL_MACS_5
#define EL_TERM_4 "vldmia %[t]!, {s20-s23}\n\tvldmia %[b]!, {s25-s28}\n\t" EL_MACS_4

/* Once: %[e] is where the loop is entered, and %[n] becomes how often it runs. The first pass leaves out (-count) mod 8
 * terms of `bytes` of code each. */
#define EL_ENTRY(bytes)                                                                                                \
    "rsb %[t], %[n], #0\n\tand %[t], %[t], #7\n\tadd %[n], %[n], #7\n\tlsr %[n], %[n], #3\n\t"                         \
    "mov %[i], #" bytes "\n\tmul %[t], %[t], %[i]\n\tadr.w %[e], 1f\n\tadd %[e], %[e], %[t]\n\t"
/* A panel's sum: rows again from the first, columns where the last panel ended. */
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

/* y += scale * sum; pitches in bytes */
#define EL_DEFINE(H, ROWS)                                                                                             \
    static __attribute__((noinline)) void el_add_##H(int32_t panels, int32_t n, const float *a, const float *b,        \
                                                     const float *s, float *y, int32_t l)                              \
    {                                                                                                                  \
        int32_t t;                                                                                                     \
        int32_t e;                                                                                                     \
        int32_t i;                                                                                                     \
        __asm__ volatile(                                                                                              \
            EL_ENTRY(EL_BYTES_##H) "2:\n\tvldmia %[z], {s0-s19}\n\t" EL_TERMS(                                         \
                EL_TERM_##H) "vldr s28, [%[s]]\n\t" ROWS(EL_ADD, "y", "l",                                             \
                                                         "#16") "subs %[panels], %[panels], #1\n\tbne.w 2b\n\t"        \
            : [n] "+r"(n), [b] "+r"(b), [y] "+r"(y), [panels] "+r"(panels), [t] "=&r"(t), [e] "=&r"(e), [i] "=&r"(i)   \
            : [a] "r"(a), [l] "r"(l), [s] "r"(s), [z] "r"(el_zeros)                                                    \
            : EL_ALL_REGISTERS);                                                                                       \
    }
EL_DEFINE(5, EL_FIVE_ROWS)
EL_DEFINE(4, EL_FOUR_ROWS)

static void el_add(int32_t height, int32_t panels, int32_t count, const float *a, const float *b, float scale, float *y,
                   int32_t ldy)
{
    if (height == 5) {
        el_add_5(panels, count, a, b, &scale, y, 4 * ldy);
    } else {
        el_add_4(panels, count, a, b, &scale, y, 4 * ldy);
    }
}

/* Panels that are not full go through a tile of their own. */
static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    const int32_t full = rows == height ? cols / width : 0;
    if (full != 0) {
        el_add(height, full, count, a, b, scale, y, ldy);
    }
    for (int32_t j = full * width; j < cols; j += width) {
        const int32_t n = cols - j < width ? cols - j : width;
        float tile[20];
        el_tile_clear(tile);
        el_tile_clear(tile + 4);
        el_tile_copy(rows, n, y + j, ldy, tile, width);
        el_add(height, 1, count, a, b + j * count, scale, tile, width);
        el_tile_copy(rows, n, tile, width, y + j, ldy);
    }
}

#endif
