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

#define EL_DEFINE(H, TERM)                                                                                             \
    static inline void el_store_##H(int32_t count, const float *a0, int32_t lda, const float *b, const float *from,    \
                                    int32_t pitch, float *y, int32_t ldy)                                              \
    {                                                                                                                  \
        const float *a1 = a0 + lda;                                                                                    \
        const float *a2 = a1 + lda;                                                                                    \
        const float *a3 = a2 + lda;                                                                                    \
        const float *a4 = H > 4 ? a3 + lda : a3;                                                                       \
        const float *a5 = H > 5 ? a4 + lda : a3;                                                                       \
        const float *end = b + (count & ~3) * EL_TILE_WIDTH;                                                           \
        const float *all = b + count * EL_TILE_WIDTH;                                                                  \
        __asm__ volatile(EL_ROWS_##H("flw", "from", "pitch") EL_TERMS(TERM, EL_APART, EL_STEP_##H)                     \
                             EL_ROWS_##H("fsw", "y", "ldy")                                                            \
                         : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4), [a5] "+r"(a5),   \
                           [b] "+r"(b), [from] "+r"(from), [y] "+r"(y)                                                 \
                         : [end] "r"(end), [all] "r"(all), [pitch] "r"(4 * pitch), [ldy] "r"(4 * ldy)                  \
                         : EL_REGISTERS);                                                                              \
    }
EL_DEFINE(6, EL_SIX)
EL_DEFINE(5, EL_FIVE)
EL_DEFINE(4, EL_FOUR)

static void el_store(int32_t height, int32_t count, const float *a, int32_t lda, const float *b, const float *from,
                     int32_t pitch, float *y, int32_t ldy)
{
    if (height == 6) {
        el_store_6(count, a, lda, b, from, pitch, y, ldy);
    } else if (height == 5) {
        el_store_5(count, a, lda, b, from, pitch, y, ldy);
    } else {
        el_store_4(count, a, lda, b, from, pitch, y, ldy);
    }
}

/* Six rows, five or four, at a time; a tile that is not full goes row by row. */
static void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                            int32_t lda, const float *b, const float *from, int32_t pitch, float *y, int32_t ldy)
{
    static const float zeros[EL_TILE_WIDTH];
    const int32_t hop = from != 0 ? width : 0;
    if (from == 0) {
        from = zeros;
        pitch = 0;
    }
    while (rows > 0) {
        height = el_tile_height(rows);
        const int32_t some = el_min(height, rows);
        const float *f = from;
        const float *panel = b;
        for (int32_t j = 0; j < cols; j += width, f += hop, panel += count * width) {
            const int32_t n = el_min(width, cols - j);
            if (some == height && n == width) {
                el_store(height, count, a, lda, panel, f, pitch, y + j, ldy);
                continue;
            }
            float tile[EL_TILE_WIDTH] = {0};
            for (int32_t i = 0; i < some; i++) {
                el_tile_copy(1, n, f + i * pitch, 0, tile, 0);
                el_one(count, a + i * lda, panel, tile);
                el_tile_copy(1, n, tile, 0, y + i * ldy + j, 0);
            }
        }
        a += some * lda;
        from += some * pitch;
        y += some * ldy;
        rows -= some;
    }
}

#endif
