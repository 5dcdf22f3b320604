/* Packing in plain C: what an instruction set has nothing better for. See product.h for what each function means. */
#ifndef EL_PRODUCT_PACK_H
#define EL_PRODUCT_PACK_H

#include "block.h"

#ifndef EL_SUMS_BYTES
typedef el_t el_map_t; /* of maps and weights in memory */
#endif

#ifndef EL_OWN_PACK_GATHER
/* to[k][i] = from[i][k] for k < count, i < height; zeros where from[i] is NULL */
EL_INLINE void el_pack_gather(int32_t height, int32_t count, const el_map_t *const *from, el_row_t *to)
{
    for (int32_t i = 0; i < height; i++) {
        const el_map_t *p = from[i];
        el_row_t *t = to + i;
        if (p != 0) {
            for (int32_t k = 0; k < count; k++, t += height) {
                *t = (el_row_t)p[k];
            }
        } else {
            for (int32_t k = 0; k < count; k++, t += height) {
                *t = 0;
            }
        }
    }
}
#endif

#ifndef EL_OWN_PACK_ROW
/* to[k] = from[k] for k < count; zeros where from is NULL */
EL_INLINE void el_pack_row(int32_t count, const el_map_t *from, el_row_t *to)
{
    for (int32_t k = 0; k < count; k++) {
        to[k] = from != 0 ? (el_row_t)from[k] : 0;
    }
}
#endif

#ifndef EL_OWN_PACK_ROWS
/* to[k][i] = from[k * pitch + i] for k < count, i < rows; zeros for rows <= i < height */
EL_INLINE void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_map_t *from, int32_t pitch,
                            el_row_t *to)
{
    for (int32_t k = 0; k < count; k++, from += pitch, to += height) {
        for (int32_t i = 0; i < height; i++) {
            to[i] = i < rows ? (el_row_t)from[i] : 0;
        }
    }
}
#endif

#ifndef EL_OWN_PACK_TURNED
/* to[k][j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < width */
EL_INLINE void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_map_t *from, int32_t pitch, el_t *to)
{
    for (int32_t j = 0; j < width; j++, from += pitch) {
        el_t *t = to + j;
        for (int32_t k = 0; k < count; k++, t += width) {
            *t = j < cols ? from[k] : 0;
        }
    }
}
#endif

#ifndef EL_OWN_PACK_COLS
/* to[k][j] = from[k * pitch + j] for k < count, j < cols; zeros for cols <= j < width */
EL_INLINE void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_map_t *from, int32_t pitch, el_t *to)
{
    for (int32_t k = 0; k < count; k++, from += pitch, to += width) {
        for (int32_t j = 0; j < width; j++) {
            to[j] = j < cols ? from[j] : 0;
        }
    }
}
#endif

#ifndef EL_OWN_PACK_PANELS
/* The same for columns [0, cols) of several panels, which begin `panel` elements apart. */
EL_INLINE void el_pack_panels(int32_t width, int32_t cols, int32_t count, const el_map_t *from, int32_t pitch, el_t *to,
                              int32_t panel)
{
    for (int32_t j = 0; j < cols; j += width, to += panel) {
        el_pack_cols(width, el_min(width, cols - j), count, from + j, pitch, to);
    }
}
#endif

#endif
