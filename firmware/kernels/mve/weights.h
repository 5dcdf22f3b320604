/* The gradient of w: rows are output channels, columns elements of windows, terms positions. As product/weights.h does
 * it, but columns of several panels are packed at once. */
#ifndef EL_MVE_WEIGHTS_H
#define EL_MVE_WEIGHTS_H

/* What of a window is contiguous in the map: a row of taps, or, with groups or channels that are left out, a tap. */
typedef struct {
    int32_t length, panels; /* elements; panels that they take up */
    int32_t taps;           /* pieces of a row of taps */
    int32_t step, ldw;      /* elements from one piece to the next in w, and from one output channel to the next */
} el_piece;

/* Elements [at, at + cols) of a row of the map, `size` elements of it, in panels; zeros outside. */
static void el_pack_edge(int32_t cols, const el_t *row, int32_t at, int32_t size, el_t *to, int32_t panel)
{
    for (; cols > 0; cols -= EL_LANES, at += EL_LANES, to += panel) {
        const int32_t some = el_min(cols, EL_LANES);
        if (at >= 0 && at + some <= size) {
            el_store(to, el_load(row + at, el_some(some)), EL_ALL);
        } else {
            el_store(to, el_set(0.0f, EL_ALL), EL_ALL);
            for (int32_t j = el_max(-at, 0); j < el_min(some, size - at); j++) {
                to[j] = row[at + j];
            }
        }
    }
}

/* Elements [e, e + cols) of row ky of windows, the first of which are e elements right of the window's left edge, seen
 * from outputs [first, last). */
static void el_pack_windows(const el_window *s, int32_t ky, int32_t e, int32_t cols, int32_t first, int32_t last,
                            const el_t *x, el_t *to)
{
    const int32_t hop = s->stride_w * s->in_pitch;
    const int32_t size = s->in_w * s->in_pitch; /* of a row of the map */
    const int32_t panel = (last - first) * EL_LANES;
    const int32_t shift = e - s->pad_left * s->in_pitch;
    while (first < last) {
        const int32_t oy = first / s->out_w;
        int32_t ox = first - oy * s->out_w;
        const int32_t stop = el_min(s->out_w, ox + last - first);
        const int32_t iy = oy * s->stride_h - s->pad_top + ky;
        const int out = iy < 0 || iy >= s->in_h;
        const el_t *row = x + (out ? 0 : iy * size);
        first += stop - ox;
        while (ox < stop) {
            const int32_t at = ox * hop + shift;
            int32_t count = 1;
            if (!out && at >= 0 && at + cols <= size) {
                count = el_min((size - cols - at) / hop + 1, stop - ox);
                el_pack_panels(EL_LANES, cols, count, row + at, hop, to, panel);
            } else {
                el_pack_edge(cols, row, out ? 0 : at, out ? 0 : size, to, panel);
            }
            to += count * EL_LANES;
            ox += count;
        }
    }
}

/* Panels [begin, stop) of one block of positions, of which the first is p. */
EL_INLINE void el_pack_pieces(const el_window *s, const el_piece *v, int32_t begin, int32_t stop, int32_t p,
                              int32_t count, const el_t *x, el_t *to)
{
    for (int32_t j = begin, next; j < stop; to += (next - j) * count * EL_LANES, j = next) {
        const int32_t piece = j / v->panels;
        const int32_t e = (j - piece * v->panels) * EL_LANES;
        const int32_t ky = piece / v->taps;
        next = el_min((piece + 1) * v->panels, stop);
        el_pack_windows(s, ky, (piece - ky * v->taps) * s->in_pitch + e, el_min((next - j) * EL_LANES, v->length - e),
                        p, p + count, x, to);
    }
}

/* The same panels for all output channels. */
EL_INLINE void el_add_pieces(const el_window *s, const el_piece *v, int32_t begin, int32_t stop, int32_t count,
                             float scale, const el_t *dy, const el_t *b, el_t *dw, el_row_t *a)
{
    const int32_t og = s->out_c / s->groups;
    /* Whole panels follow each other in dw beyond their piece, if no channel is left out. */
    const int on = v->length % EL_LANES == 0 && v->step == v->length;
    el_walk k = el_walk_of(0, count);
    k.a = a;
    k.how = el_how_to_add(scale, k.before);
    k.scale = el_float_bits(scale);
    k.ldy = v->ldw * (int32_t)sizeof(el_t);
    for (int32_t o = 0, height; o < og; o += height, dw += height * v->ldw) {
        const el_t *columns = b;
        height = el_tile_height(og - o);
        el_pack_rows(height, height, count, dy + o, s->out_pitch, a);
        if (on) {
            k.y = dw + begin * EL_LANES;
            k.end = dw + stop * EL_LANES;
            el_walk_add(height, &k, b);
            continue;
        }
        for (int32_t j = begin, next; j < stop; j = next) {
            const int32_t piece = j / v->panels;
            const int32_t e = (j - piece * v->panels) * EL_LANES;
            next = el_min((piece + 1) * v->panels, stop);
            columns = el_rows_add(height, &k, columns, el_min((next - j) * EL_LANES, v->length - e),
                                  dw + piece * v->step + e, v->ldw);
        }
    }
}

EL_INLINE void el_product_backward_w(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                     void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t wide = s.groups == 1 ? s.in_pitch : cg; /* channels of w, of which some may be left out */
    const int whole = s.groups == 1 && s.in_pitch == s.in_c;
    const int32_t length = whole ? s.k_w * cg : cg;
    const el_piece v = {length, el_ceil_div(length, EL_LANES), whole ? 1 : s.k_w, whole ? length : wide,
                        s.k_h * s.k_w * wide};
    const int32_t panels = s.k_h * v.taps * v.panels;
    const int32_t positions = s.out_h * s.out_w;
    /* As if no channel were left out, so that the blocks of a sum do not depend on it. */
    const int32_t all = s.groups == 1 ? s.k_h * el_ceil_div(s.k_w * wide, EL_LANES) : panels;
    const el_blocks cut = el_blocks_of(positions, positions, all, EL_LANES * (int32_t)sizeof(el_t), EL_ROW_BYTES);
    el_t *const packed = el_columns_of(scratch, cut.terms);
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * v.ldw) {
        for (int32_t begin = 0; begin < panels; begin += cut.panels) {
            const int32_t stop = el_min(begin + cut.panels, panels);
            for (int32_t p = 0; p < positions; p += cut.terms) {
                const int32_t count = el_min(cut.terms, positions - p);
                el_pack_pieces(&s, &v, begin, stop, p, count, x, packed);
                el_add_pieces(&s, &v, begin, stop, count, scale, dy + p * s.out_pitch, packed, dw, scratch);
            }
        }
    }
}

#endif
