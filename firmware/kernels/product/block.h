/* How a product is cut into blocks, so that what is packed stays within a few kilobytes of scratch.
 *
 * edgelearn/kernels/product.py repeats el_blocks_of(): it knows the scratch that a shape wants. A test holds them
 * equal. */
#ifndef EL_PRODUCT_BLOCK_H
#define EL_PRODUCT_BLOCK_H

#include "../inline.h"

EL_INLINE int32_t el_ceil_div(int32_t a, int32_t b)
{
    return (a + b - 1) / b;
}

#ifndef EL_SCRATCH_BYTES
#define EL_SCRATCH_BYTES 8192 /* of packed operands */
#endif

#ifndef EL_MOST_TERMS
#define EL_MOST_TERMS INT32_MAX /* of a block: how far its sums may go */
#endif

/* What el_blocks_of() weighs, in instructions: around the sum of a tile; around a panel of rows that is packed, and for
 * each of its terms; around a panel of rows that is read where it lies. */
#ifndef EL_TILE_COST
#define EL_TILE_COST 30
#define EL_ROWS_COST 70
#define EL_PACK_COST 7
#define EL_APART_COST 0
#endif

#ifndef EL_ROWS_MOST
#define EL_ROWS_MOST EL_TILE_HEIGHT       /* rows that are packed at a time, at most */
#define EL_ROWS_TOGETHER(height) (height) /* and by a tile's height */
#endif

enum { EL_MOST_CUTS = 8 }; /* of the columns */

/* `terms` of a sum at a time, none beyond the end of a piece of `piece` terms, for `panels` panels of columns at a
 * time. */
typedef struct {
    int32_t terms, piece, panels;
} el_blocks;

/* Where the block that begins at term k ends. */
EL_INLINE int32_t el_block_end(const el_blocks *cut, int32_t k)
{
    return el_min(k + cut->terms, (k / cut->piece + 1) * cut->piece);
}

/* The cheapest cut of a sum of `terms` terms for `panels` panels of columns. A term of a panel is `panel` bytes of
 * packed columns; `rows` are the bytes of a term of packed rows. Going over the rows again for each cut of the columns
 * stands against starting tiles again for each cut of the sum. Terms come in pieces of `piece`, which are contiguous in
 * the map: where rows may lie apart, a block within a piece need not pack them. */
static inline el_blocks el_blocks_of(int32_t terms, int32_t piece, int32_t panels, int32_t panel, int32_t rows)
{
    el_blocks best = {0, 0, 0};
    int32_t least = INT32_MAX;
    for (int32_t cuts = 1; cuts <= EL_MOST_CUTS && cuts <= panels; cuts++) {
        const int32_t wide = el_ceil_div(panels, cuts);
        const int32_t room = el_min(EL_SCRATCH_BYTES / (wide * panel + rows), EL_MOST_TERMS);
        if (room == 0) {
            continue;
        }
        int32_t times = el_ceil_div(terms, room);
        int32_t cost = panels * times * EL_TILE_COST + cuts * (times * EL_ROWS_COST + terms * EL_PACK_COST);
        if (cost < least) {
            least = cost;
            best = (el_blocks){el_ceil_div(terms, times), terms, wide};
        }
        times = el_ceil_div(piece, room) * (terms / piece);
        cost = times * (panels * EL_TILE_COST + cuts * EL_APART_COST);
        if (EL_APART_COST != 0 && cost <= least) {
            least = cost;
            best = (el_blocks){el_ceil_div(piece, el_ceil_div(piece, room)), piece, wide};
        }
    }
    return best;
}

#endif
