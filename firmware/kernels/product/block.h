/* How a product is cut into blocks, so that what is packed stays within a few kilobytes of scratch.
 *
 * edgelearn/kernels/product.py repeats el_blocks_of(): it knows the scratch that a shape wants. A test holds them
 * equal. */
#ifndef EL_PRODUCT_BLOCK_H
#define EL_PRODUCT_BLOCK_H

#include <stdint.h>

#define EL_INLINE static inline __attribute__((always_inline))

EL_INLINE int32_t el_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

EL_INLINE int32_t el_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

EL_INLINE int32_t el_ceil_div(int32_t a, int32_t b)
{
    return (a + b - 1) / b;
}

enum {
    EL_SCRATCH_BYTES = 8192, /* of packed operands */
    EL_MOST_CUTS = 8,        /* of the columns */
    EL_TILE_COST = 40,       /* instructions around a tile's sum, and, for a term of it, to pack a row's element */
    EL_PACK_COST = 7
};

/* `terms` of a sum at a time, for `panels` panels of columns at a time. */
typedef struct {
    int32_t terms, panels;
} el_blocks;

/* The cheapest cut of a sum of `terms` terms for `panels` panels of columns. A term of a panel is `panel` bytes of
 * packed columns; `rows` are the bytes of a term of packed rows. Packing the rows again for each cut of the columns
 * stands against starting tiles again for each cut of the sum. */
static el_blocks el_blocks_of(int32_t terms, int32_t panels, int32_t panel, int32_t rows)
{
    el_blocks best = {0, 0};
    int32_t least = INT32_MAX;
    for (int32_t cuts = 1; cuts <= EL_MOST_CUTS && cuts <= panels; cuts++) {
        const int32_t wide = el_ceil_div(panels, cuts);
        const int32_t room = EL_SCRATCH_BYTES / (wide * panel + rows);
        if (room == 0) {
            continue;
        }
        const int32_t times = el_ceil_div(terms, room);
        const int32_t cost = panels * times * EL_TILE_COST + cuts * terms * EL_PACK_COST;
        if (cost < least) {
            least = cost;
            best = (el_blocks){el_ceil_div(terms, times), wide};
        }
    }
    return best;
}

#endif
