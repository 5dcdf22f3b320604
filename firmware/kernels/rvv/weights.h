/* The gradient of w as products: rows are output channels, columns elements of a window row, terms positions; or, where
 * window rows are short, the other way round. Nothing is packed: both operands are contiguous across the tile. Only
 * where a window reaches into the padding with a part of the tile are its elements copied, beside zeros.
 *
 * A format says how long its own sums may be (EL_SUM_TERMS) and what is done then:
 *   EL_DRAIN(H, M)   puts c0 .. away and makes them zero
 *   EL_FINISH(H, M)  y[i * ldy + j] += scale * all sums of row i, or, turned, y[j * ldy + i] */
#ifndef EL_RVV_WEIGHTS_H
#define EL_RVV_WEIGHTS_H

#include "tile.h"

#include "../product/shape.h"

/* The sums of one tile: `rows` rows of `out` positions, from x and dy on; neighbours are hop and pitch elements apart,
 * rows x_row and y_row. Elements of a row of the map before `left` and from `right` on, counted from x, are padding. */
typedef struct {
    const el_t *x, *dy;
    int32_t rows, out, hop, pitch, x_row, y_row;
    int32_t left, right, cols;
    int turned; /* rows are elements of the window, columns output channels */
    float scale;
    el_t *y;
    int32_t ldy;
    el_t *edge; /* room for a row of columns */
    void *sums; /* and for a tile of floats */
} el_tile;

/* Some terms of a turn of the loop. */
#define EL_BROADCAST(i, ...) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*" #i "(%[a])\n"
#define EL_TERMS(H, times)                                                                                             \
    ".rept " times                                                                                                     \
    "\n" EL_NEXT_ROW EL_ROWS##H(EL_BROADCAST, ) "add %[a], %[a], %[pitch]\n" EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"

/* c0 .. += four terms a turn, then one; fours and ones are where a ends. */
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(EL_SET_GROUP(M) "beq %[a], %[fours], 2f\n"                                                        \
                                     "1:\n" EL_TERMS(H, "4") "bne %[a], %[fours], 1b\n"                                \
                                                             "2: beq %[a], %[ones], 4f\n"                              \
                                                             "3:\n" EL_TERMS(H, "1") "bne %[a], %[ones], 3b\n"         \
                                                                                     "4:\n"                            \
                     : EL_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b)                                             \
                     : [vl] "r"(vl), [step] "r"(step), [pitch] "r"(pitch), [fours] "r"(a + (count & ~3) * apart),      \
                       [ones] "r"(a + count * apart)                                                                   \
                     : EL_SCALARS, "vl", "vtype", "memory")

#define EL_ZERO(i, M) c##i = EL_VOP(vfmv_v_f, M)(0, vl);

/* `count` elements of which those before `left` or from `right` on are padding; 0 if all are. */
EL_INLINE int el_edge(const el_tile *t, int32_t count, const el_t *x, int32_t left, int32_t right)
{
    const int32_t first = el_max(left, 0);
    const int32_t last = el_min(right, count);
    if (first >= last) {
        return 0;
    }
    EL_VMEM(vse, m4)(t->edge, EL_VOP(vfmv_v_f, m4)(0, EL_VL(m4, count)), EL_VL(m4, count));
    EL_VMEM(vse, m4)(t->edge + first, EL_VMEM(vle, m4)(x + first, EL_VL(m4, last - first)), EL_VL(m4, last - first));
    return 1;
}

#define EL_TILE(H, M)                                                                                                  \
    static void el_add_##H##_##M(const el_tile *t)                                                                     \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int turned = t->turned;                                                                                  \
        const int32_t apart = turned ? t->hop : t->pitch;                                                              \
        const int32_t window = turned ? H : t->cols;                                                                   \
        const ptrdiff_t step = (turned ? t->pitch : t->hop) * (ptrdiff_t)sizeof(el_t);                                 \
        const ptrdiff_t pitch = apart * (ptrdiff_t)sizeof(el_t);                                                       \
        const int32_t ldy = t->ldy;                                                                                    \
        const float scale = t->scale;                                                                                  \
        el_t *y = t->y;                                                                                                \
        EL_V(M) v;                                                                                                     \
        EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_ZERO, M) EL_START(H, M);                                               \
        for (int32_t row = 0; row < t->rows; row++) {                                                                  \
            const el_t *x = t->x + row * t->x_row;                                                                     \
            const el_t *dy = t->dy + row * t->y_row;                                                                   \
            int32_t left = t->left;                                                                                    \
            int32_t right = t->right;                                                                                  \
            for (int32_t p = 0, count; p < t->out; p += count) {                                                       \
                const el_t *at = x;                                                                                    \
                int some = 1;                                                                                          \
                count = 1;                                                                                             \
                if (left <= 0 && right >= window) {                                                                    \
                    count = el_min((right - window) / t->hop + 1, t->out - p);                                         \
                    EL_LIMIT(count);                                                                                   \
                } else {                                                                                               \
                    some = el_edge(t, window, x, left, right);                                                         \
                    at = t->edge;                                                                                      \
                }                                                                                                      \
                if (some) {                                                                                            \
                    const el_t *a = turned ? at : dy;                                                                  \
                    const el_t *b = turned ? dy : at;                                                                  \
                    EL_SUM(H, M);                                                                                      \
                    EL_DRAIN(H, M, count);                                                                             \
                }                                                                                                      \
                x += count * t->hop;                                                                                   \
                dy += count * t->pitch;                                                                                \
                left -= count * t->hop;                                                                                \
                right -= count * t->hop;                                                                               \
            }                                                                                                          \
        }                                                                                                              \
        EL_FINISH(H, M);                                                                                               \
    }
EL_HEIGHTS(EL_TILE, m1)
EL_HEIGHTS(EL_TILE, m2)
EL_HEIGHTS(EL_TILE, m4)

/* Every tile of one piece of a window row: `length` elements that are contiguous in the map, `offset` from its first.
 */
static void el_piece(const el_window *s, int32_t ky, int32_t offset, int32_t length, int32_t og, float scale,
                     const el_t *x, const el_t *dy, el_t *dw, int32_t ldy, void *scratch)
{
    static void (*const tiles[3][EL_TILE_HEIGHT])(const el_tile *) = EL_TABLE(el_add_);
    const int32_t width = EL_TILE_WIDTH;
    const int32_t size = s->in_w * s->in_pitch;
    const int32_t before = el_max(s->pad_top - ky, 0);
    const int32_t first = el_ceil_div(before, s->stride_h); /* rows of dy that meet the map */
    const int32_t reach = s->in_h - 1 + s->pad_top - ky;
    const int32_t last = reach < 0 ? 0 : el_min(reach / s->stride_h + 1, s->out_h);
    if (first >= last) {
        return;
    }
    const int turned = length < width && length < og;
    const int32_t columns = turned ? og : length;
    const int32_t rows = turned ? length : og;
    for (int32_t j = 0; j < columns; j += width) {
        const int32_t e = turned ? 0 : j;
        const int32_t o = turned ? j : 0;
        const int32_t at = offset + e - s->pad_left * s->in_pitch;
        el_tile t = {x + (first * s->stride_h - s->pad_top + ky) * size + at,
                     dy + first * s->out_w * s->out_pitch + o,
                     last - first,
                     s->out_w,
                     s->stride_w * s->in_pitch,
                     s->out_pitch,
                     s->stride_h * size,
                     s->out_w * s->out_pitch,
                     -at,
                     size - at,
                     el_min(width, columns - j),
                     turned,
                     scale,
                     dw + o * ldy + e,
                     ldy,
                     scratch,
                     (char *)scratch + width * (int32_t)sizeof(el_t)};
        for (int32_t i = 0, height; i < rows; i += height) {
            height = el_tile_height(rows - i);
            tiles[el_group(t.cols)][height - 1](&t);
            if (turned) {
                t.x += height;
                t.left -= height;
                t.right -= height;
                t.y += height;
            } else {
                t.dy += height;
                t.y += height * ldy;
            }
        }
    }
}

EL_INLINE void el_product_weights(const el_window *shape, float scale, const el_t *x, const el_t *dy, el_t *dw,
                                  void *scratch)
{
    const el_window s = el_flatten(shape);
    const int32_t cg = s.in_c / s.groups;
    const int32_t og = s.out_c / s.groups;
    const int32_t k = s.k_h * s.k_w * cg;
    /* A window row is contiguous in the map; with groups, or channels that are left out, only its taps are. */
    const int whole = s.groups == 1 && s.in_pitch == s.in_c;
    for (int32_t group = 0; group < s.groups; group++, x += cg, dy += og, dw += og * k) {
        for (int32_t ky = 0; ky < s.k_h; ky++) {
            for (int32_t kx = 0; kx < s.k_w; kx += whole ? s.k_w : 1) {
                el_piece(&s, ky, kx * s.in_pitch, whole ? s.k_w * cg : cg, og, scale, x, dy,
                         dw + (ky * s.k_w + kx) * cg, k, scratch);
            }
        }
    }
}

#endif
