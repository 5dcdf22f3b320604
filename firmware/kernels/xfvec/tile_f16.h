/* The tile of products in halves, see sums.h. Sums are cut into blocks of at most EL_MOST_TERMS terms, which are added
 * to what is in memory as halves. */
#ifndef EL_XFVEC_TILE_F16_H
#define EL_XFVEC_TILE_F16_H

#include "pair.h"

typedef el_f16 el_t;
typedef el_f16 el_row_t;

#define EL_TILE_HEIGHT 6
#define EL_TILE_WIDTH 8
#define EL_ROWS_APART
#define EL_OWN_PANELS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS
#define EL_OWN_PACK_ROW
#define EL_OWN_PACK_ROWS

/* cycles, see block.h */
#define EL_TILE_COST 130
#define EL_ROWS_COST 100
#define EL_PACK_COST 12
#ifndef EL_APART_COST
#define EL_APART_COST 0
#endif
#define EL_MOST_TERMS 72

#include "../product/block.h"

enum { EL_COLS = EL_TILE_WIDTH };

#include "sums.h"

/* Sixes and fours make up any even number above two. */
static inline int32_t el_tile_height(int32_t left)
{
    const int32_t over = left % 6;
    return left < 4 || over == 2 || over == 4 ? 4 : 6;
}

/* to[k] = from[k], or zeros */
EL_INLINE void el_pack_row(int32_t count, const el_f16 *from, el_f16 *to)
{
    if (from == 0) {
        for (; count > 1; count -= 2, to += 2) {
            el_pair_store(to, el_pair_zero());
        }
        if (count > 0) {
            *to = el_f16_from_bits(0);
        }
        return;
    }
    for (; count >= 8; count -= 8, from += 8, to += 8) {
        const el_pair v0 = el_pair_load(from);
        const el_pair v1 = el_pair_load(from + 2);
        const el_pair v2 = el_pair_load(from + 4);
        const el_pair v3 = el_pair_load(from + 6);
        el_pair_store(to, v0);
        el_pair_store(to + 2, v1);
        el_pair_store(to + 4, v2);
        el_pair_store(to + 6, v3);
    }
    for (; count > 1; count -= 2, from += 2, to += 2) {
        el_pair_store(to, el_pair_load(from));
    }
    if (count > 0) {
        *to = *from;
    }
}

/* to[k][j] = from[k * pitch + j] for j < n, an even constant; two k a turn */
EL_INLINE void el_pack_few(int n, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    el_pair u[EL_COLS / 2];
    el_pair v[EL_COLS / 2];
    for (; count > 1; count -= 2, from += 2 * pitch, to += 2 * n) {
#pragma GCC unroll 4
        for (int j = 0; j < n / 2; j++) {
            u[j] = el_pair_load(from + 2 * j);
            v[j] = el_pair_load(from + pitch + 2 * j);
        }
#pragma GCC unroll 4
        for (int j = 0; j < n / 2; j++) {
            el_pair_store(to + 2 * j, u[j]);
            el_pair_store(to + n + 2 * j, v[j]);
        }
    }
    for (int j = 0; j < n && count > 0; j += 2) {
        el_pair_store(to + j, el_pair_load(from + j));
    }
}

/* The same for any n, with zeros up to `width` */
static void el_pack_some(int32_t width, int32_t n, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    for (; count > 0; count--, from += pitch, to += width) {
        for (int32_t j = 0; j < width; j++) {
            to[j] = j < n ? from[j] : el_f16_from_bits(0);
        }
    }
}

EL_INLINE void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    if (rows < height) {
        el_pack_some(height, rows, count, from, pitch, to);
    } else if (height == 6) {
        el_pack_few(6, count, from, pitch, to);
    } else {
        el_pack_few(4, count, from, pitch, to);
    }
}

EL_INLINE void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_f16 *from, int32_t pitch, el_f16 *to)
{
    if (cols < width) {
        el_pack_some(EL_COLS, cols, count, from, pitch, to);
    } else {
        el_pack_few(EL_COLS, count, from, pitch, to);
    }
}

#endif
