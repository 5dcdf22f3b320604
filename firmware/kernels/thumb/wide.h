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

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 2
#define EL_TILE_WIDTH 8
#define EL_SCRATCH_BYTES 4096
#define EL_TILE_COST 25
#define EL_ROWS_COST 150
#define EL_PACK_COST 1
#define EL_APART_COST 30
#define EL_OWN_PANELS
#define EL_ROWS_APART

static inline int32_t el_tile_height(int32_t left)
{
    (void)left;
    return 2;
}

/* y = from + sum; a and lda, b, from and p, y and l as in product.h, in bytes; h is what `from` moves by for the next
 * panel, c the bytes of a row's terms. */
static __attribute__((noinline)) void el_wide(int32_t panels, int32_t c, const float *a, int32_t lda, const float *b,
                                              const float *f, int32_t p, int32_t h, float *y, int32_t l)
{
    const char *a1 = (const char *)a + lda;
    int32_t t;
    int32_t e;
    int32_t i;
    __asm__ volatile(
        /* e: entry into the loop, behind as many parts as the first pass leaves out; its end where there are none. */
        "lsrs %[i], %[c], #4\n\trsb %[i], %[i], #0\n\tand %[i], %[i], #3\n\tmovw %[t], #" EL_WIDE_BYTES
        "\n\tmul %[i], %[i], %[t]\n\tadr.w %[e], 1f\n\tadd %[e], %[e], %[i]\n\tit eq\n\tadreq.w %[e], 3f\n\t"
        "2:\n\t"
        "vldmia %[f], {s0-s7}\n\tadd %[t], %[f], %[p]\n\tvldmia %[t], {s8-s15}\n\tadd %[f], %[f], %[h]\n\t"
        "add %[i], %[c], #48\n\tlsr %[i], %[i], #6\n\tmov pc, %[e]\n\t.balign 4\n"
        "1:\n\t" EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR EL_WIDE_FOUR "subs %[i], %[i], #1\n\tbne.w 1b\n"
        "3:\n\tands %[i], %[c], #12\n\tbeq.w 5f\n"
        "4:\n\t" EL_WIDE_ONE "subs %[i], %[i], #4\n\tbne.w 4b\n"
        "5:\n\tvstmia %[y], {s0-s7}\n\tadd %[t], %[y], %[l]\n\tvstmia %[t], {s8-s15}\n\tadd %[y], %[y], #32\n\t"
        "sub %[a0], %[a0], %[c]\n\tsub %[a1], %[a1], %[c]\n\tsubs %[panels], %[panels], #1\n\tbne.w 2b\n\t"
        : [a0] "+r"(a), [a1] "+r"(a1), [b] "+r"(b), [f] "+r"(f), [y] "+r"(y), [panels] "+r"(panels), [t] "=&r"(t),
          [e] "=&r"(e), [i] "=&r"(i)
        : [c] "r"(c), [p] "r"(p), [h] "r"(h), [l] "r"(l)
        : EL_ALL_REGISTERS);
}

/* A tile that is not full, by way of a full one. */
static __attribute__((noinline)) void el_wide_part(int32_t rows, int32_t cols, int32_t count, const float *a,
                                                   int32_t lda, const float *b, const float *from, int32_t pitch,
                                                   float *y, int32_t ldy)
{
    float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH];
    el_tile_clear(tile);
    el_tile_copy(rows, cols, from, pitch, tile, EL_TILE_WIDTH);
    el_wide(1, 4 * count, a, rows == EL_TILE_HEIGHT ? 4 * lda : 0, b, tile, 4 * EL_TILE_WIDTH, 0, tile,
            4 * EL_TILE_WIDTH);
    el_tile_copy(rows, cols, tile, EL_TILE_WIDTH, y, ldy);
}

static void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                            int32_t lda, const float *b, const float *from, int32_t pitch, float *y, int32_t ldy)
{
    const int32_t full = cols / width;
    const int32_t hop = from != 0 ? 4 * width : 0;
    if (from == 0) {
        from = el_zeros;
        pitch = 0;
    }
    for (int32_t i = 0; i < rows; i += height, a += height * lda, from += height * pitch, y += height * ldy) {
        const int32_t n = rows - i < height ? 1 : height;
        int32_t j = 0;
        if (n == height && full != 0) {
            el_wide(full, 4 * count, a, 4 * lda, b, from, 4 * pitch, hop, y, 4 * ldy);
            j = full * width;
        }
        for (; j < cols; j += width) {
            el_wide_part(n, cols - j < width ? cols - j : width, count, a, lda, b + j * count,
                         hop != 0 ? from + j : el_zeros, pitch, y + j, ldy);
        }
    }
}

#endif
