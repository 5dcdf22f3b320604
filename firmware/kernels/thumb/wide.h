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

#define EL_SCRATCH_BYTES 4096
#define EL_TILE_COST 25
#define EL_ROWS_COST 150
#define EL_PACK_COST 1
#define EL_APART_COST 30

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

/* What the tile keeps in memory, for want of registers: the bytes of a row's terms, and from one row to the next of
 * what sums start with and of y; where the loop is entered. */
typedef struct {
    int32_t terms, from, y;
    uint32_t entry;
} el_wide_steps;

/* y = f + sum for some panels of columns; a0 and a1 are the rows. */
static inline __attribute__((always_inline)) void el_wide(int32_t panels, el_wide_steps *v, const float *a0,
                                                          const float *a1, const float *b, const float *f, float *y)
{
    int32_t t;
    int32_t i;
    __asm__ volatile(
        /* Entry into the loop, behind as many parts as the first pass leaves out; its end where there are none. */
        "ldr %[t], [%[v]]\n\tlsrs %[i], %[t], #4\n\trsb %[i], %[i], #0\n\tand %[i], %[i], #3\n\t"
        "movw %[t], #" EL_WIDE_BYTES "\n\tmul %[i], %[i], %[t]\n\tadr.w %[t], 1f\n\tadd %[t], %[t], %[i]\n\t"
        "it eq\n\tadreq.w %[t], 3f\n\torr %[t], %[t], #1\n\tstr %[t], [%[v], #12]\n"
        "2:\n\tvldmia %[f], {s0-s7}\n\tldr %[t], [%[v], #4]\n\tadd %[t], %[t], %[f]\n\tvldmia %[t], {s8-s15}\n\t"
        "add %[f], %[f], #32\n\tldr %[i], [%[v]]\n\tadd %[i], %[i], #48\n\tlsr %[i], %[i], #6\n\t"
        "ldr pc, [%[v], #12]\n\t.balign 4\n"
        "1:\n\t" EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR "subs %[i], %[i], #1\n\tbne.w 1b\n"
        "3:\n\tldr %[t], [%[v]]\n\tands %[i], %[t], #12\n\tbeq.w 5f\n"
        "4:\n\t" EL_WIDE_ONE "subs %[i], %[i], #4\n\tbne.w 4b\n"
        "5:\n\tsub %[a0], %[a0], %[t]\n\tsub %[a1], %[a1], %[t]\n\tvstmia %[y], {s0-s7}\n\tldr %[t], [%[v], #8]\n\t"
        "add %[t], %[t], %[y]\n\tvstmia %[t], {s8-s15}\n\tadd %[y], %[y], #32\n\t"
        "subs %[panels], %[panels], #1\n\tbne.w 2b\n\t"
        : [a0] "+r"(a0), [a1] "+r"(a1), [b] "+r"(b), [f] "+r"(f), [y] "+r"(y), [panels] "+r"(panels), [t] "=&r"(t),
          [i] "=&r"(i)
        : [v] "r"(v)
        : EL_ALL_REGISTERS);
}

/* Pairs of rows; a tile that is not full goes by way of one that is. */
static __attribute__((noinline)) void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                      int32_t count, const float *a, int32_t lda, const float *b,
                                                      const float *from, int32_t pitch, float *y, int32_t ldy)
{
    float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH];
    const int32_t size = (int32_t)sizeof(float);
    if (from == 0) {
        el_clear_rows(rows, cols, y, ldy);
        from = y;
        pitch = ldy;
    }
    for (; rows > 0; rows -= height, a += height * lda, from += height * pitch, y += height * ldy) {
        const int32_t some = el_min(rows, height);
        const int32_t full = some == height ? cols / width : 0;
        for (int32_t j = 0, n; j < cols; j += n) {
            const float *f = from;
            float *to = y;
            int32_t panels = full;
            el_wide_steps v = {size * count, size * pitch, size * ldy, 0};
            n = full * width;
            if (j >= n) { /* behind the last full panel */
                n = el_min(width, cols - j);
                el_tile_clear(tile);
                el_tile_copy(some, n, from + j, pitch, tile, width);
                f = to = tile;
                v.from = v.y = size * width;
                panels = 1;
            }
            el_wide(panels, &v, a, some == height ? a + lda : a, b + j * count, f, to);
            if (to == tile) {
                el_tile_copy(some, n, tile, width, y + j, ldy);
            }
        }
    }
}

#endif
