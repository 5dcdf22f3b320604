/* What kernels/product/ asks of an instruction set: tiles over panels of columns, and packing. */
#ifndef EL_MVE_PANELS_H
#define EL_MVE_PANELS_H

#define EL_OWN_PANELS
#define EL_OWN_PACK_GATHER
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS
#define EL_OWN_PACK_PANELS
#define EL_OWN_BLOCK "../mve/rows.h"

#include "turn.h"

/* `rows` rows of `cols` elements, fewer than a vector has */
static void el_copy_part(int32_t rows, int32_t cols, const el_t *from, int32_t pitch, el_t *to, int32_t step)
{
    const el_n n = el_some(cols);
    for (; rows > 0; rows--, from += pitch, to += step) {
        el_store(to, el_load(from, n), n);
    }
}

/* A walk for sums of so many terms; in `line`s terms come in threes. */
static el_walk el_walk_of(int line, int32_t count)
{
    const int32_t blocks = el_ceil_div(count, EL_BLOCK_TERMS);
    const int32_t before = blocks > 1 ? el_ceil_div(count, blocks * EL_DOZEN) : 0;
    const int32_t left = count - before * EL_DOZEN;
    el_walk k;
    k.before = before;
    k.terms = el_terms_of(left);
    if (line) {
        k.terms.rest = el_terms_of(left / 3).rest;
    }
    return k;
}

#define EL_CASE(h, what)                                                                                               \
    case h:                                                                                                            \
        return el_walk_##what##_##h(k, b);
#define EL_CASE_STORE(h) EL_CASE(h, store)
#define EL_CASE_LINE(h) EL_CASE(h, line)
#define EL_CASE_ADD(h) EL_CASE(h, add)

EL_INLINE const el_t *el_walk_store(int line, int32_t height, el_walk *k, const el_t *b)
{
    switch (line ? height + EL_TILE_HEIGHT : height) {
        EL_EACH_HEIGHT(EL_CASE_STORE)
    case 1 + EL_TILE_HEIGHT:
        return el_walk_line_1(k, b);
    case 2 + EL_TILE_HEIGHT:
        return el_walk_line_2(k, b);
    case 3 + EL_TILE_HEIGHT:
        return el_walk_line_3(k, b);
    case 4 + EL_TILE_HEIGHT:
        return el_walk_line_4(k, b);
    default:
        return el_walk_line_5(k, b);
    }
}

EL_INLINE const el_t *el_walk_add(int32_t height, el_walk *k, const el_t *b)
{
    switch (height) {
        EL_EACH_HEIGHT(EL_CASE_ADD)
    default:
        return b;
    }
}

/* Sums begin with what is in y, or all rows with `start`, or, where it is NULL, with zeros. Rows of y are `ldy`
 * elements apart. */
static void el_walk_from(el_walk *k, int again, const el_t *start, int32_t ldy)
{
    static const el_t zeros[EL_LANES];
    k->ldy = ldy * (int32_t)sizeof(el_t);
    k->pitch = again ? k->ldy : 0;
    k->step = again || start != 0 ? EL_LANES * (int32_t)sizeof(el_t) : 0;
    k->start = again ? 0 : start != 0 ? start : zeros;
}

/* A panel of columns that is not full is computed where there is room for one. */
__attribute__((noinline)) static void el_part_store(int line, int32_t height, const el_walk *whole, const el_t *b,
                                                    int32_t cols, el_t *y)
{
    const int32_t ldy = whole->ldy / (int32_t)sizeof(el_t);
    el_t part[EL_TILE_HEIGHT * EL_LANES];
    el_walk k = *whole;
    if (k.pitch != 0) {
        el_copy_part(height, cols, y, ldy, part, EL_LANES);
        k.pitch = EL_LANES * (int32_t)sizeof(el_t);
    } else if (k.step != 0) {
        el_copy_part(1, cols, k.from, 0, part, EL_LANES);
    }
    k.from = k.step != 0 ? part : k.from;
    k.y = part;
    k.ldy = EL_LANES * (int32_t)sizeof(el_t);
    k.end = part + EL_LANES;
    el_walk_store(line, height, &k, b);
    el_copy_part(height, cols, part, EL_LANES, y, ldy);
}

/* Columns [0, cols) of a panel of rows; k has all else. */
EL_INLINE void el_rows_store(int line, int32_t height, el_walk *k, const el_t *b, int32_t cols, el_t *y)
{
    const int32_t rest = cols % EL_LANES;
    const int32_t full = cols - rest;
    k->from = k->start != 0 ? k->start : y;
    k->y = y;
    k->end = y + full;
    if (full > 0) {
        b = el_walk_store(line, height, k, b);
    }
    if (rest > 0) {
        el_part_store(line, height, k, b, rest, y + full);
    }
}

/* y += scale * the sums; k has rows, terms and scale. Returns the columns that come next. */
static const el_t *el_rows_add(int32_t height, el_walk *k, const el_t *b, int32_t cols, el_t *y, int32_t ldy)
{
    const int32_t rest = cols % EL_LANES;
    const int32_t full = cols - rest;
    k->y = y;
    k->ldy = ldy * (int32_t)sizeof(el_t);
    if (full > 0) {
        k->end = y + full;
        b = el_walk_add(height, k, b);
    }
    if (rest > 0) {
        el_t part[EL_TILE_HEIGHT * EL_LANES];
        el_copy_part(height, rest, y + full, ldy, part, EL_LANES);
        k->y = part;
        k->ldy = EL_LANES * (int32_t)sizeof(el_t);
        k->end = part + EL_LANES;
        b = el_walk_add(height, k, b);
        el_copy_part(height, rest, part, EL_LANES, y + full, ldy);
    }
    return b;
}

#endif
