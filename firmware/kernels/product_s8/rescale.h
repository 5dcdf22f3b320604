/* The way from sums to int8 in portable C, for one position and for EL_ROWS_S8 of them: see product.h. */
#ifndef EL_RESCALE_S8_H
#define EL_RESCALE_S8_H

#include "layer.h"

#define EL_RESCALE_S8(name, rows)                                                                                      \
    EL_APART void name(const el_layer_s8 *l, int32_t first, int32_t count, const int32_t *sums, int8_t *y)             \
    {                                                                                                                  \
        if (!l->small) {                                                                                               \
            for (int32_t k = 0; k < count; k++, sums += rows) {                                                        \
                el_rescale_any_s8(l, first + k, rows, sums, y + k);                                                    \
            }                                                                                                          \
        } else if (el_whole_s8(l)) {                                                                                   \
            el_rescale_rows_s8(l, 1, rows, first, count, sums, y);                                                     \
        } else {                                                                                                       \
            el_rescale_rows_s8(l, 0, rows, first, count, sums, y);                                                     \
        }                                                                                                              \
    }
EL_RESCALE_S8(el_rescale_one_s8, 1)
EL_RESCALE_S8(el_rescale_panel_s8, EL_ROWS_S8)

EL_INLINE void el_rescale_s8(const el_layer_s8 *l, const int rows, int32_t first, int32_t count, const int32_t *sums,
                             int8_t *y)
{
    if (rows == 1) {
        el_rescale_one_s8(l, first, count, sums, y);
    } else {
        el_rescale_panel_s8(l, first, count, sums, y);
    }
}

#endif
