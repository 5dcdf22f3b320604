/* Forward and the gradient of x where sums wait in scratch, see sums.h: what sums start with, then `wide` of them for
 * each of some positions. */
#ifndef EL_PRODUCT_POSITIONS_SUMS_H
#define EL_PRODUCT_POSITIONS_SUMS_H

#include "sums.h"

EL_INLINE int32_t el_span(const el_target *t, int32_t wide)
{
    return el_waiting(t->count, wide, EL_ROWS_MOST);
}

EL_INLINE void el_span_begin(const el_map_t *b, int32_t cols, int32_t wide, el_t *sums)
{
    for (int32_t j = 0; j < wide; j++) {
        sums[j] = b != 0 && j < cols ? (el_t)b[j] : 0;
    }
}

/* One block of the sums of the positions from number `at` on. Columns that are none are computed as well. */
EL_INLINE void el_span_block(const el_grid *g, const el_target *t, int32_t at, int32_t cols, int32_t width,
                             int32_t first, int32_t last, const el_t *packed, const el_map_t *b, el_map_t *y,
                             el_t *sums, int32_t wide, void *scratch)
{
    const int32_t count = el_min(el_span(t, wide), t->count - at);
    const el_target own = {0, wide, t->columns * wide, t->columns, at + count, at};
    (void)b, (void)y;
    el_product_block(g, &own, el_ceil_div(cols, width) * width, width, first, last, packed, sums, sums + wide, scratch);
}

/* These sums, complete, go where they belong. */
EL_INLINE void el_span_end(const el_target *t, int32_t at, int32_t cols, int32_t wide, const el_t *sums, el_map_t *y)
{
    const int32_t count = el_min(el_span(t, wide), t->count - at);
    int32_t row = at / t->columns;
    int32_t column = at - row * t->columns;
    sums += wide;
    for (int32_t p = 0; p < count; p++, sums += wide) {
        el_store_row(cols, sums, y + row * t->row_pitch + column * t->pitch);
        if (++column == t->columns) {
            column = 0;
            row++;
        }
    }
}

#endif
