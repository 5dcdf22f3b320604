/* Convolutions, pointwise ones among them, as products of packed blocks: forward, gradient of x, gradient of w. Written
 * once, over a register tile that the file of an instruction set defines before it includes this one:
 *
 *   el_t             type of an element of maps and weights. Sums within a tile may be wider.
 *   el_row_t         type of an element of packed rows: el_t, or what a load that broadcasts wants.
 *   EL_TILE_HEIGHT   most rows of a tile, a constant.
 *   EL_TILE_WIDTH    columns of a tile: vector lanes, contiguous in memory. A constant, or an expression that the CPU
 *                    answers at run time (read once a call).
 *   el_tile_height(left)
 *                    height of the next panel of rows where `left` are left: 1 .. EL_TILE_HEIGHT. It may exceed `left`.
 *   el_tile_store(height, rows, cols, count, a, b, from, pitch, y, ldy)
 *                    y[i * ldy + j] = from[i * pitch + j] + sum over k < count of a[k][i] * b[k][j]
 *                    for i < rows <= height, j < cols <= width, and nothing else of y is written. a is [count][height],
 *                    b is [count][width]. from may be y itself, a bias (pitch 0), or NULL for zeros; no more than
 * `cols` of its elements may be read in a row. el_tile_add(height, rows, cols, count, a, b, scale, y, ldy) y[i * ldy +
 * j] += scale * that sum, started at zero.
 *
 * Each element's terms must be added in ascending order of k, in full tiles and in smaller ones alike, so that results
 * do not depend on where a tile begins. Blocks of the sum depend on the shape alone.
 *
 * pack.h packs in plain C. Define EL_OWN_PACK_GATHER, _ROWS, _TURNED or _COLS and the function to replace one:
 *   el_pack_gather(height, count, from[height], to)             rows of forward and of the gradient of x (turned)
 *   el_pack_rows(height, rows, count, from, pitch, to)          rows of the gradient of w (copied)
 *   el_pack_turned(width, cols, count, from, pitch, to)         columns of forward (turned)
 *   el_pack_cols(width, cols, count, from, pitch, to)           columns of both gradients (copied)
 * With EL_ROWS_APART defined, rows of forward and of the gradient of x are not interleaved but lie apart, a[i * lda +
 * k], copied by el_pack_row(count, from or NULL for zeros, to), or, where they are contiguous in the map, not copied at
 * all. Packed blocks are aligned as el_row_t and el_t are, no more. EL_OWN_PANELS: el_panels_store and el_panels_add
 * (below) are the instruction set's own, for columns of several panels; then it needs no el_tile_*.
 * With EL_COLUMNS_IN_PLACE there is el_panels_add_apart too, where b[k * ldb + j] are columns that nobody packed.
 * With EL_FIRST_PANEL_PACKS it packs the rows as well, elements of the map that are `pitch` apart from term to term.
 * With EL_PANELS_FAR there is el_panels_add_far too, which adds the sums of each panel `step` behind the last one's.
 * EL_SUMS_BYTES: maps and weights are el_map_t, which packing makes el_t of, and sums wait in scratch: see sums.h.
 * EL_ROWS_MOST and EL_ROWS_TOGETHER(height): so many rows are packed at a time, not a tile's height.
 * EL_OWN_BLOCK names a header with an el_product_block of its own, which reads rows where they are: nothing but columns
 * is packed then. With EL_TAP_AT(i, taps) it says which tap of a row of taps is number i in a gradient of x.
 *
 *   step   rows                  columns                    terms
 *   fwd    positions of y        output channels            taps, channels of x
 *   bwd_x  positions of a phase  input channels             taps of the phase, channels of dy
 *   bwd_w  output channels       elements of a window row   positions
 *
 * The columns of a block are packed once for all rows; a panel of rows is packed, used for all columns of the block,
 * and forgotten. Scratch: edgelearn/kernels/product.py. */
#ifndef EL_PRODUCT_H
#define EL_PRODUCT_H

#include "positions.h"
#include "weights.h"

#endif
