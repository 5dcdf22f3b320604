/* The gradient of w with the tile of tile_f16.h: rows are interleaved. */
#ifndef EL_XFVEC_WEIGHTS_H
#define EL_XFVEC_WEIGHTS_H

#define EL_COLUMNS_IN_PLACE

#include "tile_f16.h"

#if defined(__riscv)
#define EL_ON_COLUMNS "addi %[b], %[b], 128\n\t"
EL_ADDS(el_adds_6, 6, EL_COLUMNS, 0, EL_ON_COLUMNS)
EL_ADDS(el_adds_4, 4, EL_COLUMNS, 0, EL_ON_COLUMNS)
EL_ADDS(el_adds_6_apart, 6, EL_COLUMNS_APART, EL_WORD, "")
EL_ADDS(el_adds_4_apart, 4, EL_COLUMNS_APART, EL_WORD, "")
#else
static inline void el_adds(int32_t height, int32_t panels, int32_t count, const el_f16 *a, const el_f16 *b, int32_t ldb,
                           int32_t next, const el_f16 *scale, el_f16 *y, int32_t ldy)
{
    el_pair sum[EL_COLS / 2];
    for (; panels > 0; panels--, b += next, y += EL_COLS) {
        for (int32_t i = 0; i < height; i++) {
            el_sums(count, a + i, height, b, ldb, sum);
            for (int32_t j = 0; j < EL_COLS; j += 2) {
                el_f16 *to = y + i * ldy + j;
                el_pair_store(to, el_pair_mac_low(el_pair_load(to), sum[j / 2], el_pair_one(scale)));
            }
        }
    }
}

#define EL_ADDS(NAME, H)                                                                                               \
    static inline void NAME(int32_t panels, int32_t count, const el_f16 *a, const el_f16 *b, int32_t ldb,              \
                            int32_t next, const el_f16 *scale, el_f16 *y, int32_t ldy)                                 \
    {                                                                                                                  \
        el_adds(H, panels, count, a, b, ldb, next, scale, y, ldy);                                                     \
    }
EL_ADDS(el_adds_6, 6)
EL_ADDS(el_adds_4, 4)
EL_ADDS(el_adds_6_apart, 6)
EL_ADDS(el_adds_4_apart, 4)
#endif

typedef void el_adder(int32_t panels, int32_t count, const el_f16 *rows, const el_f16 *b, int32_t ldb, int32_t next,
                      const el_f16 *scale, el_f16 *y, int32_t ldy);

/* A tile that is not full, or a factor that is no half: floats multiply and add. */
static void el_tile_add(el_adder *add, int32_t rows, int32_t cols, int32_t count, const el_f16 *a, const el_f16 *b,
                        int32_t ldb, float scale, el_f16 *y, int32_t ldy)
{
    const el_f16 one = el_f16_from_bits(0x3C00);
    uint32_t room[EL_ROWS * EL_COLS / 2] = {0};
    el_f16 *tile = (el_f16 *)(void *)room;
    add(1, count, a, b, ldb, 0, &one, tile, EL_COLS);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            el_f16 *to = y + i * ldy + j;
            el_half_store(to, el_half_load(to) + scale * el_half_load(tile + i * EL_COLS + j));
        }
    }
}

EL_INLINE void el_panels(el_adder *add, int whole, int32_t rows, int32_t cols, int32_t count, const el_f16 *a,
                         const el_f16 *b, int32_t ldb, int32_t next, float scale, el_f16 *y, int32_t ldy)
{
    el_f16 factor;
    el_half_store(&factor, scale);
    const int32_t full = whole && el_half_load(&factor) == scale ? cols / EL_COLS : 0;
    if (full > 0) {
        add(full, count, a, b, ldb, next, &factor, y, ldy);
    }
    for (int32_t j = full; j * EL_COLS < cols; j++) {
        el_f16 *to = y + j * EL_COLS;
        el_tile_add(add, rows, el_min(EL_COLS, cols - j * EL_COLS), count, a, b + j * next, ldb, scale, to, ldy);
    }
}

static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const el_f16 *a,
                          const el_f16 *b, float scale, el_f16 *y, int32_t ldy)
{
    (void)width;
    el_panels(height == 6 ? el_adds_6 : el_adds_4, rows == height, rows, cols, count, a, b, EL_COLS, count * EL_COLS,
              scale, y, ldy);
}

static void el_panels_add_apart(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                                const el_f16 *a, const el_f16 *b, int32_t ldb, float scale, el_f16 *y, int32_t ldy)
{
    el_panels(height == 6 ? el_adds_6_apart : el_adds_4_apart, rows == height, rows, cols, count, a, b, ldb, width,
              scale, y, ldy);
}

#endif
