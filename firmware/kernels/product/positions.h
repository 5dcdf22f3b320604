/* Forward and the gradient of x: products whose rows are positions. See product.h. */
#ifndef EL_PRODUCT_POSITIONS_H
#define EL_PRODUCT_POSITIONS_H

#include "block.h"
#include "pack.h"
#include "shape.h"

#ifndef EL_WIDTH_FOR
#define EL_WIDTH_FOR(columns) EL_TILE_WIDTH /* of a panel, where there are so many columns */
#endif

#ifndef EL_OWN_PANELS
/* el_tile_store for columns [0, cols) of y, whose packed panels follow each other at b. */
EL_INLINE void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                               const el_row_t *a, int32_t lda, const el_t *b, const el_t *from, int32_t pitch, el_t *y,
                               int32_t ldy)
{
    (void)lda;
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        el_tile_store(height, rows, el_min(width, cols - j), count, a, b, from != 0 ? from + j : 0, pitch, y + j, ldy);
    }
}

#endif

/* The rows of a panel are positions of a grid laid over a map; a term is a tap at a position and a channel:
 *   pixel (y + row * step_y + ty * tap, x + column * step_x + tx * tap), channels [0, depth) of `map`, zero outside. */
typedef struct {
    const el_map_t *map;
    int32_t h, w, pitch;
    int32_t depth, taps_h, taps_w, tap;
    int32_t y, x, step_y, step_x;
} el_grid;

/* Where results go: `columns` positions a row, `count` in all; positions are `pitch`, rows `row_pitch` elements apart.
 * Those in front of position `from` are left out, in memory too. */
typedef struct {
    el_map_t *y;
    int32_t pitch, row_pitch, columns, count, from;
} el_target;

#ifdef EL_OWN_BLOCK
#include EL_OWN_BLOCK
#else
#if defined(EL_ROWS_APART) && !defined(EL_SUMS_BYTES)
#define EL_ROWS_IN_PLACE
/* How many of `left` positions from (y, x) on have all their taps inside the map, up to the end of a row of the grid.
 */
static int32_t el_inside(const el_grid *g, int32_t left, int32_t y, int32_t x)
{
    const int32_t reach_y = (g->taps_h - 1) * g->tap;
    const int32_t reach_x = (g->taps_w - 1) * g->tap;
    const int32_t last = g->w - 1 - el_max(reach_x, 0) - x;
    if (el_min(y, y + reach_y) < 0 || el_max(y, y + reach_y) >= g->h || el_min(x, x + reach_x) < 0 || last < 0) {
        return 0;
    }
    return el_min(left, last / g->step_x + 1);
}
#endif

/* Where terms [first, last) of positions (row, column + i), i < rows, are, after they were packed into `to`:
 * interleaved, or, with EL_ROWS_APART, one row after the other, *lda elements apart, and then perhaps where they have
 * always been. */
static const el_row_t *el_rows_of(const el_grid *g, int32_t columns, int32_t height, int32_t rows, int32_t row,
                                  int32_t column, int32_t first, int32_t last, el_row_t *to, int32_t *lda)
{
    const el_map_t *from[EL_ROWS_MOST];
    const int32_t y = g->y + row * g->step_y;
    const int32_t x = g->x + column * g->step_x;
    const int32_t right = x + (rows - 1) * g->step_x;
    const int32_t reach_y = (g->taps_h - 1) * g->tap;
    const int32_t reach_x = (g->taps_w - 1) * g->tap;
    const int inside = column + rows <= columns && y >= 0 && y < g->h && y + reach_y >= 0 && y + reach_y < g->h &&
                       x >= 0 && right < g->w && x + reach_x >= 0 && right + reach_x < g->w;
    /* Windows inside the map are contiguous along a row of taps. */
    const int whole = inside && g->tap == 1 && g->depth == g->pitch;
    const int32_t length = whole ? g->taps_w * g->depth : g->depth;
    const int32_t wide = whole ? 1 : g->taps_w;
    const int32_t hop = g->step_x * g->pitch;
    const int32_t piece = first / length;
    int32_t at = first - piece * length;
    int32_t ty = piece / wide;
    int32_t tx = piece - ty * wide;
    el_row_t *const packed = to;
#ifdef EL_ROWS_APART
    *lda = last - first;
#else
    *lda = height;
#endif
    for (int32_t i = rows; i < height; i++) {
        from[i] = 0;
    }
    while (first < last) {
        const int32_t count = el_min(length - at, last - first);
        if (inside) {
            const el_map_t *origin = g->map + ((y + ty * g->tap) * g->w + x + tx * g->tap) * g->pitch + at;
            for (int32_t i = 0; i < rows; i++, origin += hop) {
                from[i] = origin;
            }
        } else {
            int32_t py = y + ty * g->tap;
            int32_t c = column;
            for (int32_t i = 0; i < rows; i++) {
                const int32_t px = g->x + c * g->step_x + tx * g->tap;
                const int in = py >= 0 && py < g->h && px >= 0 && px < g->w;
                from[i] = in ? g->map + (py * g->w + px) * g->pitch + at : 0;
                if (++c == columns) {
                    c = 0;
                    py += g->step_y;
                }
            }
        }
#ifdef EL_ROWS_APART
        for (int32_t i = 0; i < rows; i++) {
            el_pack_row(count, from[i], to + i * *lda);
        }
        to += count;
#else
        el_pack_gather(height, count, from, to);
        to += count * height;
#endif
        first += count;
        at = 0;
        if (++tx == wide) {
            tx = 0;
            ty++;
        }
    }
    return packed;
}

/* All rows of one block: terms [first, last) of the sum, columns [0, cols) of y, whose packed panels are in `b`. */
EL_INLINE void el_product_block(const el_grid *g, const el_target *t, int32_t cols, int32_t width, int32_t first,
                                int32_t last, const el_t *b, const el_t *start, el_t *y, el_row_t *a)
{
    /* Rows of the map that follow each other without a gap are one long row. */
    const int32_t run = t->row_pitch == t->columns * t->pitch ? t->count : t->columns;
    const int32_t count = last - first;
#ifdef EL_ROWS_IN_PLACE
    const int32_t whole = g->tap == 1 && g->depth == g->pitch ? g->taps_w * g->depth : g->depth;
    const int32_t piece = first / whole;
    const int32_t length = (piece + 1) * whole >= last ? whole : 0; /* of the piece that all terms are in, or 0 */
    const int32_t ty = whole == g->depth ? piece / g->taps_w : piece;
    const int32_t tx = whole == g->depth ? piece - ty * g->taps_w : 0;
    const el_row_t *origin =
        g->map + ((g->y + ty * g->tap) * g->w + g->x + tx * g->tap) * g->pitch + (first - piece * whole);
#endif
    for (int32_t p = t->from; p < t->count;) {
        const int32_t row = p / t->columns;
        const int32_t column = p - row * t->columns;
        const int32_t left = run - (run == t->count ? p : column);
        const int32_t height = el_tile_height(left);
        int32_t rows = el_min(EL_ROWS_TOGETHER(height), left);
        int32_t lda;
        const el_row_t *at;
#ifdef EL_ROWS_IN_PLACE
        /* Terms that are contiguous in the map are read there, for as many positions as there are. */
        const int32_t many = length != 0 ? el_inside(g, el_min(left, t->columns - column), g->y + row * g->step_y,
                                                     g->x + column * g->step_x)
                                         : 0;
        if (many >= height || (many != 0 && many == left)) {
            rows = many == left ? many : many - many % height;
            lda = g->step_x * g->pitch;
            at = origin + ((row * g->step_y) * g->w + column * g->step_x) * g->pitch;
        } else {
            at = el_rows_of(g, t->columns, height, rows, row, column, first, last, a, &lda);
        }
#else
        at = el_rows_of(g, t->columns, height, rows, row, column, first, last, a, &lda);
#endif
        el_t *to = y + row * t->row_pitch + column * t->pitch - t->from * t->pitch;
        if (first != 0) {
            el_panels_store(width, height, rows, cols, count, at, lda, b, to, t->pitch, to, t->pitch);
        } else {
            el_panels_store(width, height, rows, cols, count, at, lda, b, start, 0, to, t->pitch);
        }
        p += rows;
    }
}
#endif

#ifdef EL_SUMS_BYTES
#include "positions_sums.h"
#else
/* All positions at a time, and results go where they belong. */
EL_INLINE int32_t el_span(const el_target *t, int32_t wide)
{
    (void)wide;
    return t->count;
}

EL_INLINE void el_span_begin(const el_map_t *b, int32_t cols, int32_t wide, el_t *sums)
{
    (void)b, (void)cols, (void)wide, (void)sums;
}

EL_INLINE void el_span_block(const el_grid *g, const el_target *t, int32_t at, int32_t cols, int32_t width,
                             int32_t first, int32_t last, const el_t *packed, const el_map_t *b, el_map_t *y,
                             el_t *sums, int32_t wide, void *scratch)
{
    (void)at, (void)sums, (void)wide;
    el_product_block(g, t, cols, width, first, last, packed, b, y, scratch);
}

EL_INLINE void el_span_end(const el_target *t, int32_t at, int32_t cols, int32_t wide, const el_t *sums, el_map_t *y)
{
    (void)t, (void)at, (void)cols, (void)wide, (void)sums, (void)y;
}
#endif

EL_INLINE void el_product_forward(const el_window *shape, const el_map_t *x, const el_map_t *w, const el_map_t *b,
                                  el_map_t *y, void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t width = EL_WIDTH_FOR(og);
    const int32_t terms = s.k_h * s.k_w * cg;
    const el_blocks cut = el_blocks_of(terms, s.in_pitch == cg ? s.k_w * cg : cg, el_ceil_div(og, width),
                                       width * (int32_t)sizeof(el_t), EL_ROW_BYTES);
    const int32_t wide = cut.panels * width;
    el_t *const packed = el_columns_of(scratch, cut.terms);
    el_t *const sums = packed + cut.terms * wide;
    for (int32_t group = 0; group < s.groups; group++, x += cg, w += og * terms, y += og) {
        const el_grid g = {x,     s.in_h, s.in_w,     s.in_pitch,  cg,         s.k_h,
                           s.k_w, 1,      -s.pad_top, -s.pad_left, s.stride_h, s.stride_w};
        const el_target t = {y, s.out_pitch, s.out_w * s.out_pitch, s.out_w, s.out_h * s.out_w, 0};
        const el_map_t *bias = b != 0 ? b + group * og : 0;
        for (int32_t o = 0; o < og; o += wide) {
            const int32_t cols = el_min(wide, og - o);
            const el_map_t *start = bias != 0 ? bias + o : 0;
            el_span_begin(start, cols, wide, sums);
            for (int32_t at = 0; at < t.count; at += el_span(&t, wide)) {
                for (int32_t k = 0, end; k < terms; k = end) {
                    end = el_block_end(&cut, k);
                    el_t *to = packed;
                    for (int32_t j = 0; j < cols && (at == 0 || end - k != terms); j += width) {
                        el_pack_turned(width, el_min(width, cols - j), end - k, w + (o + j) * terms + k, terms, to);
                        to += (end - k) * width;
                    }
                    el_span_block(&g, &t, at, cols, width, k, end, packed, start, y + o, sums, wide, scratch);
                }
                el_span_end(&t, at, cols, wide, sums, y + o);
            }
        }
    }
}

/* The taps of one axis that reach input positions first, first + stride, ...: k = tap, tap + stride, ..., `taps` in
 * all; the first position's first tap stems from output `out`, its next one from the output before. */
typedef struct {
    int32_t tap, taps, out;
} el_phase;

static el_phase el_phase_of(int32_t first, int32_t pad, int32_t stride, int32_t k)
{
    el_phase p;
    p.out = (first + pad) / stride;
    p.tap = first + pad - p.out * stride;
    p.taps = p.tap < k ? (k - 1 - p.tap) / stride + 1 : 0;
    return p;
}

/* The tap of a row of taps that comes in place i of its block in a gradient of x. */
#ifndef EL_TAP_AT
#define EL_TAP_AT(i, taps) (i)
#endif

/* Columns of a block of the gradient of x: terms [k, end) are (tap, output channel), taps of the phase in order. */
EL_INLINE void el_pack_taps(const el_window *s, const el_phase *v, const el_phase *h, int32_t width, int32_t cols,
                            int32_t k, int32_t end, const el_map_t *w, el_t *to)
{
    const int32_t cg = s->groups == 1 ? s->in_pitch : s->in_c / s->groups; /* of w, which has the map's pitch */
    const int32_t og = s->out_c / s->groups;
    const int32_t pitch = s->k_h * s->k_w * cg;
    const int32_t panel = (end - k) * width;
    int32_t piece = k / og;
    int32_t o = k - piece * og;
    for (; k < end; piece++, o = 0) {
        const int32_t ty = piece / h->taps;
        const int32_t ky = v->tap + ty * s->stride_h;
        const int32_t kx = h->tap + EL_TAP_AT(piece - ty * h->taps, h->taps) * s->stride_w;
        const int32_t count = el_min(og - o, end - k);
        el_pack_panels(width, cols, count, w + o * pitch + (ky * s->k_w + kx) * cg, pitch, to, panel);
        to += count * width;
        k += count;
    }
}

/* One phase of the gradient of x: positions (top + i * stride_h, left + j * stride_w), which all meet the same taps. */
EL_INLINE void el_product_phase(const el_window *s, int32_t top, int32_t left, const el_map_t *dy, const el_map_t *w,
                                el_map_t *dx, void *scratch)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t width = EL_WIDTH_FOR(cg);
    const int32_t og = s->out_c / s->groups;
    const el_phase v = el_phase_of(top, s->pad_top, s->stride_h, s->k_h);
    const el_phase h = el_phase_of(left, s->pad_left, s->stride_w, s->k_w);
    const el_grid g = {dy, s->out_h, s->out_w, s->out_pitch, og, v.taps, h.taps, -1, v.out, h.out, 1, 1};
    const int32_t columns = el_ceil_div(s->in_w - left, s->stride_w);
    const el_target t = {dx,
                         s->stride_w * s->in_pitch,
                         s->stride_h * s->in_w * s->in_pitch,
                         columns,
                         columns * el_ceil_div(s->in_h - top, s->stride_h),
                         0};
    const int32_t terms = v.taps * h.taps * og;
    if (terms == 0) {
        for (int32_t p = 0; p < t.count; p++) {
            el_map_t *to = dx + p / columns * t.row_pitch + p % columns * t.pitch;
            for (int32_t c = 0; c < cg; c++) {
                to[c] = 0;
            }
        }
        return;
    }
    const el_blocks cut = el_blocks_of(terms, og, el_ceil_div(cg, width), width * (int32_t)sizeof(el_t), EL_ROW_BYTES);
    const int32_t wide = cut.panels * width;
    el_t *const packed = el_columns_of(scratch, cut.terms);
    el_t *const sums = packed + cut.terms * wide;
    for (int32_t c = 0; c < cg; c += wide) {
        const int32_t cols = el_min(wide, cg - c);
        el_span_begin(0, cols, wide, sums);
        for (int32_t at = 0; at < t.count; at += el_span(&t, wide)) {
            for (int32_t k = 0, end; k < terms; k = end) {
                end = el_block_end(&cut, k);
                if (at == 0 || end - k != terms) {
                    el_pack_taps(s, &v, &h, width, cols, k, end, w + c, packed);
                }
                el_span_block(&g, &t, at, cols, width, k, end, packed, 0, dx + c, sums, wide, scratch);
            }
            el_span_end(&t, at, cols, wide, sums, dx + c);
        }
    }
}

EL_INLINE void el_product_backward_x(const el_window *shape, const el_map_t *dy, const el_map_t *w, el_map_t *dx,
                                     void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    for (int32_t group = 0; group < s.groups; group++, dy += og, dx += cg, w += og * s.k_h * s.k_w * cg) {
        for (int32_t top = 0; top < el_min(s.stride_h, s.in_h); top++) {
            for (int32_t left = 0; left < el_min(s.stride_w, s.in_w); left++) {
                el_product_phase(&s, top, left, dy, w, dx + (top * s.in_w + left) * s.in_pitch, scratch);
            }
        }
    }
}

/* Both for a number format and an instruction set. */
#define EL_CONV2D_BY_PRODUCTS(FMT, ISA)                                                                                \
    void el_conv2d_fwd_##FMT##__##ISA(const el_window *s, const el_map_t *x, const el_map_t *w, const el_map_t *b,     \
                                      el_map_t *y, void *scratch)                                                      \
    {                                                                                                                  \
        el_product_forward(s, x, w, b, y, scratch);                                                                    \
    }                                                                                                                  \
                                                                                                                       \
    void el_conv2d_bwd_x_##FMT##__##ISA(const el_window *s, const el_map_t *dy, const el_map_t *w, el_map_t *dx,       \
                                        void *scratch)                                                                 \
    {                                                                                                                  \
        el_product_backward_x(s, dy, w, dx, scratch);                                                                  \
    }

#endif
