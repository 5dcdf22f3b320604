/* What a tile of a gradient of w is told: see weights.h. */
#ifndef EL_RVV_SUMS_H
#define EL_RVV_SUMS_H

/* The sums of one tile over `lines` lines of `count` positions, from a and b on. The next position is a_hop and b_hop
 * elements away, the next line a_line and b_line. */
typedef struct {
    const el_t *a, *b;
    int32_t tiles; /* below each other */
    int32_t lines, count, a_hop, b_hop, a_line, b_line;
    int32_t cols;
    float scale;
    el_t *y;
    int32_t ldy, apart;         /* from row to row, from column to column */
    int32_t column, part, step; /* where columns are parts of so many, the next part's first is `step` elements away
                                   from this one's; columns are counted from the first part's then, else part is 0 */
    void *sums;                 /* room for a tile of EL_TILE_BYTES a row, in floats and as it is */
} el_tile;

#endif
