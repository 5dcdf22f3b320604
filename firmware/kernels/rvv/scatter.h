/* Convolutions of few columns, which fill no group of registers: the taps of a window row are columns as well. A row of
 * a tile is then a position of what is read, and its sums go to as many neighbours of a line of results as there are
 * taps. For formats with EL_FROM_LAST; strides along a row are 1, maps whole. edgelearn/kernels/rvv.py has the same
 * numbers. */
#ifndef EL_RVV_SCATTER_H
#define EL_RVV_SCATTER_H

enum { EL_SCATTER_BYTES = 6144 /* of packed columns */, EL_SCATTER_DEPTH = 8 /* channels of what is read, at least */ };

/* Whether that is better: columns are at most two registers of 128 bits, and with all taps at most eight. */
EL_INLINE int el_scatters(const el_window *s, int32_t columns, int32_t depth)
{
    const int32_t bytes = columns * (int32_t)sizeof(el_t);
    return depth >= EL_SCATTER_DEPTH && s->groups == 1 && s->stride_w == 1 && s->k_w > 1 &&
           bytes <= EL_TILE_BYTES / 4 && bytes * s->k_w <= EL_TILE_BYTES && s->in_pitch == s->in_c &&
           s->out_pitch == s->out_c;
}

/* Terms of a block: as many blocks as must be, of one length. */
EL_INLINE int32_t el_scatter_terms(int32_t terms, int32_t width)
{
    const int32_t room = el_min(EL_SCATTER_BYTES / (width * (int32_t)sizeof(el_t)), EL_MOST_TERMS);
    return el_ceil_div(terms, el_ceil_div(terms, room));
}

static void el_copy_line(int32_t count, const el_t *from, el_t *to)
{
    for (size_t n; count > 0; count -= (int32_t)n, from += n, to += n) {
        n = EL_VL(m8, count);
        EL_VMEM(vse, m8)(to, EL_VMEM(vle, m8)(from, n), n);
    }
}

/* All rows of results, of terms [first, last) in the order (tap across, channel). b has columns (tap along, column), in
 * the order of the results that they go to; start is what sums begin with, of one position. `line` is room for a row of
 * results and taps_w - 1 positions at both ends, which nobody reads. */
static void el_scatter(const el_grid *g, const el_target *t, int32_t first, int32_t last, const el_t *b,
                       const el_t *start, el_t *line)
{
    const int32_t cols = t->pitch;
    const int32_t width = g->taps_w * cols;
    const int32_t margin = g->taps_w - 1;
    const int32_t lead = g->x + (g->tap > 0 ? margin : 0); /* the position that all of whose results are there first */
    const int32_t from = el_max(lead - margin, 0);
    const int32_t to = el_min(t->columns + lead, g->w);
    el_t *const inner = line + margin * cols;
    el_part pieces[EL_MOST_PIECES];
    for (int32_t row = 0; row < t->count / t->columns; row++) {
        el_t *y = t->y + row * t->row_pitch;
        el_tiles tile = {.lda = g->pitch,
                         .a = g->map + from * g->pitch,
                         .b = b,
                         .step = width * (int32_t)sizeof(el_t),
                         .piece = pieces,
                         .from = inner + (from - lead) * cols,
                         .pitch = cols,
                         .y = inner + (from - lead) * cols,
                         .ldy = cols};
        for (int32_t ty = first / g->depth; ty * g->depth < last; ty++) {
            const int32_t iy = g->y + row * g->step_y + ty * g->tap;
            const int32_t low = el_max(ty * g->depth, first);
            if (iy >= 0 && iy < g->h) {
                pieces[tile.pieces++] = el_part_of(iy * g->w * g->pitch + low - ty * g->depth, (low - first) * width,
                                                   el_min((ty + 1) * g->depth, last) - low);
            }
        }
        if (first != 0) {
            el_copy_line(t->columns * cols, y, inner);
        } else {
            const size_t vl = EL_VL(m4, cols);
            const EL_V(m4) v = EL_VMEM(vle, m4)(start, vl);
            for (int32_t i = 0; i < t->columns; i++) {
                EL_VMEM(vse, m4)(inner + i * cols, v, vl);
            }
        }
        /* Of one group of registers whatever the vectors' length: it says in which order results come together. */
        for (int32_t j = 0; tile.pieces != 0 && from < to && j < width; j += EL_TILE_WIDTH / 2) {
            el_line(&tile, to - from, el_min(EL_TILE_WIDTH / 2, width - j), width, 0);
            tile.b += EL_TILE_WIDTH / 2;
            tile.from += EL_TILE_WIDTH / 2;
            tile.y += EL_TILE_WIDTH / 2;
        }
        el_copy_line(t->columns * cols, inner, y);
    }
}

EL_INLINE void el_scatter_forward(const el_window *s, const el_t *x, const el_t *w, const el_t *b, el_t *y,
                                  el_t *packed)
{
    const el_grid g = {x,      s->in_h, s->in_w,     s->in_c,      s->in_c,     s->k_h,
                       s->k_w, 1,       -s->pad_top, -s->pad_left, s->stride_h, 1};
    const el_target t = {y, s->out_c, s->out_w * s->out_c, s->out_w, s->out_h * s->out_w};
    const int32_t width = s->k_w * s->out_c;
    const int32_t terms = s->k_h * s->in_c;
    const int32_t most = el_scatter_terms(terms, width);
    const int32_t pitch = s->k_h * s->k_w * s->in_c;
    for (int32_t first = 0, last; first < terms; first = last) {
        last = el_min(first + most, terms);
        for (int32_t k = first, end; k < last; k = end) {
            const int32_t ky = k / s->in_c;
            end = el_min((ky + 1) * s->in_c, last);
            for (int32_t kx = 0; kx < s->k_w; kx++) {
                el_pack_turned(width, s->out_c, end - k, w + (ky * s->k_w + kx) * s->in_c + k - ky * s->in_c, pitch,
                               packed + (k - first) * width + (s->k_w - 1 - kx) * s->out_c);
            }
        }
        el_scatter(&g, &t, first, last, packed, b != 0 ? b : el_zeros, packed + most * width);
    }
}

EL_INLINE void el_scatter_backward_x(const el_window *s, const el_t *dy, const el_t *w, el_t *dx, el_t *packed)
{
    const el_grid g = {dy, s->out_h, s->out_w, s->out_c, s->out_c, s->k_h, s->k_w, -1, s->pad_top, s->pad_left, 1, 1};
    const el_target t = {dx, s->in_c, s->in_w * s->in_c, s->in_w, s->in_h * s->in_w};
    const int32_t width = s->k_w * s->in_c;
    const int32_t terms = s->k_h * s->out_c;
    const int32_t most = el_scatter_terms(terms, width);
    for (int32_t first = 0, last; first < terms; first = last) {
        last = el_min(first + most, terms);
        for (int32_t k = first, end; k < last; k = end) {
            const int32_t ky = k / s->out_c;
            end = el_min((ky + 1) * s->out_c, last);
            el_pack_cols(width, width, end - k, w + ((k - ky * s->out_c) * s->k_h + ky) * width, s->k_h * width,
                         packed + (k - first) * width);
        }
        el_scatter(&g, &t, first, last, packed, el_zeros, packed + most * width);
    }
}

#endif
