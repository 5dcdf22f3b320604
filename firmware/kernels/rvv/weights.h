/* The gradient of w as products, a tap at a time: rows are output channels, columns input channels, terms positions; or
 * the other way round, where that takes fewer beats. Nothing is packed: both operands are contiguous across the tile.
 * The positions at which a tap is inside the map are a rectangle, so that the padding is left out.
 *
 * A format says how long its own sums may be and what is done then:
 *   EL_LONGEST                terms of a sum
 *   EL_DRAIN(H, M)            puts c0 .. away and makes them zero
 *   EL_FINISH(H, M)           y[i * ldy + j * apart] += scale * all sums of row i; y moves to the row behind */
#ifndef EL_RVV_WEIGHTS_H
#define EL_RVV_WEIGHTS_H

#include "tile.h"

#include "../product/shape.h"

/* The sums of one tile over `lines` lines of `count` positions, from a and b on. The next position is a_hop and b_hop
 * elements away, the next line a_line and b_line. */
typedef struct {
    const el_t *a, *b;
    int32_t tiles; /* below each other */
    int32_t lines, count, a_hop, b_hop, a_line, b_line;
    int32_t cols;
    float scale;
    el_t *y;
    int32_t ldy, apart; /* from row to row, from column to column */
    void *sums;         /* room for a tile of EL_TILE_BYTES a row, in floats and as it is */
} el_tile;

/* Some terms of a turn of the loop. */
#define EL_BROADCAST(i, ...) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*" #i "(%[a])\n"
#define EL_TERMS(H, times)                                                                                             \
    ".rept " times                                                                                                     \
    "\n" EL_NEXT_ROW EL_ROWS##H(EL_BROADCAST, ) "add %[a], %[a], %[a_hop]\n" EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"

/* c0 .. += `lines` lines of `count` terms: four a turn, then one. Fours and ones are where a line of a ends. */
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(                                                                                                  \
        EL_SET_GROUP(M) "0: beq %[a], %[fours], 2f\n"                                                                  \
                        "1:\n" EL_TERMS(H, "4") "bne %[a], %[fours], 1b\n"                                             \
                                                "2: beq %[a], %[ones], 4f\n"                                           \
                                                "3:\n" EL_TERMS(H, "1") "bne %[a], %[ones], 3b\n"                      \
                                                                        "4: addi %[lines], %[lines], -1\n"             \
                                                                        "add %[a], %[a], %[a_rest]\n"                  \
                                                                        "add %[b], %[b], %[b_rest]\n"                  \
                                                                        "add %[fours], %[fours], %[line]\n"            \
                                                                        "add %[ones], %[ones], %[line]\n"              \
                                                                        "bnez %[lines], 0b\n"                          \
        : EL_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b), [lines] "+r"(lines), [fours] "+r"(fours),               \
          [ones] "+r"(ones)                                                                                            \
        : [vl] "r"(vl), [step] "r"(b_hop), [a_hop] "r"(a_hop), [line] "r"(line), [a_rest] "r"(a_rest),                 \
          [b_rest] "r"(b_rest)                                                                                         \
        : EL_SCALARS, "vl", "vtype", "memory")

#define EL_ZERO(i, M) c##i = EL_VMEM(vle, M)(el_some_zeros(), vl);

/* As many whole lines as a sum may have terms, or a part of a line. */
#define EL_TILE(H, M)                                                                                                  \
    static void el_add_##H##_##M(const el_tile *t)                                                                     \
    {                                                                                                                  \
        const int32_t size = (int32_t)sizeof(el_t);                                                                    \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int32_t a_hop = t->a_hop * size;                                                                         \
        const int32_t b_hop = t->b_hop * size;                                                                         \
        const int32_t line = t->a_line * size;                                                                         \
        const int32_t some = el_min(t->count, EL_LONGEST);                                                             \
        const int32_t many = EL_LONGEST / some;                                                                        \
        const int32_t ldy = t->ldy;                                                                                    \
        const ptrdiff_t bytes = t->apart * (ptrdiff_t)sizeof(el_t);                                                    \
        el_t *y = t->y;                                                                                                \
        for (int32_t i = 0; i < t->tiles * (H); i += (H)) {                                                            \
            EL_V(M) v;                                                                                                 \
            EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_ZERO, M) EL_START(H, M);                                           \
            for (int32_t p = 0; p < t->count; p += some) {                                                             \
                const int32_t count = el_min(some, t->count - p);                                                      \
                const int32_t a_rest = line - count * a_hop;                                                           \
                const int32_t b_rest = t->b_line * size - count * b_hop;                                               \
                for (int32_t l = 0; l < t->lines; l += many) {                                                         \
                    const el_t *a = t->a + i + p * t->a_hop + l * t->a_line;                                           \
                    const el_t *b = t->b + p * t->b_hop + l * t->b_line;                                               \
                    const el_t *fours = a + (count & ~3) * t->a_hop;                                                   \
                    const el_t *ones = a + count * t->a_hop;                                                           \
                    int32_t lines = el_min(many, t->lines - l);                                                        \
                    EL_SUM(H, M);                                                                                      \
                    EL_DRAIN(H, M, l + many >= t->lines && p + some >= t->count);                                      \
                }                                                                                                      \
            }                                                                                                          \
            EL_FINISH(H, M);                                                                                           \
        }                                                                                                              \
    }
EL_ALL_TILES(EL_TILE)

/* Four times the beats of a term for so many rows and columns. */
static int32_t el_term_beats(int32_t rows, int32_t cols)
{
    int32_t beats = 0;
    el_columns some;
    for (int32_t j = 0; j < cols; j += some.cols) {
        some = el_columns_next(el_min(EL_TILE_WIDTH, cols - j));
        beats += rows * (4 << some.group) + 4 * rows + 13 * el_ceil_div(rows, some.height);
    }
    return beats;
}

/* Every tile of one tap. */
static void el_tap(el_tile t, int32_t rows, int32_t cols)
{
    static void (*const tiles[4][EL_TILE_HEIGHT])(const el_tile *) = EL_TABLE(el_add_);
    const el_tile all = t;
    el_columns some;
    for (int32_t j = 0; j < cols; j += some.cols) {
        some = el_columns_next(el_min(EL_TILE_WIDTH, cols - j));
        t.a = all.a;
        t.b = all.b + j;
        t.y = all.y + j * all.apart;
        t.cols = some.cols;
        for (int32_t i = 0, height; i < rows; i += t.tiles * height) {
            height = el_tile_height(some.height, rows - i);
            t.tiles = height == some.height ? el_max((rows - i) / height - 1, 1) : 1;
            tiles[some.group][height - 1](&t);
            t.a += t.tiles * height;
            t.y += t.tiles * height * t.ldy;
        }
    }
}

/* Outputs of one axis whose tap k is inside the map. */
typedef struct {
    int32_t first, count;
} el_reach;

EL_INLINE el_reach el_reach_of(int32_t k, int32_t pad, int32_t stride, int32_t in, int32_t out)
{
    const int32_t first = el_ceil_div(el_max(pad - k, 0), stride);
    const int32_t last = in - 1 + pad - k;
    return (el_reach){first, last < 0 ? 0 : el_max(el_min(last / stride + 1, out) - first, 0)};
}

/* What all rectangles of a layer share. */
typedef struct {
    el_window s;
    int32_t og, wide, k; /* of w: channels of a tap, elements of a channel of the output */
    float scale;
    void *scratch;
} el_layer;

/* Every tile of `columns` elements of a window row from tap (ky, kx) on, over the outputs v x h, all of which meet them
 * inside the map. */
static void el_rectangle(const el_layer *l, int32_t ky, int32_t kx, el_reach v, el_reach h, int32_t columns,
                         const el_t *x, const el_t *dy, el_t *dw)
{
    if (v.count <= 0 || h.count <= 0) {
        return;
    }
    const el_window *s = &l->s;
    const int32_t iy = v.first * s->stride_h - s->pad_top + ky;
    const int32_t ix = h.first * s->stride_w - s->pad_left + kx;
    const int down = v.count > h.count; /* the longer side is a line */
    const int32_t y_hops[2] = {s->out_pitch, s->out_w * s->out_pitch};
    const int32_t x_hops[2] = {s->stride_w * s->in_pitch, s->stride_h * s->in_w * s->in_pitch};
    el_tile t = {.a = dy + (v.first * s->out_w + h.first) * s->out_pitch,
                 .b = x + (iy * s->in_w + ix) * s->in_pitch,
                 .lines = down ? h.count : v.count,
                 .count = down ? v.count : h.count,
                 .a_hop = y_hops[down],
                 .b_hop = x_hops[down],
                 .a_line = y_hops[!down],
                 .b_line = x_hops[!down],
                 .scale = l->scale,
                 .y = dw + (ky * s->k_w + kx) * l->wide,
                 .ldy = l->k,
                 .apart = 1,
                 .sums = l->scratch};
    if (el_term_beats(columns, l->og) < el_term_beats(l->og, columns)) {
        const el_tile o = t;
        t.a = o.b, t.b = o.a, t.a_hop = o.b_hop, t.b_hop = o.a_hop, t.a_line = o.b_line, t.b_line = o.a_line;
        t.ldy = 1, t.apart = l->k;
        el_tap(t, columns, l->og);
    } else {
        el_tap(t, l->og, columns);
    }
}

/* Whether the taps of a window row are better taken together, over outputs that all of them meet inside the map: where
 * neither side fills more than two registers of 128 bits. */
EL_INLINE int el_joins(const el_window *s, int32_t cg, int32_t og)
{
    const int32_t size = (int32_t)sizeof(el_t);
    return s->k_w > 1 && s->stride_w == 1 && s->groups == 1 && s->in_pitch == cg && cg >= 8 && size == 2 &&
           el_max(cg, og) * size <= EL_TILE_BYTES / 4 && s->k_w * cg * size <= EL_TILE_BYTES;
}

/* A tap, at all outputs but those of `h`. */
static void el_edges(const el_layer *l, int32_t ky, int32_t kx, el_reach v, el_reach h, const el_t *x, const el_t *dy,
                     el_t *dw)
{
    const el_window *s = &l->s;
    const el_reach own = el_reach_of(kx, s->pad_left, s->stride_w, s->in_w, s->out_w);
    const int32_t end = h.first + h.count;
    const el_reach left = {own.first, el_min(h.first, own.first + own.count) - own.first};
    const el_reach right = {el_max(end, own.first), own.first + own.count - el_max(end, own.first)};
    el_rectangle(l, ky, kx, v, left, s->in_c, x, dy, dw);
    el_rectangle(l, ky, kx, v, right, s->in_c, x, dy, dw);
}

EL_INLINE void el_product_weights(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                  void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t wide = s.groups == 1 ? s.in_pitch : cg; /* channels of w, of which some may be left out */
    const el_layer l = {s, og, wide, s.k_h * s.k_w * wide, scale, scratch};
    const int joined = el_joins(&s, cg, og);
    const el_reach begin = el_reach_of(0, s.pad_left, s.stride_w, s.in_w, s.out_w);
    const el_reach end = el_reach_of(s.k_w - 1, s.pad_left, s.stride_w, s.in_w, s.out_w);
    const el_reach all = {begin.first, el_max(end.first + end.count - begin.first, 0)};
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * l.k) {
        for (int32_t ky = 0; ky < s.k_h; ky++) {
            const el_reach v = el_reach_of(ky, s.pad_top, s.stride_h, s.in_h, s.out_h);
            if (joined) {
                el_rectangle(&l, ky, 0, v, all, s.k_w * cg, x, dy, dw);
            }
            for (int32_t kx = 0; kx < s.k_w; kx++) {
                if (joined) {
                    el_edges(&l, ky, kx, v, all, x, dy, dw);
                } else {
                    el_rectangle(&l, ky, kx, v, el_reach_of(kx, s.pad_left, s.stride_w, s.in_w, s.out_w), cg, x, dy,
                                 dw);
                }
            }
        }
    }
}

#endif
