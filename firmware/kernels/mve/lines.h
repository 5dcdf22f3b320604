/* Convolutions of three taps along a row with stride 1: forward, and the gradient of x, which is one with the taps
 * turned around. Neighbours of a row of positions share two of three taps, so that `h` of them are h + 2 packed scalars
 * for each channel and row of taps, where product/ packs 3 h. Terms are (row of taps, channel, tap), taps from left to
 * right.
 *
 * Blocks are cut as those of product/, and want no more scratch than those. */
#ifndef EL_MVE_LINES_H
#define EL_MVE_LINES_H

enum { EL_TAPS = 3 };

/* Whether a window is one, with positions enough in a row. */
EL_INLINE int el_is_line(const el_window *s)
{
    return s->k_w == EL_TAPS && s->stride_w == 1 && s->stride_h == 1 && s->out_w >= EL_TAPS && s->in_w >= EL_TAPS;
}

/* One group: a map of `depth` channels, whose pixel (row + y + ty * down, column + x + tx) is read for tap (ty, tx),
 * and where results go. */
typedef struct {
    const el_t *map;
    int32_t h, w, pitch, depth, taps_h;
    int32_t y, x, down;
    el_t *to;
    int32_t columns, count, step;
} el_lines;

/* Weights of a group: elements from one column to the next, from one channel, row of taps and tap (of the map's order)
 * to the next. */
typedef struct {
    const el_t *w;
    int32_t column, channel, row, tap;
} el_taps;

/* Columns [0, cols) of channels [c, end) of one row of taps. A panel takes up `panel` elements. */
EL_INLINE void el_pack_line(int turned, const el_taps *v, int32_t cols, int32_t panel, int32_t ty, int32_t c,
                            int32_t end, el_t *to)
{
    for (int32_t tx = 0; tx < EL_TAPS; tx++) {
        const el_t *w = v->w + ty * v->row + tx * v->tap + c * v->channel;
        for (int32_t j = 0; j < cols; j += EL_LANES) {
            el_t *p = to + j / EL_LANES * panel + tx * EL_LANES;
            const int32_t some = el_min(cols - j, EL_LANES);
            if (turned) {
                el_turn_columns(some, end - c, w + j * v->column, v->column, EL_TAPS * EL_LANES, p);
            } else {
                const el_n n = el_some(some);
                const el_t *from = w + j;
                for (int32_t k = c; k < end; k++, from += v->channel, p += EL_TAPS * EL_LANES) {
                    el_store(p, el_load(from, n), EL_ALL);
                }
            }
        }
    }
}

/* Channels [c, end) of `count` neighbouring pixels, of which the first one is (y, x), turned into `to`. */
EL_INLINE void el_turn_pixels(const el_lines *g, int32_t count, int32_t y, int32_t x, int32_t c, int32_t end,
                              el_row_t *to)
{
    const int32_t left = y < 0 || y >= g->h ? count : el_min(el_max(-x, 0), count);
    const int32_t right = el_max(el_min(g->w - x, count), left);
    if (left > 0) {
        el_zeros_into(left, end - c, count, to);
    }
    if (right > left) {
        el_turn_into(right - left, end - c, g->map + (y * g->w + x + left) * g->pitch + c, g->pitch, count, to + left);
    }
    if (count > right) {
        el_zeros_into(count - right, end - c, count, to + right);
    }
}

/* The same with all channels of `rows` rows of taps, the first of which is (y, x), where all of them are in the map. */
EL_INLINE int el_turn_rows_of_taps(const el_lines *g, int32_t rows, int32_t count, int32_t y, int32_t x, el_row_t *to)
{
    const int32_t end = y + (rows - 1) * g->down;
    if (el_min(y, end) < 0 || el_max(y, end) >= g->h || x < 0 || x + count > g->w || g->depth >= EL_LONG) {
        return 0;
    }
    el_turn_pieces(count, g->depth, g->map + (y * g->w + x) * g->pitch, g->pitch, count, to, rows,
                   g->down * g->w * g->pitch);
    return 1;
}

/* Rows of taps and channels [first, last), counted through, for columns [0, cols). */
EL_INLINE void el_line_block(const el_lines *g, int32_t first, int32_t last, int32_t cols, const el_t *b,
                             const el_t *start, el_t *y, el_row_t *a)
{
    el_walk walk = el_walk_of(1, (last - first) * EL_TAPS);
    const int32_t whole = first % g->depth == 0 && last % g->depth == 0 ? (last - first) / g->depth : 0;
    int32_t row = 0;
    int32_t column = 0;
    walk.a = a;
    el_walk_from(&walk, first != 0, start, g->step);
    for (int32_t p = 0; p < g->count;) {
        const int32_t height = el_tile_height(g->columns - column);
        el_row_t *at = a;
        int32_t ty = first / g->depth;
        int32_t c = first - ty * g->depth;
        for (int32_t k = first; k < last; ty++, c = 0) {
            const int32_t end = el_min(g->depth, c + last - k);
            if (k == first && whole > 1 &&
                el_turn_rows_of_taps(g, whole, height + EL_TAPS - 1, row + g->y + ty * g->down, column + g->x, at)) {
                break;
            }
            el_turn_pixels(g, height + EL_TAPS - 1, row + g->y + ty * g->down, column + g->x, c, end, at);
            at += (end - c) * (height + EL_TAPS - 1);
            k += end - c;
        }
        el_rows_store(1, height, &walk, b, cols, y + p * g->step);
        p += height;
        column += height;
        if (column == g->columns) {
            column = 0;
            row++;
        }
    }
}

/* All columns of a group, `cols` in all; `turned` if terms follow each other in w, and not columns. */
EL_INLINE void el_line_product(int turned, const el_lines *g, const el_taps *v, const el_blocks *cut, int32_t cols,
                               const el_t *bias, void *scratch)
{
    const int32_t all = g->taps_h * g->depth;
    const int32_t times = el_ceil_div(all, cut->terms / EL_TAPS);
    const int32_t each = el_ceil_div(all, times);
    const int32_t wide = cut->panels * EL_LANES;
    el_t *const packed = el_columns_of(scratch, cut->terms);
    for (int32_t o = 0; o < cols; o += wide) {
        const int32_t some = el_min(wide, cols - o);
        el_taps w = *v;
        w.w += o * v->column;
        for (int32_t first = 0; first < all; first += each) {
            const int32_t last = el_min(first + each, all);
            const int32_t panel = (last - first) * EL_TAPS * EL_LANES;
            el_t *to = packed;
            int32_t ty = first / g->depth;
            int32_t c = first - ty * g->depth;
            for (int32_t k = first; k < last; ty++, c = 0) {
                const int32_t end = el_min(g->depth, c + last - k);
                el_pack_line(turned, &w, some, panel, ty, c, end, to);
                to += (end - c) * EL_TAPS * EL_LANES;
                k += end - c;
            }
            el_line_block(g, first, last, some, packed, bias != 0 ? bias + o : 0, g->to + o, scratch);
        }
    }
}

static void el_line_forward(const el_window *s, const el_t *x, const el_t *w, const el_t *b, el_t *y, void *scratch)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t terms = s->k_h * EL_TAPS * cg;
    const el_blocks cut = el_blocks_of(terms, s->in_pitch == cg ? EL_TAPS * cg : cg, el_ceil_div(og, EL_LANES),
                                       EL_LANES * (int32_t)sizeof(el_t), EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    for (int32_t group = 0; group < s->groups; group++, x += cg, w += og * terms, y += og) {
        const el_lines g = {x, s->in_h, s->in_w,  s->in_pitch,         cg,          s->k_h, -s->pad_top, -s->pad_left,
                            1, y,       s->out_w, s->out_h * s->out_w, s->out_pitch};
        const el_taps v = {w, terms, 1, EL_TAPS * cg, cg};
        el_line_product(1, &g, &v, &cut, og, b != 0 ? b + group * og : 0, scratch);
    }
}

static void el_line_backward_x(const el_window *s, const el_t *dy, const el_t *w, el_t *dx, void *scratch)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t pitch = s->groups == 1 ? s->in_pitch : cg; /* of w, which has the map's */
    const el_blocks cut = el_blocks_of(s->k_h * EL_TAPS * og, og, el_ceil_div(cg, EL_LANES),
                                       EL_LANES * (int32_t)sizeof(el_t), EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    for (int32_t group = 0; group < s->groups; group++, dy += og, dx += cg, w += og * s->k_h * EL_TAPS * cg) {
        const el_lines g = {
            dy, s->out_h, s->out_w, s->out_pitch,      og,         s->k_h, s->pad_top, s->pad_left - EL_TAPS + 1,
            -1, dx,       s->in_w,  s->in_h * s->in_w, s->in_pitch};
        const el_taps v = {w + (EL_TAPS - 1) * pitch, 1, s->k_h * EL_TAPS * pitch, EL_TAPS * pitch, -pitch};
        el_line_product(0, &g, &v, &cut, cg, 0, scratch);
    }
}

#endif
