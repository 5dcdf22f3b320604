/* Forward and the gradient of x with the tile of tile_f16.h. Rows that lie apart in the map are read there. */
#ifndef EL_XFVEC_POSITIONS_H
#define EL_XFVEC_POSITIONS_H

#define EL_APART_COST 60

#include "tile_f16.h"

#include "turned.h"

#if defined(__riscv)
EL_STORES(6)
EL_STORES(4)
#else
static inline void el_stores_6(int32_t rows, int32_t tiles, int32_t count, const el_f16 *a, int32_t lda,
                               const el_f16 *b, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    el_pair sum[EL_COLS / 2];
    for (int32_t i = 0; i < rows * tiles; i++) {
        el_sums(count, a + i * lda, 1, b, EL_COLS, sum);
        for (int32_t j = 0; j < EL_COLS; j += 2) {
            el_pair_store(y + i * ldy + j, el_pair_add(sum[j / 2], el_pair_load(from + i * pitch + j)));
        }
    }
}

static inline void el_stores_4(int32_t rows, int32_t tiles, int32_t count, const el_f16 *a, int32_t lda,
                               const el_f16 *b, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    el_stores_6(rows, tiles, count, a, lda, b, from, pitch, y, ldy);
}
#endif

/* rows x cols of a tile, from one place to another; zeros where there is none. */
static void el_tile_copy(int32_t rows, int32_t cols, const el_f16 *from, int32_t pitch, el_f16 *to, int32_t ld)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            to[i * ld + j] = from != 0 ? from[i * pitch + j] : el_f16_from_bits(0);
        }
    }
}

EL_INLINE void el_stores(int32_t height, int32_t rows, int32_t tiles, int32_t count, const el_f16 *a, int32_t lda,
                         const el_f16 *b, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    if (height == 6) {
        el_stores_6(rows, tiles, count, a, lda, b, from, pitch, y, ldy);
    } else {
        el_stores_4(rows, tiles, count, a, lda, b, from, pitch, y, ldy);
    }
}

EL_APART void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const el_f16 *a,
                              int32_t lda, const el_f16 *b, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    static const uint32_t zeros[EL_COLS / 2];
    const int32_t hop = from != 0 ? EL_COLS : 0;
    (void)width;
    if (from == 0) {
        from = (const el_f16 *)(const void *)zeros;
        pitch = 0;
    }
    for (int32_t j = 0; j < cols; j += EL_COLS, from += hop, b += count * EL_COLS) {
        const int32_t n = el_min(EL_COLS, cols - j);
        for (int32_t i = 0, some; i < rows; i += some) {
            const el_f16 *start = from + i * pitch;
            el_f16 *to = y + i * ldy + j;
            height = el_tile_height(rows - i);
            some = el_min(height, rows - i);
            if (n == EL_COLS && some == height) {
                const int32_t tiles = height == 6 ? (rows - i) / 6 : 1;
                el_stores(height, height, tiles, count, a + i * lda, lda, b, start, pitch, to, ldy);
                some = tiles * height;
            } else {
                uint32_t room[EL_ROWS * EL_COLS / 2] = {0};
                el_f16 *tile = (el_f16 *)(void *)room;
                el_tile_copy(some, n, start, pitch, tile, EL_COLS);
                el_stores(height, some, 1, count, a + i * lda, lda, b, tile, EL_COLS, tile, EL_COLS);
                el_tile_copy(some, n, tile, EL_COLS, to, ldy);
            }
        }
    }
}

#endif
