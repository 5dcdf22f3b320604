/* The tile of forward products and of the gradient of x for Cortex-M4F, M7 and M33: 2 x 8 sums in FPU registers. Rows
 * lie apart, most often in the map itself, so that one load brings several terms of a row; columns are packed, one load
 * a term. A loop of sixteen terms in four parts, entered where the remainder of a division by four says; up to three
 * terms follow one by one. Around it a loop over panels of columns.
 *
 * s0-s7 and s8-s15 sums. The arithmetic and the use of the other registers are in fused.h and apart.h. */
#ifndef EL_THUMB_WIDE_H
#define EL_THUMB_WIDE_H

#include <stdint.h>

#include "registers.h"

#ifndef EL_SCRATCH_BYTES
#define EL_SCRATCH_BYTES 4096
#define EL_TILE_COST 25
#define EL_ROWS_COST 150
#define EL_PACK_COST 1
#define EL_APART_COST 30
#endif

#include "../product/block.h"

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 2
#define EL_TILE_WIDTH 8
#define EL_OWN_PANELS
#define EL_ROWS_APART

static inline int32_t el_tile_height(int32_t left)
{
    (void)left;
    return 2;
}

/* What the tile keeps in memory, for want of registers: how often its loop runs, the bytes of terms that are left after
 * it, and the bytes from a row of what sums start with to the next. */
typedef struct {
    int32_t passes, left, from;
} el_wide_steps;

/* y = f + sum for `pairs` pairs of rows, the first ones at a0 and a1, the next `on` bytes behind the last terms of
 * those; rows of y are `ldy` bytes apart. */
EL_INLINE void el_wide(int32_t pairs, const el_wide_steps *v, const float *a0, const float *a1, int32_t on,
                       const float *b, const float *f, float *y, int32_t ldy)
{
    const float *at;
    int32_t t;
    int32_t i;
    int32_t e;
    __asm__ volatile(
        /* Entry into the loop, behind as many parts as the first pass leaves out; its end where there are none. */
        "ldr %[t], [%[v]]\n\tldr %[i], [%[v], #4]\n\tlsr %[i], %[i], #4\n\tmovw %[e], #" EL_WIDE_BYTES
        "\n\tmul %[i], %[i], %[e]\n\tadr.w %[e], 1f\n\tadd %[e], %[e], %[i]\n\tcmp %[t], #0\n\tit eq\n\tadreq.w "
        "%[e], 3f\n\torr %[e], %[e], #1\n"
        "2:\n\tvldmia %[f], {s0-s7}\n\tldr %[t], [%[v], #8]\n\tadd %[f], %[f], %[t]\n\tvldmia %[f], {s8-s15}\n\t"
        "add %[f], %[f], %[t]\n\tmov %[b], %[panel]\n\tldr %[i], [%[v]]\n\tmov pc, %[e]\n\t.balign 4\n"
        "1:\n\t" EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR "subs %[i], %[i], #1\n\tbne.w 1b\n"
        "3:\n\tldr %[i], [%[v], #4]\n\tands %[i], %[i], #12\n\tbeq.w 5f\n"
        "4:\n\t" EL_WIDE_ONE "subs %[i], %[i], #4\n\tbne.w 4b\n"
        "5:\n\tadd %[a0], %[a0], %[on]\n\tadd %[a1], %[a1], %[on]\n\tvstmia %[y], {s0-s7}\n\t"
        "add %[y], %[y], %[ldy]\n\tvstmia %[y], {s8-s15}\n\tadd %[y], %[y], %[ldy]\n\t"
        "subs %[pairs], %[pairs], #1\n\tbne.w 2b\n\t"
        : [a0] "+r"(a0), [a1] "+r"(a1), [f] "+r"(f), [y] "+r"(y), [pairs] "+r"(pairs), [b] "=&r"(at), [t] "=&r"(t),
          [i] "=&r"(i), [e] "=&r"(e)
        : [v] "r"(v), [panel] "r"(b), [on] "r"(on), [ldy] "r"(ldy)
        : EL_ALL_REGISTERS);
}

/* Pairs of rows for one panel of columns after the other; a tile that is not full goes by way of one that is. */
EL_APART void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                              int32_t lda, const float *b, const float *from, int32_t pitch, float *y, int32_t ldy)
{
    enum { SIZE = sizeof(float) };
    const int32_t hop = from != 0 ? width : 0;
    if (from == 0) {
        from = el_zeros;
        pitch = 0;
    }
    /* Of sixteen terms a pass leaves out as many fours as `left` says. */
    const int32_t fours = count >> 2;
    el_wide_steps v = {(fours + 3) >> 2, (-fours & 3) << 4 | (count & 3) << 2, SIZE * pitch};
    const int32_t on = SIZE * (2 * lda - count);
    const int32_t pairs = rows / height;
    for (int32_t j = 0; j < cols; j += width, b += count * width, from += hop) {
        const int32_t n = el_min(width, cols - j);
        if (n == width && pairs != 0) {
            el_wide(pairs, &v, a, a + lda, on, b, from, y + j, SIZE * ldy);
        }
        for (int32_t i = n == width ? pairs * height : 0; i < rows; i += height) {
            float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH];
            const el_wide_steps own = {v.passes, v.left, SIZE * EL_TILE_WIDTH};
            const int32_t some = el_min(rows - i, height);
            const float *row = a + i * lda;
            el_tile_clear(tile);
            el_tile_copy(some, n, from + i * pitch, pitch, tile, width);
            el_wide(1, &own, row, some == height ? row + lda : row, on, b, tile, tile, SIZE * EL_TILE_WIDTH);
            el_tile_copy(some, n, tile, width, y + i * ldy + j, ldy);
        }
    }
}

#endif
