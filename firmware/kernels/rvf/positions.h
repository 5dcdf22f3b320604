/* Forward and the gradient of x with the tile of tile.h: rows lie apart. */
#ifndef EL_RVF_POSITIONS_H
#define EL_RVF_POSITIONS_H

#include "tile.h"

#define EL_ROWS_APART
#define EL_SCRATCH_BYTES 4096
#define EL_TILE_COST 90
#define EL_ROWS_COST 250
#define EL_PACK_COST 14
#define EL_APART_COST 40

#include "../product/block.h"

/* A single row: t += the sum, its terms in the order of the tiles. */
static void el_one(int32_t count, const float *a, const float *b, float *t)
{
    float t0 = t[0];
    float t1 = t[1];
    float t2 = t[2];
    float t3 = t[3];
    for (; count > 0; count--, a++, b += EL_TILE_WIDTH) {
        t0 += *a * b[0];
        t1 += *a * b[1];
        t2 += *a * b[2];
        t3 += *a * b[3];
    }
    t[0] = t0;
    t[1] = t1;
    t[2] = t2;
    t[3] = t3;
}

/* `tiles` tiles, one below the other, for the same columns. */
#define EL_DEFINE(H, TERM)                                                                                             \
    EL_INLINE void el_store_##H(int32_t tiles, int32_t count, const float *a0, int32_t lda, const float *panel,        \
                                const float *from, int32_t pitch, float *y, int32_t ldy)                               \
    {                                                                                                                  \
        const float *a1 = a0 + lda;                                                                                    \
        const float *a2 = a1 + lda;                                                                                    \
        const float *a3 = a2 + lda;                                                                                    \
        const float *a4 = H > 4 ? a3 + lda : a3;                                                                       \
        const float *a5 = H > 5 ? a4 + lda : a3;                                                                       \
        const float *end = panel + (count & -EL_TURN_##H) * EL_TILE_WIDTH;                                             \
        const float *all = panel + count * EL_TILE_WIDTH;                                                              \
        const float *b;                                                                                                \
        __asm__ volatile("5:\n\t" EL_ROWS_##H("flw", "from", "pitch") "mv %[b], %[panel]\n\t" EL_TERMS(                \
                             H, TERM, EL_ROW_APART, EL_STEP_##H) EL_ROWS_##H("fsw", "y", "ldy") EL_ON_##H              \
                         "addi %[tiles], %[tiles], -1\n\tbnez %[tiles], 5b\n\t"                                        \
                         : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4), [a5] "+r"(a5),   \
                           [b] "=&r"(b), [from] "+r"(from), [y] "+r"(y), [tiles] "+r"(tiles)                           \
                         : [panel] "r"(panel), [end] "r"(end), [all] "r"(all), [pitch] "r"(4 * pitch),                 \
                           [ldy] "r"(4 * ldy), [on] "r"(4 * (H * lda - count))                                         \
                         : EL_REGISTERS);                                                                              \
    }
#define EL_ON_4 EL_NEXT("a0", "on") EL_NEXT("a1", "on") EL_NEXT("a2", "on") EL_NEXT("a3", "on")
#define EL_ON_5 EL_ON_4 EL_NEXT("a4", "on")
#define EL_ON_6 EL_ON_5 EL_NEXT("a5", "on")
EL_DEFINE(6, EL_SIX)
EL_DEFINE(5, EL_FIVE)
EL_DEFINE(4, EL_FOUR)

EL_INLINE void el_store(int32_t height, int32_t tiles, int32_t count, const float *a, int32_t lda, const float *b,
                        const float *from, int32_t pitch, float *y, int32_t ldy)
{
    if (height == 6) {
        el_store_6(tiles, count, a, lda, b, from, pitch, y, ldy);
    } else if (height == 5) {
        el_store_5(tiles, count, a, lda, b, from, pitch, y, ldy);
    } else {
        el_store_4(tiles, count, a, lda, b, from, pitch, y, ldy);
    }
}

/* How many tiles of one height come next where `left` rows are left. */
static inline int32_t el_tiles(int32_t left)
{
    if (left < 12) {
        return 1;
    }
    const int32_t sixes = left / 6 - 1;
    return sixes + (el_tile_height(left - 6 * sixes) == 6);
}

/* Tiles of six rows, five or four; one that is not full goes row by row. */
EL_APART void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                              int32_t lda, const float *b, const float *from, int32_t pitch, float *y, int32_t ldy)
{
    static const float zeros[EL_TILE_WIDTH];
    const int32_t hop = from != 0 ? width : 0;
    if (from == 0) {
        from = zeros;
        pitch = 0;
    }
    for (int32_t j = 0; j < cols; j += width, from += hop, b += count * width) {
        const int32_t n = el_min(width, cols - j);
        for (int32_t i = 0, some; i < rows; i += some) {
            const float *f = from + i * pitch;
            const float *row = a + i * lda;
            float *to = y + i * ldy + j;
            height = el_tile_height(rows - i);
            some = el_min(height, rows - i);
            if (some == height && n == width) {
                const int32_t tiles = el_tiles(rows - i);
                el_store(height, tiles, count, row, lda, b, f, pitch, to, ldy);
                some = tiles * height;
                continue;
            }
            for (int32_t r = 0; r < some; r++) {
                float tile[EL_TILE_WIDTH] = {0};
                el_tile_copy(1, n, f + r * pitch, 0, tile, 0);
                el_one(count, row + r * lda, b, tile);
                el_tile_copy(1, n, tile, 0, to + r * ldy, 0);
            }
        }
    }
}

#endif
