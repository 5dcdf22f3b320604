/* The gradient of w where sums wait in scratch, see sums.h: those of some output channels for the panels of a block. */
#ifndef EL_PRODUCT_WEIGHTS_SUMS_H
#define EL_PRODUCT_WEIGHTS_SUMS_H

#include "sums.h"

EL_INLINE int32_t el_span_rows(int32_t og, int32_t cols)
{
    return el_waiting(el_ceil_div(og, EL_TILE_HEIGHT) * EL_TILE_HEIGHT, cols, EL_TILE_HEIGHT);
}

EL_INLINE void el_span_clear(int32_t rows, int32_t cols, el_t *sums)
{
    for (int32_t i = el_ceil_div(rows, EL_TILE_HEIGHT) * EL_TILE_HEIGHT * cols; i > 0; i--) {
        *sums++ = 0;
    }
}

/* Rows and columns that are none, packed as zeros, are computed as well. */
EL_INLINE void el_span_add(const el_pieces *v, int32_t width, int32_t height, int32_t rows, int32_t count,
                           int32_t begin, int32_t stop, const el_row_t *a, const el_t *packed, float scale,
                           el_map_t *dw, int32_t k, el_t *sums)
{
    const int32_t cols = (stop - begin) * width;
    (void)v, (void)rows, (void)dw, (void)k;
    el_panels_add(width, height, height, cols, count, a, packed, scale, sums, cols);
}

/* Adds what is complete to panels [begin, stop) of so many rows of w. */
EL_INLINE void el_span_done(const el_pieces *v, int32_t width, int32_t rows, int32_t begin, int32_t stop,
                            const el_t *sums, el_map_t *dw, int32_t k)
{
    for (; rows > 0; rows--, sums += (stop - begin) * width, dw += k) {
        const el_t *from = sums;
        for (int32_t j = begin, next; j < stop; from += (next - j) * width, j = next) {
            const int32_t piece = j / v->each;
            const int32_t e = (j - piece * v->each) * width;
            next = v->on ? stop : el_min((piece + 1) * v->each, stop);
            el_add_row(v->on ? (next - j) * width : el_min((next - j) * width, v->length - e), from,
                       dw + piece * v->apart + e);
        }
    }
}

#endif
