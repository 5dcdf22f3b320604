/* Forward and the gradient of x: rows are positions, read where they are in the map, and columns packed. */
#ifndef EL_RVV_POSITIONS_H
#define EL_RVV_POSITIONS_H

/* See product/block.h. */
#define EL_TILE_COST 90
#define EL_ROWS_COST 40
#define EL_PACK_COST 0
#define EL_APART_COST 0
#define EL_ROW_BYTES 0
#define EL_OWN_BLOCK "../rvv/regions.h"

/* A gradient of x meets neighbours in the order of the map if the last tap of a row comes first. */
#define EL_TAP_AT(i, taps) ((taps)-1 - (i))

#include "tile.h"

/* to[k][j] = from[k][j] for j < cols, at most a group of eight registers */
EL_INLINE void el_copy(int32_t cols, int32_t count, const el_t *from, int32_t pitch, int32_t step, el_t *to)
{
    const size_t vl = EL_VL(m8, cols);
    for (; count > 0; count--, from += pitch, to += step) {
        EL_VMEM(vse, m8)(to, EL_VMEM(vle, m8)(from, vl), vl);
    }
}

#define EL_OWN_PACK_COLS
static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    if (cols > 0) { /* a tile does not look at columns beyond */
        el_copy(cols, count, from, pitch, width, to);
    } else {
        for (; count > 0; count--, to += width) { /* padding */
            EL_VMEM(vse, m8)(to, EL_VOP(vfmv_v_f, m8)(0, EL_VL(m8, width)), EL_VL(m8, width));
        }
    }
}

#define EL_OWN_PACK_TURNED
static void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    const ptrdiff_t stride = width * (ptrdiff_t)sizeof(el_t);
    for (int32_t j = 0; j < cols; j++, from += pitch, to++) { /* a tile does not look at columns beyond */
        for (int32_t k = 0; k < count;) {
            const size_t vl = EL_VL(m8, count - k);
            EL_VMEM(vsse, m8)(to + k * width, stride, EL_VMEM(vle, m8)(from + k, vl), vl);
            k += (int32_t)vl;
        }
    }
}

#include "../product/positions.h"

#endif
