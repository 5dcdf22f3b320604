/* The gradient of w as products, a tap at a time: rows are output channels, columns input channels, terms positions; or
 * the other way round, where that takes fewer beats. Nothing is packed: both operands are contiguous across the tile.
 * The positions at which a tap is inside the map are a rectangle, so that the padding is left out.
 *
 * A format says how long its own sums may be and what is done then:
 *   EL_LONGEST                terms of a sum
 *   EL_DRAIN(H, M)            puts c0 .. away and makes them zero
 *   EL_FINISH(H, M)           y[i * ldy + j * apart] += scale * all sums of row i */
#ifndef EL_RVV_WEIGHTS_H
#define EL_RVV_WEIGHTS_H

#include "tile.h"

#include "../product/shape.h"

/* The sums of one tile over `lines` lines of `count` positions, from a and b on. The next position is a_hop and b_hop
 * elements away, the next line a_line and b_line. */
typedef struct {
    const el_t *a, *b;
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

#define EL_ZERO(i, M) c##i = EL_VMEM(vle, M)(el_zeros, vl);

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
        EL_V(M) v;                                                                                                     \
        EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_ZERO, M) EL_START(H, M);                                               \
        for (int32_t p = 0; p < t->count; p += some) {                                                                 \
            const int32_t count = el_min(some, t->count - p);                                                          \
            const int32_t a_rest = line - count * a_hop;                                                               \
            const int32_t b_rest = t->b_line * size - count * b_hop;                                                   \
            for (int32_t l = 0; l < t->lines; l += many) {                                                             \
                const el_t *a = t->a + p * t->a_hop + l * t->a_line;                                                   \
                const el_t *b = t->b + p * t->b_hop + l * t->b_line;                                                   \
                const el_t *fours = a + (count & ~3) * t->a_hop;                                                       \
                const el_t *ones = a + count * t->a_hop;                                                               \
                int32_t lines = el_min(many, t->lines - l);                                                            \
                EL_SUM(H, M);                                                                                          \
                EL_DRAIN(H, M, l + many >= t->lines && p + some >= t->count);                                          \
            }                                                                                                          \
        }                                                                                                              \
        EL_FINISH(H, M);                                                                                               \
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
        for (int32_t i = 0, height; i < rows; i += height) {
            height = el_tile_height(some.height, rows - i);
            tiles[some.group][height - 1](&t);
            t.a += height;
            t.y += height * t.ldy;
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

EL_INLINE void el_product_weights(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                  void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t wide = s.groups == 1 ? s.in_pitch : cg; /* channels of w, of which some may be left out */
    const int32_t k = s.k_h * s.k_w * wide;
    const int turned = el_term_beats(cg, og) < el_term_beats(og, cg);
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * k) {
        for (int32_t tap = 0; tap < s.k_h * s.k_w; tap++) {
            const int32_t ky = tap / s.k_w;
            const int32_t kx = tap - ky * s.k_w;
            const el_reach v = el_reach_of(ky, s.pad_top, s.stride_h, s.in_h, s.out_h);
            const el_reach h = el_reach_of(kx, s.pad_left, s.stride_w, s.in_w, s.out_w);
            if (v.count == 0 || h.count == 0) {
                continue;
            }
            const int32_t iy = v.first * s.stride_h - s.pad_top + ky;
            const int32_t ix = h.first * s.stride_w - s.pad_left + kx;
            /* Positions of dy and x: the longer side of the rectangle is a line. */
            const int down = v.count > h.count;
            const int32_t y_hops[2] = {s.out_pitch, s.out_w * s.out_pitch};
            const int32_t x_hops[2] = {s.stride_w * s.in_pitch, s.stride_h * s.in_w * s.in_pitch};
            el_tile t = {dy + (v.first * s.out_w + h.first) * s.out_pitch,
                         x + (iy * s.in_w + ix) * s.in_pitch,
                         down ? h.count : v.count,
                         down ? v.count : h.count,
                         y_hops[down],
                         x_hops[down],
                         y_hops[!down],
                         x_hops[!down],
                         0,
                         scale,
                         dw + tap * wide,
                         k,
                         1,
                         scratch};
            if (turned) {
                t = (el_tile){t.b,      t.a, t.lines, t.count, t.b_hop, t.a_hop, t.b_line,
                              t.a_line, 0,   scale,   t.y,     1,       k,       scratch};
                el_tap(t, cg, og);
            } else {
                el_tap(t, og, cg);
            }
        }
    }
}

#endif
