/* The gradient of w: a product whose rows are output channels. See product.h. */
#ifndef EL_PRODUCT_WEIGHTS_H
#define EL_PRODUCT_WEIGHTS_H

#include "block.h"
#include "pack.h"
#include "shape.h"

#ifndef EL_OWN_PANELS
/* el_tile_add for columns [0, cols) of y, whose packed panels follow each other at b. */
EL_INLINE void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                             const el_row_t *a, const el_t *b, float scale, el_t *y, int32_t ldy)
{
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        el_tile_add(height, rows, el_min(width, cols - j), count, a, b, scale, y + j, ldy);
    }
}
#endif

/* Elements [e, e + cols) of window row ky, seen from outputs [first, last): to[k][j], zeros in the padding. x is the
 * map's first channel of the group. */
EL_INLINE void el_pack_window(const el_window *s, int32_t width, int32_t cols, int32_t ky, int32_t e, int32_t first,
                              int32_t last, const el_map_t *x, el_t *to)
{
    const int32_t hop = s->stride_w * s->in_pitch;
    const int32_t size = s->in_w * s->in_pitch; /* of a row of the map */
    while (first < last) {
        const int32_t oy = first / s->out_w;
        int32_t ox = first - oy * s->out_w;
        const int32_t stop = el_min(s->out_w, ox + last - first);
        const int32_t iy = oy * s->stride_h - s->pad_top + ky;
        first += stop - ox;
        const el_map_t *row = x + iy * size;
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
                    to[j] = 0;
                    if (j < cols && at + j >= 0 && at + j < size) {
                        to[j] = row[at + j];
                    }
                }
            }
            to += count * width;
            ox += count;
        }
    }
}

#if defined(EL_COLUMNS_IN_PLACE) && !defined(EL_SUMS_BYTES)
#define EL_FLAT_IN_PLACE
/* Of a pointwise layer, after el_flatten(): columns are read where they are in the map, but for those of a panel that
 * is not full. */
EL_INLINE void el_product_backward_flat(const el_window *s, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                        void *scratch)
{
    const int32_t width = EL_TILE_WIDTH;
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t k = s->groups == 1 ? s->in_pitch : cg;
    const int32_t hop = s->stride_w * s->in_pitch;
    const int32_t full = cg / width * width;
    const el_blocks cut = el_blocks_of(s->out_w, s->out_w, 1, width * (int32_t)sizeof(el_t), EL_ROW_BYTES);
    el_t *const packed = el_columns_of(scratch, cut.terms);
    for (int32_t group = 0; group < s->groups; group++, x += cg, dy += og, dw += og * k) {
        for (int32_t p = 0; p < s->out_w; p += cut.terms) {
            const int32_t count = el_min(cut.terms, s->out_w - p);
            if (full < cg) {
                el_pack_cols(width, cg - full, count, x + p * hop + full, hop, packed);
            }
            for (int32_t o = 0; o < og;) {
                const int32_t height = el_tile_height(og - o);
                const int32_t rows = el_min(height, og - o);
                el_t *to = dw + o * k;
                const el_t *from = dy + p * s->out_pitch + o;
#ifdef EL_FIRST_PANEL_PACKS
                if (full != 0) {
                    el_panels_add_apart(width, height, rows, full, count, from, s->out_pitch, scratch, x + p * hop, hop,
                                        scale, to, k);
                } else {
                    el_pack_rows(height, rows, count, from, s->out_pitch, scratch);
                }
#else
                el_pack_rows(height, rows, count, from, s->out_pitch, scratch);
                if (full != 0) {
                    el_panels_add_apart(width, height, rows, full, count, scratch, x + p * hop, hop, scale, to, k);
                }
#endif
                if (full < cg) {
                    el_panels_add(width, height, rows, cg - full, count, scratch, packed, scale, to + full, k);
                }
                o += rows;
            }
        }
    }
}
#endif

/* How a window's elements, in panels of columns, lie in a row of w: pieces of `length` elements, `apart` from one to
 * the next, each of `each` panels; `on` if whole panels follow each other beyond their piece. */
typedef struct {
    int32_t length, apart, each;
    int on;
} el_pieces;

#ifdef EL_SUMS_BYTES
#include "weights_sums.h"
#else
/* All output channels at a time, whose sums are added to w where it is. */
EL_INLINE int32_t el_span_rows(int32_t og, int32_t cols)
{
    (void)cols;
    return og;
}

EL_INLINE void el_span_clear(int32_t rows, int32_t cols, el_t *sums)
{
    (void)rows, (void)cols, (void)sums;
}

/* Adds a tile of rows to panels [begin, stop) of w, which begins with the first of these rows. */
EL_INLINE void el_span_add(const el_pieces *v, int32_t width, int32_t height, int32_t rows, int32_t count,
                           int32_t begin, int32_t stop, const el_row_t *a, const el_t *packed, float scale, el_t *dw,
                           int32_t k, el_t *sums)
{
    (void)sums;
#ifdef EL_PANELS_FAR
    if (v->length == width) {
        el_panels_add_far(v->apart, height, rows, (stop - begin) * width, count, a, packed, scale,
                          dw + begin * v->apart, k);
        return;
    }
#endif
    for (int32_t j = begin; j < stop;) {
        const int32_t piece = j / v->each;
        const int32_t e = (j - piece * v->each) * width;
        const int32_t next = v->on ? stop : el_min((piece + 1) * v->each, stop);
        const int32_t cols = v->on ? (next - j) * width : el_min((next - j) * width, v->length - e);
        el_panels_add(width, height, rows, cols, count, a, packed + (j - begin) * count * width, scale,
                      dw + piece * v->apart + e, k);
        j = next;
    }
}

EL_INLINE void el_span_done(const el_pieces *v, int32_t width, int32_t rows, int32_t begin, int32_t stop,
                            const el_t *sums, el_t *dw, int32_t k)
{
    (void)v, (void)width, (void)rows, (void)begin, (void)stop, (void)sums, (void)dw, (void)k;
}
#endif

EL_INLINE void el_product_backward_w(const el_window *shape, float scale, const el_map_t *x, const el_map_t *dy,
                                     el_map_t *dw, void *scratch)
{
    const el_window s = el_flatten(shape);
#ifdef EL_FLAT_IN_PLACE
    if (s.k_h == 1 && s.k_w == 1 && s.in_h == 1 && s.out_h == 1 && s.pad_top == 0 && s.pad_left == 0) {
        el_product_backward_flat(&s, scale, x, dy, dw, scratch);
        return;
    }
#endif
    const int32_t width = EL_TILE_WIDTH;
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t wide = s.groups == 1 ? s.in_pitch : cg; /* channels of w, of which some may be left out */
    const int32_t k = s.k_h * s.k_w * wide;
    /* A window row is contiguous in the map; with groups, or channels that are left out, only its taps are. */
    const int whole = s.groups == 1 && s.in_pitch == s.in_c;
    const int32_t length = whole ? s.k_w * cg : cg;
    const int32_t pieces = whole ? 1 : s.k_w;
    const int32_t each = el_ceil_div(length, width);
    const int32_t panels = s.k_h * pieces * each;
    const int32_t positions = s.out_h * s.out_w;
    /* As if no channel were left out, so that the blocks of a sum do not depend on it. */
    const int32_t all = s.groups == 1 ? s.k_h * el_ceil_div(s.k_w * wide, width) : panels;
    const el_blocks cut = el_blocks_of(positions, positions, all, width * (int32_t)sizeof(el_t),
                                       EL_TILE_HEIGHT * (int32_t)sizeof(el_row_t));
    el_t *const packed = el_columns_of(scratch, cut.terms);
    el_t *const sums = packed + cut.terms * cut.panels * width;
    const int32_t most = el_span_rows(og, cut.panels * width);
    /* Whole panels follow each other in dw beyond their piece, if no channel is left out. */
    const el_pieces v = {length, whole ? length : wide, each, length % width == 0 && wide == cg};
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * k) {
        for (int32_t begin = 0; begin < panels; begin += cut.panels) {
            const int32_t stop = el_min(begin + cut.panels, panels);
            for (int32_t first = 0; first < og; first += most) {
                const int32_t last = el_min(first + most, og);
                el_span_clear(last - first, (stop - begin) * width, sums);
                for (int32_t p = 0; p < positions; p += cut.terms) {
                    const int32_t count = el_min(cut.terms, positions - p);
                    for (int32_t j = begin; j < stop; j++) {
                        const int32_t piece = j / each;
                        const int32_t e = (j - piece * each) * width;
                        const int32_t ky = piece / pieces;
                        el_pack_window(&s, width, el_min(width, length - e), ky, (piece - ky * pieces) * s.in_pitch + e,
                                       p, p + count, x, packed + (j - begin) * count * width);
                    }
                    for (int32_t o = first; o < last;) {
                        const int32_t height = el_tile_height(last - o);
                        const int32_t rows = el_min(height, last - o);
                        el_pack_rows(height, rows, count, dy + p * s.out_pitch + o, s.out_pitch, scratch);
                        el_span_add(&v, width, height, rows, count, begin, stop, scratch, packed, scale, dw + o * k, k,
                                    sums + (o - first) * (stop - begin) * width);
                        o += rows;
                    }
                }
                el_span_done(&v, width, last - first, begin, stop, sums, dw + first * k, k);
            }
        }
    }
}

/* For a number format and an instruction set. */
#define EL_CONV2D_WEIGHTS_BY_PRODUCTS(FMT, ISA)                                                                        \
    void el_conv2d_bwd_w_##FMT##__##ISA(const el_window *s, float scale, const el_map_t *x, const el_map_t *dy,        \
                                        el_map_t *dw, void *scratch)                                                   \
    {                                                                                                                  \
        el_product_backward_w(s, scale, x, dy, dw, scratch);                                                           \
    }

#endif
