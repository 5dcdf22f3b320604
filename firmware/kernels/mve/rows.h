/* Products whose rows are positions: forward and the gradient of x. See product/positions.h. */
#ifndef EL_MVE_ROWS_H
#define EL_MVE_ROWS_H

/* Terms [first, last) of positions (row, column + i), i < rows, turned into `to`. */
static void el_turn_rows(const el_grid *g, int32_t columns, int32_t rows, int32_t row, int32_t column, int32_t first,
                         int32_t last, el_row_t *to)
{
    const int32_t y = g->y + row * g->step_y;
    const int32_t x = g->x + column * g->step_x;
    const int32_t right = x + (rows - 1) * g->step_x;
    const int32_t reach_y = (g->taps_h - 1) * g->tap;
    const int32_t reach_x = (g->taps_w - 1) * g->tap;
    const int inside = column + rows <= columns && el_min(y, y + reach_y) >= 0 && el_max(y, y + reach_y) < g->h &&
                       el_min(x, x + reach_x) >= 0 && el_max(right, right + reach_x) < g->w;
    /* Windows inside the map are contiguous along a row of taps. */
    const int whole = inside && g->tap == 1 && g->depth == g->pitch;
    const int32_t length = whole ? g->taps_w * g->depth : g->depth;
    const int32_t wide = whole ? 1 : g->taps_w;
    const int32_t hop = g->step_x * g->pitch;
    const int32_t piece = first / length;
    int32_t at = first - piece * length;
    if (whole && at == 0 && (last - first) % length == 0 && length < EL_LONG) {
        el_turn_pieces(rows, length, g->map + ((y + piece) * g->w + x) * g->pitch, hop, rows, to,
                       (last - first) / length, g->w * g->pitch);
        return;
    }
    int32_t ty = piece / wide;
    int32_t tx = piece - ty * wide;
    while (first < last) {
        const int32_t count = el_min(length - at, last - first);
        const int32_t dy = ty * g->tap;
        const int32_t dx = tx * g->tap;
        int32_t c = column;
        int32_t py = y + dy;
        for (int32_t i = 0, n; i < rows; i += n, c += n) {
            if (c == columns) {
                c = 0;
                py += g->step_y;
            }
            /* As many as are alike: outside, or inside. */
            const int32_t px = g->x + c * g->step_x + dx;
            const int32_t left = el_min(rows - i, columns - c);
            if (inside) {
                n = left;
            } else if (py < 0 || py >= g->h || px >= g->w) {
                n = left;
                el_zeros_into(n, count, rows, to + i);
                continue;
            } else if (px < 0) {
                n = el_min(left, el_ceil_div(-px, g->step_x));
                el_zeros_into(n, count, rows, to + i);
                continue;
            } else {
                n = el_min(left, (g->w - 1 - px) / g->step_x + 1);
            }
            el_turn_into(n, count, g->map + (py * g->w + px) * g->pitch + at, hop, rows, to + i);
        }
        to += count * rows;
        first += count;
        at = 0;
        if (++tx == wide) {
            tx = 0;
            ty++;
        }
    }
}

/* The same where nothing but the position of a row counts. */
EL_INLINE int el_is_flat(const el_grid *g, const el_target *t)
{
    return g->taps_h == 1 && g->taps_w == 1 && g->y == 0 && g->x == 0 && g->step_x == 1 && t->columns == t->count &&
           g->w >= t->count;
}

/* All rows of one block: terms [first, last) of the sum, columns [0, cols) of y, whose packed panels are in `b`. */
EL_INLINE void el_product_block(const el_grid *g, const el_target *t, int32_t cols, int32_t width, int32_t first,
                                int32_t last, const el_t *b, const el_t *start, el_t *y, el_row_t *a)
{
    /* Rows of the map that follow each other without a gap are one long row. */
    const int32_t run = t->row_pitch == t->columns * t->pitch ? t->count : t->columns;
    el_walk k = el_walk_of(0, last - first);
    (void)width;
    k.a = a;
    el_walk_from(&k, first != 0, start, t->pitch);
    if (el_is_flat(g, t)) {
        for (int32_t p = 0; p < t->count;) {
            const int32_t height = el_tile_height(t->count - p);
            el_turn_into(height, last - first, g->map + p * g->pitch + first, g->pitch, height, a);
            el_rows_store(0, height, &k, b, cols, y + p * t->pitch);
            p += height;
        }
        return;
    }
    for (int32_t p = 0; p < t->count;) {
        const int32_t row = p / t->columns;
        const int32_t column = p - row * t->columns;
        const int32_t height = el_tile_height(run - (run == t->count ? p : column));
        el_t *const to = y + row * t->row_pitch + column * t->pitch;
        el_turn_rows(g, t->columns, height, row, column, first, last, a);
        el_rows_store(0, height, &k, b, cols, to);
        p += height;
    }
}

#endif
