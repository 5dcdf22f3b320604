/* The tile of products in floats: 6 or 4 rows of 4 columns. */
#ifndef EL_XFVEC_TILE_F32_H
#define EL_XFVEC_TILE_F32_H

#include <stdint.h>

typedef float el_t;
typedef float el_row_t;

#define EL_COLS 4
#define EL_BYTES 4
#define EL_ROW(f, at) "flw f" #f ", " at "\n\t"
#define EL_MAC(sum, column, row) "fmadd.s f" #sum ", f" #column ", f" #row ", f" #sum "\n\t"
#if !defined(__riscv)
static inline void el_term(float *sum, const float *column, const float *row)
{
    *sum += *column * *row;
}
#endif

#include "sums.h"

#define EL_TILE_HEIGHT 6
#define EL_TILE_WIDTH 4
#define EL_ROWS_APART
#define EL_OWN_PANELS
#define EL_OWN_PACK_TURNED

/* cycles, see block.h */
#define EL_TILE_COST 230
#define EL_ROWS_COST 150
#define EL_PACK_COST 8
#define EL_APART_COST 20

#include "../product/block.h"
#include "turned.h"

EL_INLINE void el_tile_store(int32_t rows, int32_t cols, int32_t count, const float *a, int32_t lda, const float *b,
                             const float *from, int32_t pitch, float *y, int32_t ldy)
{
    el_sums t;
    el_sums_apart(el_tile_height(rows), rows, count, a, lda, b, &t);
    for (int32_t i = 0; i < rows; i++, y += ldy) {
        if (cols == EL_COLS && from != 0) {
            for (int32_t c = 0; c < EL_COLS; c++) {
                y[c] = from[i * pitch + c] + t.row[i][c];
            }
            continue;
        }
        for (int32_t c = 0; c < cols; c++) {
            y[c] = (from != 0 ? from[i * pitch + c] : 0.0f) + t.row[i][c];
        }
    }
}

static __attribute__((noinline)) void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                      int32_t count, const float *a, int32_t lda, const float *b,
                                                      const float *from, int32_t pitch, float *y, int32_t ldy)
{
    (void)width;
    (void)height;
    for (int32_t i = 0; i < rows;) {
        const int32_t high = el_min(el_tile_height(rows - i), rows - i);
        const float *panel = b;
        for (int32_t j = 0; j < cols; j += EL_COLS, panel += count * EL_COLS) {
            const float *start = from != 0 ? from + i * pitch + j : 0;
            el_tile_store(high, el_min(EL_COLS, cols - j), count, a + i * lda, lda, panel, start, pitch,
                          y + i * ldy + j, ldy);
        }
        i += high;
    }
}

static __attribute__((noinline)) void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                    int32_t count, const float *a, const float *b, float scale,
                                                    float *y, int32_t ldy)
{
    el_sums t;
    (void)width;
    for (int32_t j = 0; j < cols; j += EL_COLS, b += count * EL_COLS) {
        el_sums_mixed(height, count, a, b, &t);
        const int32_t n = el_min(EL_COLS, cols - j);
        float *to = y + j;
        for (int32_t i = 0; i < rows; i++, to += ldy) {
            for (int32_t c = 0; c < n; c++) {
                to[c] += scale * t.row[i][c];
            }
        }
    }
}

#endif
