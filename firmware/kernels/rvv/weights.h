/* The gradient of w as products, a tap at a time: rows are output channels, columns input channels, terms positions; or
 * the other way round, where that takes fewer beats. Nothing is packed: both operands are contiguous across the tile.
 * The positions at which a tap is inside the map are a rectangle, so that the padding is left out.
 *
 * A format says how long its own sums may be and what is done then:
 *   EL_LONGEST                terms of a sum
 *   EL_START(H, M)            comes before the first of them
 *   EL_END(H, M, done)        takes c0 .. of one of them; after the last one y[i * ldy + j * apart] += scale * all sums
 *                             of row i, and y moves to the row behind */
#ifndef EL_RVV_WEIGHTS_H
#define EL_RVV_WEIGHTS_H

#include "sums.h"
#include "tile.h"

#include "../product/shape.h"

/* Some terms of a turn of the loop. */
#define EL_BROADCAST(i, ...) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*" #i "(%[a])\n"
#define EL_TERMS(H, times)                                                                                             \
    ".rept " times                                                                                                     \
    "\n" EL_NEXT_ROW EL_ROWS##H(EL_BROADCAST, ) "add %[a], %[a], %[a_hop]\n" EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"

/* c0 .. = sums of `lines` lines of `count` terms: eight a turn, then one. Eights and ones are where a line of a ends.
 */
#define EL_CLEAR(i, ...) "vle" EL_WIDTH_NAME ".v %[c" #i "], (%[zeros])\n"
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(                                                                                                  \
        EL_SET_GROUP(M) EL_ROWS##H(                                                                                    \
            EL_CLEAR, ) "0: beq %[a], %[eights], 2f\n"                                                                 \
                        "1:\n" EL_TERMS(H, "8") "bne %[a], %[eights], 1b\n"                                            \
                                                "2: beq %[a], %[ones], 4f\n"                                           \
                                                "3:\n" EL_TERMS(H, "1") "bne %[a], %[ones], 3b\n"                      \
                                                                        "4: addi %[lines], %[lines], -1\n"             \
                                                                        "add %[a], %[a], %[a_rest]\n"                  \
                                                                        "add %[b], %[b], %[b_rest]\n"                  \
                                                                        "add %[eights], %[eights], %[line]\n"          \
                                                                        "add %[ones], %[ones], %[line]\n"              \
                                                                        "bnez %[lines], 0b\n"                          \
        : EL_NEW_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b), [lines] "+r"(lines), [eights] "+r"(eights),         \
          [ones] "+r"(ones)                                                                                            \
        : [vl] "r"(vl), [step] "r"(b_hop), [a_hop] "r"(a_hop), [line] "r"(line), [a_rest] "r"(a_rest),                 \
          [b_rest] "r"(b_rest), [zeros] "r"(el_zeros)                                                                  \
        : EL_SCALARS, "vl", "vtype", "memory")

/* As many whole lines as a sum may have terms, or a part of a line; a and b go on from line to line. */
#define EL_TILE(H, M)                                                                                                  \
    static void el_add_##H##_##M(const el_tile *t)                                                                     \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int32_t size = (int32_t)sizeof(el_t);                                                                    \
        const int32_t a_hop = t->a_hop * size;                                                                         \
        const int32_t b_hop = t->b_hop * size;                                                                         \
        const int32_t line = t->a_line * size;                                                                         \
        const int32_t b_line = t->b_line * size;                                                                       \
        const int32_t all = t->count;                                                                                  \
        const int32_t some = el_min(all, EL_LONGEST);                                                                  \
        const int32_t many = EL_LONGEST / some;                                                                        \
        el_t *y = t->y;                                                                                                \
        for (int32_t i = 0; i < t->tiles * (H); i += (H)) {                                                            \
            EL_START(H, M);                                                                                            \
            for (int32_t p = 0; p < all; p += some) {                                                                  \
                const int32_t count = el_min(some, all - p);                                                           \
                const int32_t end = count * a_hop;                                                                     \
                const int32_t eight = (count & ~7) * a_hop;                                                            \
                const int32_t a_rest = line - end;                                                                     \
                const int32_t b_rest = b_line - count * b_hop;                                                         \
                const el_t *a = el_further(t->a + i, p * a_hop);                                                       \
                const el_t *b = el_further(t->b, p * b_hop);                                                           \
                for (int32_t left = t->lines; left > 0; left -= many) {                                                \
                    const el_t *eights = el_further(a, eight);                                                         \
                    const el_t *ones = el_further(a, end);                                                             \
                    int32_t lines = el_min(many, left);                                                                \
                    EL_V(M) v;                                                                                         \
                    EL_ROWS##H(EL_DECLARE, M) EL_SUM(H, M);                                                            \
                    EL_END(H, M, left <= many && p + some >= all);                                                     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
EL_ALL_TILES(EL_TILE)

/* Four times the beats of a term for so many rows and columns, a register being so many lanes. */
static int32_t el_term_beats(int32_t rows, int32_t cols, int32_t lanes)
{
    int32_t beats = 0;
    el_columns some;
    for (int32_t j = 0; j < cols; j += some.cols) {
        some = el_columns_in(el_min(EL_TILE_WIDTH, cols - j), lanes);
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
        t.y = all.part == 0 ? all.y + j * all.apart : all.y;
        t.column = j;
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
 * inside the map; or, with `taps` other than 1, of one element of that tap and of as many taps before it, which the
 * outputs behind them meet. */
static void el_rectangle(const el_layer *l, int32_t ky, int32_t kx, el_reach v, el_reach h, int32_t columns,
                         int32_t taps, const el_t *x, const el_t *dy, el_t *dw)
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
                 .part = taps > 1 ? l->og : 0,
                 .step = -l->wide,
                 .sums = l->scratch};
    const int32_t lanes = EL_VLMAX(m1);
    if (taps > 1 || el_term_beats(columns, l->og, lanes) < el_term_beats(l->og, columns, lanes)) {
        const el_tile o = t;
        t.a = o.b, t.b = o.a, t.a_hop = o.b_hop, t.b_hop = o.a_hop, t.a_line = o.b_line, t.b_line = o.a_line;
        t.ldy = 1, t.apart = l->k;
        el_tap(t, columns, taps * l->og);
    } else {
        el_tap(t, l->og, columns);
    }
}

/* Taps of a window row that are taken together, of neither side if 1: those that x has side by side at an output, or
 * those that outputs side by side have at one element of x. */
typedef struct {
    int32_t x, y;
} el_joint;

/* Beats of a term for all taps of a window row, if those are taken together: of registers of 128 bits, whatever there
 * are, because sums at the map's edges are apart then. */
static int32_t el_row_beats(int32_t taps, el_joint joint, int32_t cg, int32_t og)
{
    const int32_t lanes = EL_TILE_WIDTH / 8;
    int32_t beats = 0;
    for (int32_t k = 0; k < taps; k += joint.x * joint.y) {
        const int32_t x = el_min(joint.x, taps - k);
        const int32_t y = el_min(joint.y, taps - k);
        const int32_t straight = y > 1 ? INT32_MAX : el_term_beats(og, x * cg, lanes);
        beats += el_min(straight, el_term_beats(x * cg, y * og, lanes));
    }
    return beats;
}

/* What takes fewest beats: where halves do not fill the registers, and positions are alike at all taps but for edges.
 */
static el_joint el_joint_of(const el_window *s, int32_t cg, int32_t og)
{
    el_joint best = {1, 1};
    if (sizeof(el_t) != 2 || s->stride_w != 1 || s->groups != 1 || s->in_pitch != cg || s->out_pitch != og ||
        el_min(cg, og) < EL_TILE_WIDTH / 8) {
        return best;
    }
    for (int32_t taps = 2; taps <= s->k_w; taps++) {
        const el_joint x = {taps, 1};
        const el_joint y = {1, taps};
        if (taps * cg <= EL_TILE_WIDTH && el_row_beats(s->k_w, x, cg, og) < el_row_beats(s->k_w, best, cg, og)) {
            best = x;
        }
        if (taps * og <= EL_TILE_WIDTH && el_row_beats(s->k_w, y, cg, og) < el_row_beats(s->k_w, best, cg, og)) {
            best = y;
        }
    }
    return best;
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
    el_rectangle(l, ky, kx, v, left, s->in_c, 1, x, dy, dw);
    el_rectangle(l, ky, kx, v, right, s->in_c, 1, x, dy, dw);
}

/* The taps [kx, kx + taps) of a window row, together where all of them meet outputs; `turned`: as they do at one
 * element of x. */
static void el_joined(const el_layer *l, int32_t ky, int32_t kx, int32_t taps, int turned, el_reach v, const el_t *x,
                      const el_t *dy, el_t *dw)
{
    const el_window *s = &l->s;
    const int32_t last = kx + taps - 1;
    const el_reach begin = el_reach_of(kx, s->pad_left, 1, s->in_w, s->out_w);
    const el_reach end = el_reach_of(last, s->pad_left, 1, s->in_w, s->out_w);
    const int32_t stop = turned ? el_min(end.first + end.count, s->out_w - taps + 1) : end.first + end.count;
    const int32_t first = turned ? end.first : begin.first;
    el_reach all = {first, el_max(stop - first, 0)};
    el_rectangle(l, ky, turned ? last : kx, v, all, turned ? s->in_c : taps * s->in_c, turned ? taps : 1, x, dy, dw);
    for (int32_t k = last; k >= kx; k--, all.first += turned) {
        el_edges(l, ky, k, v, all, x, dy, dw);
    }
}

EL_INLINE void el_product_weights(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                  void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t wide = s.groups == 1 ? s.in_pitch : cg; /* channels of w, of which some may be left out */
    const el_layer l = {s, og, wide, s.k_h * s.k_w * wide, scale, scratch};
    const el_joint joint = el_joint_of(&s, cg, og);
    const int32_t most = joint.x * joint.y;
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * l.k) {
        for (int32_t ky = 0; ky < s.k_h; ky++) {
            const el_reach v = el_reach_of(ky, s.pad_top, s.stride_h, s.in_h, s.out_h);
            for (int32_t kx = 0; kx < s.k_w; kx += most) {
                const int32_t taps = el_min(most, s.k_w - kx);
                if (taps > 1) {
                    el_joined(&l, ky, kx, taps, joint.y > 1, v, x, dy, dw);
                } else {
                    el_rectangle(&l, ky, kx, v, el_reach_of(kx, s.pad_left, s.stride_w, s.in_w, s.out_w), cg, 1, x, dy,
                                 dw);
                }
            }
        }
    }
}

#endif
