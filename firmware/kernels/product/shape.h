/* What all products of convolutions share. */
#ifndef EL_PRODUCT_SHAPE_H
#define EL_PRODUCT_SHAPE_H

#include "el/ops.h"

/* Of a term of packed rows; 0 where none is packed. */
#ifndef EL_ROW_BYTES
#define EL_ROW_BYTES (EL_ROWS_MOST * (int32_t)sizeof(el_row_t))
#endif

/* A block's packed rows lie in front of its packed columns. */
EL_INLINE el_t *el_columns_of(void *scratch, int32_t terms)
{
    return (el_t *)(void *)((char *)scratch + terms * EL_ROW_BYTES);
}

/* A 1 x 1 convolution does not care for the map's shape: one long row makes the tiles full. */
static el_window el_flatten(const el_window *s)
{
    el_window f = *s;
    if (f.k_h == 1 && f.k_w == 1 && f.stride_h == 1 && f.stride_w == 1 && f.pad_top == 0 && f.pad_left == 0 &&
        f.in_h == f.out_h && f.in_w == f.out_w) {
        f.in_w *= f.in_h;
        f.out_w *= f.out_h;
        f.in_h = f.out_h = 1;
    }
    return f;
}

#endif
