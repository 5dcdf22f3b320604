/* The tile of products in halves: 6 or 4 rows of 8 columns. Up to EL_HALF_TERMS terms are added as halves; longer sums
 * are cut into equal pieces that are added as floats. */
#ifndef EL_XFVEC_TILE_F16_H
#define EL_XFVEC_TILE_F16_H

#include "pair.h"

typedef el_f16 el_t;
typedef el_f16 el_row_t;

#define EL_COLS 8
#define EL_BYTES 2
#define EL_ROW(f, at) ".insn i 0x07, 1, f" #f ", " at "\n\t"
#define EL_MAC(sum, column, row) ".insn r 0x33, 6, 0x48, f" #sum ", f" #column ", f" #row "\n\t"
#define EL_ADD(sum, other) ".insn r 0x33, 2, 0x41, f" #sum ", f" #sum ", f" #other "\n\t"
#if !defined(__riscv)
static inline void el_term(el_f16 *sum, const el_f16 *column, const el_f16 *row)
{
    el_pair_store_one(sum, el_pair_mac(el_pair_one(sum), el_pair_one(column), el_pair_one(row)));
}
#endif

#include "sums.h"

#define EL_TILE_HEIGHT 6
#define EL_TILE_WIDTH 8
#define EL_ROWS_APART
#define EL_OWN_PANELS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS
#define EL_OWN_PACK_ROW
#define EL_OWN_PACK_ROWS

/* cycles, see block.h */
#define EL_TILE_COST 230
#define EL_ROWS_COST 150
#define EL_PACK_COST 8
#define EL_APART_COST 0

#include "../product/block.h"
#include "turned.h"

enum { EL_HALF_TERMS = 72 };

typedef struct {
    float row[EL_ROWS][EL_COLS];
} el_total;

EL_INLINE void el_pack_row(int32_t count, const el_f16 *from, el_f16 *to)
{
    int32_t k = 0;
    for (; from == 0 && k + 2 <= count; k += 2) {
        el_pair_store(to + k, el_pair_zero());
    }
    for (; from != 0 && k + 8 <= count; k += 8) {
        const el_pair v0 = el_pair_load(from + k);
        const el_pair v1 = el_pair_load(from + k + 2);
        const el_pair v2 = el_pair_load(from + k + 4);
        const el_pair v3 = el_pair_load(from + k + 6);
        el_pair_store(to + k, v0);
        el_pair_store(to + k + 2, v1);
        el_pair_store(to + k + 4, v2);
        el_pair_store(to + k + 6, v3);
    }
    for (; k < count; k++) {
        to[k] = from != 0 ? from[k] : el_f16_from_bits(0);
    }
}

EL_INLINE void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    if (rows < height) {
        for (int32_t k = 0; k < count; k++, from += pitch, to += height) {
            for (int32_t i = 0; i < height; i++) {
                to[i] = i < rows ? from[i] : el_f16_from_bits(0);
            }
        }
        return;
    }
    for (int32_t k = 0; k < count; k++, from += pitch, to += height) {
        const el_pair v0 = el_pair_load(from);
        const el_pair v1 = el_pair_load(from + 2);
        if (height == 6) {
            el_pair_store(to + 4, el_pair_load(from + 4));
        }
        el_pair_store(to, v0);
        el_pair_store(to + 2, v1);
    }
}

EL_INLINE void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    if (cols < width) {
        for (int32_t k = 0; k < count; k++, from += pitch, to += EL_COLS) {
            for (int32_t j = 0; j < EL_COLS; j++) {
                to[j] = j < cols ? from[j] : el_f16_from_bits(0);
            }
        }
        return;
    }
    for (int32_t k = 0; k < count; k++, from += pitch, to += EL_COLS) {
        el_pack_row(EL_COLS, from, to);
    }
}

/* How many terms of `left` are added next: pieces of equal length, but the last. */
static inline int32_t el_piece(int32_t count)
{
    return count <= EL_HALF_TERMS ? count : (el_ceil_div(count, el_ceil_div(count, EL_HALF_TERMS)) + 7) & ~7;
}

static void el_total_add(int32_t rows, const el_sums *t, el_total *sum, int first)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < EL_COLS; j++) {
            const float x = el_half_load(&t->row[i][j]);
            sum->row[i][j] = first ? x : sum->row[i][j] + x;
        }
    }
}

static void el_store_part(int32_t rows, int32_t cols, const el_total *sum, const el_f16 *from, int32_t pitch, el_f16 *y,
                          int32_t ldy)
{
    for (int32_t i = 0; i < rows; i++, y += ldy) {
        for (int32_t j = 0; j < cols; j++) {
            const float start = from != 0 ? el_half_load(from + i * pitch + j) : 0.0f;
            el_half_store(y + j, start + sum->row[i][j]);
        }
    }
}

#if !defined(__riscv)
/* What the instructions of el_stores_6 and el_stores_4 do */
static void el_stores(int32_t height, int32_t tiles, int32_t count, const el_f16 *a, int32_t lda, const el_f16 *b,
                      const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    for (int32_t i = 0; i < tiles * height; i++, a += lda, from += pitch, y += ldy) {
        el_sums t;
        el_sums_any(1, count, a, 0, 1, b, &t);
        for (int j = 0; j < EL_COLS; j += 2) {
            el_pair_store(y + j, el_pair_add(el_pair_load(&t.row[0][j]), el_pair_load(from + j)));
        }
    }
}
#else
static void el_stores(int32_t height, int32_t tiles, int32_t count, const el_f16 *a, int32_t lda, const el_f16 *b,
                      const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    if (height == 6) {
        el_stores_6(tiles, count, a, lda, b, from, pitch, y, ldy);
    } else {
        el_stores_4(tiles, count, a, lda, b, from, pitch, y, ldy);
    }
}
#endif

/* A tile of y that is not full, or whose sum is a long one */
static void el_tile_store(int32_t rows, int32_t cols, int32_t count, int32_t piece, const el_f16 *a, int32_t lda,
                          const el_f16 *b, const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    const int32_t height = el_tile_height(rows);
    el_sums t;
    el_total sum;
    for (int32_t k = 0; k < count; k += piece) {
        el_sums_apart(height, rows, el_min(piece, count - k), a + k, lda, b + k * EL_COLS, &t);
        el_total_add(rows, &t, &sum, k == 0);
    }
    el_store_part(rows, cols, &sum, from, pitch, y, ldy);
}

static __attribute__((noinline)) void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                      int32_t count, const el_f16 *a, int32_t lda, const el_f16 *b,
                                                      const el_f16 *from, int32_t pitch, el_f16 *y, int32_t ldy)
{
    static const uint32_t zeros[EL_COLS / 2];
    const int32_t piece = el_piece(count);
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
            if (piece == count && n == EL_COLS && some == height) {
                const int32_t tiles = height == 6 ? (rows - i) / 6 : 1;
                el_stores(height, tiles, count, a + i * lda, lda, b, start, pitch, to, ldy);
                some = tiles * height;
            } else {
                el_tile_store(some, n, count, piece, a + i * lda, lda, b, start, pitch, to, ldy);
            }
        }
    }
}

static __attribute__((noinline)) void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                    int32_t count, const el_f16 *a, const el_f16 *b, float scale,
                                                    el_f16 *y, int32_t ldy)
{
    const int32_t piece = el_piece(count);
    el_sums t;
    el_total sum;
    (void)width;
    for (int32_t j = 0; j < cols; j += EL_COLS, b += count * EL_COLS) {
        for (int32_t k = 0; k < count; k += piece) {
            el_sums_mixed(height, el_min(piece, count - k), a + k * height, b + k * EL_COLS, &t);
            el_total_add(rows, &t, &sum, k == 0);
        }
        const int32_t n = el_min(EL_COLS, cols - j);
        for (int32_t i = 0; i < rows; i++) {
            el_f16 *to = y + i * ldy + j;
            for (int32_t c = 0; c < n; c++) {
                el_half_store(to + c, el_half_load(to + c) + scale * sum.row[i][c]);
            }
        }
    }
}

#endif
