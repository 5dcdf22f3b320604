/* The tile of the gradient of w for Cortex-M7 and M33: 4 x 4 sums in FPU registers. Operands are packed, so that one
 * load brings two terms of all rows, one two terms of all columns. A loop of sixteen terms, which is entered where the
 * remainder of a division by sixteen says; an odd term follows. Around it one over panels of columns.
 *
 * s0-s15 sums, s16-s23 rows, s24-s31 columns. */
#ifndef EL_THUMB_SQUARE_H
#define EL_THUMB_SQUARE_H

#include <stdint.h>

#include "registers.h"

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 4
#define EL_TILE_WIDTH 4
#define EL_OWN_PANELS

#define EL_TILE_COST 42
#define EL_ROWS_COST 70
#define EL_PACK_COST 3
#define EL_APART_COST 0

#include "../product/block.h"

EL_INLINE int32_t el_tile_height(int32_t left)
{
    (void)left;
    return EL_TILE_HEIGHT;
}

#define EL_MACS(c0, c1, c2, c3, a, b0, b1, b2, b3)                                                                     \
    "vfma.f32 " c0 ", " a ", " b0 "\n\tvfma.f32 " c1 ", " a ", " b1 "\n\tvfma.f32 " c2 ", " a ", " b2                  \
    "\n\tvfma.f32 " c3 ", " a ", " b3 "\n\t"
#define EL_FIRST(c0, c1, c2, c3, a) EL_MACS(c0, c1, c2, c3, a, "s24", "s25", "s26", "s27")
#define EL_SECOND(c0, c1, c2, c3, a) EL_MACS(c0, c1, c2, c3, a, "s28", "s29", "s30", "s31")
#define EL_TERM(MACS, a0, a1, a2, a3)                                                                                  \
    MACS("s0", "s1", "s2", "s3", a0)                                                                                   \
    MACS("s4", "s5", "s6", "s7", a1)                                                                                   \
    MACS("s8", "s9", "s10", "s11", a2) MACS("s12", "s13", "s14", "s15", a3)
#define EL_ONE "vldmia %[t]!, {s16-s19}\n\tvldmia %[b]!, {s24-s27}\n\t" EL_TERM(EL_FIRST, "s16", "s17", "s18", "s19")
#define EL_TWO                                                                                                         \
    "vldmia %[t]!, {s16-s23}\n\tvldmia %[b]!, {s24-s31}\n\t" EL_TERM(EL_FIRST, "s16", "s17", "s18", "s19")             \
        EL_TERM(EL_SECOND, "s20", "s21", "s22", "s23")
#define EL_TWO_BYTES "136"

/* y += s24 * a row */
#define EL_ADD(c0, c1, c2, c3)                                                                                         \
    "vldmia %[t], {s16-s19}\n\tvfma.f32 s16, " c0 ", s24\n\tvfma.f32 s17, " c1 ", s24\n\tvfma.f32 s18, " c2            \
    ", s24\n\tvfma.f32 s19, " c3 ", s24\n\tvstmia %[t], {s16-s19}\n\tadd %[t], %[t], %[l]\n\t"

/* How often the loop runs; whether a term is left after it; what sums are scaled by. */
typedef struct {
    int32_t passes, odd;
    float scale;
} el_square_steps;

/* y += scale * sum for some panels of columns; rows of y are `l` bytes apart. */
EL_APART void el_square(int32_t panels, int32_t count, const float *a, const float *b, float scale, float *y, int32_t l)
{
    const el_square_steps v = {((count >> 1) + 7) >> 3, count & 1, scale};
    int32_t t = -(count >> 1) & 7; /* what the first pass leaves out */
    int32_t e;
    int32_t i;
    __asm__ volatile(
        "mov %[i], #" EL_TWO_BYTES "\n\tmul %[t], %[t], %[i]\n\tadr.w %[e], 1f\n\tadd %[e], %[e], %[t]\n\t"
        "cmp %[count], #1\n\tit le\n\tadrle.w %[e], 3f\n\torr %[e], %[e], #1\n"
        "2:\n\tvldmia %[z], {s0-s15}\n\tmov %[t], %[a]\n\tldr %[i], [%[v]]\n\tmov pc, %[e]\n\t.balign 4\n"
        "1:\n\t" EL_TWO EL_TWO EL_TWO EL_TWO EL_TWO EL_TWO EL_TWO EL_TWO "subs %[i], %[i], #1\n\tbne.w 1b\n"
        "3:\n\tldr %[i], [%[v], #4]\n\tcmp %[i], #0\n\tbeq.w 4f\n\t" EL_ONE
        "4:\n\tvldr s24, [%[v], #8]\n\tmov %[t], %[y]\n\tadd %[y], %[y], #16\n\t" EL_ADD("s0", "s1", "s2", "s3")
            EL_ADD("s4", "s5", "s6", "s7") EL_ADD("s8", "s9", "s10", "s11")
                EL_ADD("s12", "s13", "s14", "s15") "subs %[panels], %[panels], #1\n\tbne.w 2b\n\t"
        : [b] "+r"(b), [y] "+r"(y), [panels] "+r"(panels), [t] "+r"(t), [e] "=&r"(e), [i] "=&r"(i)
        : [a] "r"(a), [count] "r"(count), [l] "r"(l), [v] "r"(&v), [z] "r"(el_zeros)
        : EL_ALL_REGISTERS);
}

/* Panels that are not full go through a tile of their own. */
static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    enum { SIZE = sizeof(float) };
    const int32_t full = rows == height ? cols / width : 0;
    if (full != 0) {
        el_square(full, count, a, b, scale, y, SIZE * ldy);
    }
    for (int32_t j = full * width; j < cols; j += width) {
        const int32_t n = el_min(cols - j, width);
        float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH];
        el_tile_clear(tile);
        el_tile_copy(rows, n, y + j, ldy, tile, width);
        el_square(1, count, a, b + j * count, scale, tile, SIZE * width);
        el_tile_copy(rows, n, tile, width, y + j, ldy);
    }
}

#endif
