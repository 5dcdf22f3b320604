/* Where maps and weights are of a type that is narrower than el_t, which a tile's file says with el_map_t and
 * EL_SUMS_BYTES: packing makes el_t of them, and sums stay el_t, in scratch behind packed operands, until all their
 * terms are in. So each result is rounded once. No more than EL_SUMS_BYTES of them wait at a time.
 *
 * EL_OWN_STORE_ROWS: el_store_row and el_add_row are the instruction set's own. */
#ifndef EL_PRODUCT_SUMS_H
#define EL_PRODUCT_SUMS_H

#include "block.h"

#ifndef EL_OWN_STORE_ROWS
/* to[k] = from[k] */
EL_INLINE void el_store_row(int32_t count, const el_t *from, el_map_t *to)
{
    for (int32_t k = 0; k < count; k++) {
        to[k] = (el_map_t)from[k];
    }
}

/* to[k] += from[k] */
EL_INLINE void el_add_row(int32_t count, const el_t *from, el_map_t *to)
{
    for (int32_t k = 0; k < count; k++) {
        to[k] = (el_map_t)((el_t)to[k] + from[k]);
    }
}
#endif

/* How many of `count` rows of `wide` sums wait at a time: whole tiles' rows, if not all of them. */
EL_INLINE int32_t el_waiting(int32_t count, int32_t wide, int32_t rows)
{
    const int32_t most = EL_SUMS_BYTES / (wide * (int32_t)sizeof(el_t));
    return el_min(count, el_max(most - most % rows, 1));
}

#endif
