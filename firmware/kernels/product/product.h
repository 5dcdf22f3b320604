/* Convolutions, pointwise ones among them, as products of packed blocks: forward, gradient of x, gradient of w. Written
 * once, over a register tile that the file of an instruction set defines before it includes this one:
 *
 *   el_t             type of an element of maps and weights. Sums within a tile may be wider.
 *   el_row_t         type of an element of packed rows: el_t, or what a load that broadcasts wants.
 *   EL_TILE_HEIGHT   most rows of a tile, a constant.
 *   EL_TILE_WIDTH    columns of a tile: vector lanes, contiguous in memory. A constant, or an expression that the CPU
 *                    answers at run time (read once a call).
 *   el_tile_height(left)
 *                    height of the next panel of rows where `left` are left: 1 .. EL_TILE_HEIGHT. It may exceed `left`.
 *   el_tile_store(height, rows, cols, count, a, b, from, pitch, y, ldy)
 *                    y[i * ldy + j] = from[i * pitch + j] + sum over k < count of a[k][i] * b[k][j]
 *                    for i < rows <= height, j < cols <= width, and nothing else of y is written. a is [count][height],
 *                    b is [count][width]. from may be y itself, a bias (pitch 0), or NULL for zeros; no more than
 * `cols` of its elements may be read in a row. el_tile_add(height, rows, cols, count, a, b, scale, y, ldy) y[i * ldy +
 * j] += scale * that sum, started at zero.
 *
 * Each element's terms must be added in ascending order of k, in full tiles and in smaller ones alike, so that results
 * do not depend on where a tile begins. Blocks of the sum depend on the shape alone.
 *
 * pack.h packs in plain C. Define EL_OWN_PACK_GATHER, _ROWS, _TURNED or _COLS and the function to replace one:
 *   el_pack_gather(height, count, from[height], to)             rows of forward and of the gradient of x (turned)
 *   el_pack_rows(height, rows, count, from, pitch, to)          rows of the gradient of w (copied)
 *   el_pack_turned(width, cols, count, from, pitch, to)         columns of forward (turned)
 *   el_pack_cols(width, cols, count, from, pitch, to)           columns of both gradients (copied)
 * With EL_ROWS_APART defined, rows of forward and of the gradient of x are not interleaved but lie apart, a[i * lda +
 * k], copied by el_pack_row(count, from or NULL for zeros, to), or, where they are contiguous in the map, not copied at
 * all. Packed blocks are aligned as el_row_t and el_t are, no more. EL_OWN_PANELS: el_panels_store and el_panels_add
 * (below) are the instruction set's own, for columns of several panels; then it needs no el_tile_*.
 *
 *   step   rows                  columns                    terms
 *   fwd    positions of y        output channels            taps, channels of x
 *   bwd_x  positions of a phase  input channels             taps of the phase, channels of dy
 *   bwd_w  output channels       elements of a window row   positions
 *
 * The columns of a block are packed once for all rows; a panel of rows is packed, used for all columns of the block,
 * and forgotten. Scratch: edgelearn/kernels/product.py. */
#ifndef EL_PRODUCT_H
#define EL_PRODUCT_H

#include "block.h"
#include "el/ops.h"
#include "pack.h"

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

/* el_tile_add likewise. */
EL_INLINE void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                             const el_row_t *a, const el_t *b, float scale, el_t *y, int32_t ldy)
{
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        el_tile_add(height, rows, el_min(width, cols - j), count, a, b, scale, y + j, ldy);
    }
}
#endif

/* The rows of a panel are positions of a grid laid over a map; a term is a tap at a position and a channel:
 *   pixel (y + row * step_y + ty * tap, x + column * step_x + tx * tap), channels [0, depth) of `map`, zero outside. */
typedef struct {
    const el_t *map;
    int32_t h, w, pitch;
    int32_t depth, taps_h, taps_w, tap;
    int32_t y, x, step_y, step_x;
} el_grid;

/* Where terms [first, last) of positions (row, column + i), i < rows, are, after they were packed into `to`:
 * interleaved, or, with EL_ROWS_APART, one row after the other, *lda elements apart, and then perhaps where they have
 * always been. */
static const el_row_t *el_rows_of(const el_grid *g, int32_t columns, int32_t height, int32_t rows, int32_t row,
                                  int32_t column, int32_t first, int32_t last, el_row_t *to, int32_t *lda)
{
    const el_t *from[EL_TILE_HEIGHT];
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
    if (inside && at + last - first <= length) {
        *lda = hop;
        return g->map + ((y + ty * g->tap) * g->w + x + tx * g->tap) * g->pitch + at;
    }
#else
    *lda = height;
#endif
    for (int32_t i = rows; i < height; i++) {
        from[i] = 0;
    }
    while (first < last) {
        const int32_t count = el_min(length - at, last - first);
        if (inside) {
            const el_t *origin = g->map + ((y + ty * g->tap) * g->w + x + tx * g->tap) * g->pitch + at;
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

/* Where results go: `columns` positions a row, `count` in all; positions are `pitch`, rows `row_pitch` elements apart.
 */
typedef struct {
    el_t *y;
    int32_t pitch, row_pitch, columns, count;
} el_target;

/* All rows of one block: terms [first, last) of the sum, columns [0, cols) of y, whose packed panels are in `b`. */
EL_INLINE void el_product_block(const el_grid *g, const el_target *t, int32_t cols, int32_t width, int32_t first,
                                int32_t last, const el_t *b, const el_t *start, el_t *y, el_row_t *a)
{
    /* Rows of the map that follow each other without a gap are one long row. */
    const int32_t run = t->row_pitch == t->columns * t->pitch ? t->count : t->columns;
    const int32_t count = last - first;
    for (int32_t p = 0; p < t->count;) {
        const int32_t row = p / t->columns;
        const int32_t column = p - row * t->columns;
        const int32_t left = run - (run == t->count ? p : column);
        const int32_t height = el_tile_height(left);
        const int32_t rows = el_min(height, left);
        int32_t lda;
        const el_row_t *at = el_rows_of(g, t->columns, height, rows, row, column, first, last, a, &lda);
        el_t *to = y + row * t->row_pitch + column * t->pitch;
        if (first != 0) {
            el_panels_store(width, height, rows, cols, count, at, lda, b, to, t->pitch, to, t->pitch);
        } else {
            el_panels_store(width, height, rows, cols, count, at, lda, b, start, 0, to, t->pitch);
        }
        p += rows;
    }
}

/* A block's packed rows lie in front of its packed columns. */
EL_INLINE el_t *el_columns_of(void *scratch, int32_t terms)
{
    return (el_t *)(void *)((el_row_t *)scratch + terms * EL_TILE_HEIGHT);
}

/* A 1 x 1 convolution does not care for the map's shape: one long row makes the tiles full. */
static el_window el_flatten(const el_window *s)
{
    el_window f = *s;
    if (f.k_h == 1 && f.k_w == 1 && f.stride_h == 1 && f.stride_w == 1 && f.pad_top == 0 && f.pad_left == 0 &&
        f.in_h == f.out_h && f.in_w == f.out_w) {
        f.in_w *= f.in_h;
        f.out_w *= f.out_h;
        f.in_h = f.out_h = 1;
    }
    return f;
}

EL_INLINE void el_product_forward(const el_window *shape, const el_t *x, const el_t *w, const el_t *b, el_t *y,
                                  void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t width = EL_TILE_WIDTH;
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t terms = s.k_h * s.k_w * cg;
    const el_blocks cut = el_blocks_of(terms, el_ceil_div(og, width), width * (int32_t)sizeof(el_t),
                                       EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    const int32_t wide = cut.panels * width;
    el_t *const packed = el_columns_of(scratch, cut.terms);
    for (int32_t group = 0; group < s.groups; group++, x += cg, w += og * terms, y += og) {
        const el_grid g = {x,     s.in_h, s.in_w,     s.in_pitch,  cg,         s.k_h,
                           s.k_w, 1,      -s.pad_top, -s.pad_left, s.stride_h, s.stride_w};
        const el_target t = {y, s.out_pitch, s.out_w * s.out_pitch, s.out_w, s.out_h * s.out_w};
        const el_t *bias = b != 0 ? b + group * og : 0;
        for (int32_t o = 0; o < og; o += wide) {
            const int32_t cols = el_min(wide, og - o);
            for (int32_t k = 0; k < terms; k += cut.terms) {
                const int32_t end = el_min(k + cut.terms, terms);
                el_t *to = packed;
                for (int32_t j = 0; j < cols; j += width, to += (end - k) * width) {
                    el_pack_turned(width, el_min(width, cols - j), end - k, w + (o + j) * terms + k, terms, to);
                }
                el_product_block(&g, &t, cols, width, k, end, packed, bias != 0 ? bias + o : 0, y + o, scratch);
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

/* Columns of a block of the gradient of x: terms [k, end) are (tap, output channel), taps of the phase in order. */
EL_INLINE void el_pack_taps(const el_window *s, const el_phase *v, const el_phase *h, int32_t width, int32_t cols,
                            int32_t k, int32_t end, const el_t *w, el_t *to)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t pitch = s->k_h * s->k_w * cg;
    for (int32_t j = 0; j < cols; j += width) {
        int32_t piece = k / og;
        int32_t o = k - piece * og;
        for (int32_t at = k; at < end; piece++, o = 0) {
            const int32_t ty = piece / h->taps;
            const int32_t ky = v->tap + ty * s->stride_h;
            const int32_t kx = h->tap + (piece - ty * h->taps) * s->stride_w;
            const int32_t count = el_min(og - o, end - at);
            el_pack_cols(width, el_min(width, cols - j), count, w + o * pitch + (ky * s->k_w + kx) * cg + j, pitch, to);
            to += count * width;
            at += count;
        }
    }
}

/* One phase of the gradient of x: positions (top + i * stride_h, left + j * stride_w), which all meet the same taps. */
EL_INLINE void el_product_phase(const el_window *s, int32_t top, int32_t left, const el_t *dy, const el_t *w, el_t *dx,
                                void *scratch)
{
    const int32_t width = EL_TILE_WIDTH;
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const el_phase v = el_phase_of(top, s->pad_top, s->stride_h, s->k_h);
    const el_phase h = el_phase_of(left, s->pad_left, s->stride_w, s->k_w);
    const el_grid g = {dy, s->out_h, s->out_w, s->out_pitch, og, v.taps, h.taps, -1, v.out, h.out, 1, 1};
    const int32_t columns = el_ceil_div(s->in_w - left, s->stride_w);
    const el_target t = {dx, s->stride_w * s->in_pitch, s->stride_h * s->in_w * s->in_pitch, columns,
                         columns * el_ceil_div(s->in_h - top, s->stride_h)};
    const int32_t terms = v.taps * h.taps * og;
    if (terms == 0) {
        for (int32_t p = 0; p < t.count; p++) {
            el_t *to = dx + p / columns * t.row_pitch + p % columns * t.pitch;
            for (int32_t c = 0; c < cg; c++) {
                to[c] = 0;
            }
        }
        return;
    }
    const el_blocks cut = el_blocks_of(terms, el_ceil_div(cg, width), width * (int32_t)sizeof(el_t),
                                       EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    const int32_t wide = cut.panels * width;
    el_t *const packed = el_columns_of(scratch, cut.terms);
    for (int32_t c = 0; c < cg; c += wide) {
        const int32_t cols = el_min(wide, cg - c);
        for (int32_t k = 0; k < terms; k += cut.terms) {
            const int32_t end = el_min(k + cut.terms, terms);
            el_pack_taps(s, &v, &h, width, cols, k, end, w + c, packed);
            el_product_block(&g, &t, cols, width, k, end, packed, 0, dx + c, scratch);
        }
    }
}

EL_INLINE void el_product_backward_x(const el_window *shape, const el_t *dy, const el_t *w, el_t *dx, void *scratch)
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

/* Elements [e, e + cols) of window row ky, seen from outputs [first, last): to[k][j], zeros in the padding. x is the
 * map's first channel of the group. */
EL_INLINE void el_pack_window(const el_window *s, int32_t width, int32_t cols, int32_t ky, int32_t e, int32_t first,
                              int32_t last, const el_t *x, el_t *to)
{
    const int32_t hop = s->stride_w * s->in_pitch;
    const int32_t size = s->in_w * s->in_pitch; /* of a row of the map */
    while (first < last) {
        const int32_t oy = first / s->out_w;
        int32_t ox = first - oy * s->out_w;
        const int32_t stop = el_min(s->out_w, ox + last - first);
        const int32_t iy = oy * s->stride_h - s->pad_top + ky;
        first += stop - ox;
        const el_t *row = x + iy * size;
        while (ox < stop) {
            const int32_t at = ox * hop - s->pad_left * s->in_pitch + e;
            int32_t count = 1;
            if (iy < 0 || iy >= s->in_h) {
                count = stop - ox;
                el_pack_cols(width, 0, count, row, 0, to);
            } else if (at >= 0 && at + cols <= size) {
                count = el_min((size - cols - at) / hop + 1, stop - ox);
                el_pack_cols(width, cols, count, row + at, hop, to);
            } else {
                for (int32_t j = 0; j < width; j++) {
                    to[j] = j < cols && at + j >= 0 && at + j < size ? row[at + j] : 0;
                }
            }
            to += count * width;
            ox += count;
        }
    }
}

EL_INLINE void el_product_backward_w(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                     void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t width = EL_TILE_WIDTH;
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t k = s.k_h * s.k_w * cg;
    /* A window row is contiguous in the map; with groups, or channels that are left out, only its taps are. */
    const int whole = s.groups == 1 && s.in_pitch == s.in_c;
    const int32_t length = whole ? s.k_w * cg : cg;
    const int32_t pieces = whole ? 1 : s.k_w;
    const int32_t each = el_ceil_div(length, width);
    const int32_t panels = s.k_h * pieces * each;
    const int32_t positions = s.out_h * s.out_w;
    const el_blocks cut =
        el_blocks_of(positions, panels, width * (int32_t)sizeof(el_t), EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    el_t *const packed = el_columns_of(scratch, cut.terms);
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * k) {
        for (int32_t begin = 0; begin < panels; begin += cut.panels) {
            const int32_t stop = el_min(begin + cut.panels, panels);
            for (int32_t p = 0; p < positions; p += cut.terms) {
                const int32_t count = el_min(cut.terms, positions - p);
                for (int32_t j = begin; j < stop; j++) {
                    const int32_t piece = j / each;
                    const int32_t e = (j - piece * each) * width;
                    const int32_t ky = piece / pieces;
                    el_pack_window(&s, width, el_min(width, length - e), ky, (piece - ky * pieces) * s.in_pitch + e, p,
                                   p + count, x, packed + (j - begin) * count * width);
                }
                for (int32_t o = 0; o < og;) {
                    const int32_t height = el_tile_height(og - o);
                    const int32_t rows = el_min(height, og - o);
                    el_pack_rows(height, rows, count, dy + p * s.out_pitch + o, s.out_pitch, scratch);
                    for (int32_t j = begin; j < stop;) {
                        const int32_t piece = j / each;
                        const int32_t e = (j - piece * each) * width;
                        /* Whole panels follow each other in dw beyond their window row. */
                        const int32_t next = length % width == 0 ? stop : el_min((piece + 1) * each, stop);
                        const int32_t cols =
                            length % width == 0 ? (next - j) * width : el_min((next - j) * width, length - e);
                        el_panels_add(width, height, rows, cols, count, scratch, packed + (j - begin) * count * width,
                                      scale, dw + o * k + piece * length + e, k);
                        j = next;
                    }
                    o += rows;
                }
            }
        }
    }
}

#endif
