/* Channels of a panel's positions over el_sums_s8 and el_rescale_s8: see product.h. */
#ifndef EL_SUMS_S8_H
#define EL_SUMS_S8_H

#include "layer.h"

/* All `count` channels from `first` on, for the positions of a panel, stored at y, y + pitch and so on. */
EL_INLINE void el_channels_by_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first,
                                      int32_t count, int8_t *y)
{
    int32_t sums[EL_CHUNK_S8 * EL_ROWS_S8];
    for (const int32_t end = first + count; first < end; first += EL_CHUNK_S8) {
        const int32_t n = el_min(EL_CHUNK_S8, end - first);
        el_sums_s8(l, panel, rows, first, n, sums);
        el_rescale_s8(l, rows, first, n, sums, y + first);
    }
}

#endif
