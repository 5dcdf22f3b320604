/* What kernels/product/ asks of an instruction set: tiles over panels of columns, and packing. */
#ifndef EL_MVE_PANELS_H
#define EL_MVE_PANELS_H

#define EL_OWN_PANELS
#define EL_OWN_PACK_GATHER
#define EL_OWN_PACK_ROWS
#define EL_OWN_PACK_TURNED
#define EL_OWN_PACK_COLS

EL_INLINE void el_store_panels(int rows, int32_t cols, int32_t count, const el_row_t *a, const el_t *b,
                               const el_t *from, int32_t pitch, el_t *y, int32_t ldy)
{
    for (; EL_TWO_FORMS && cols >= EL_LANES; cols -= EL_LANES, y += EL_LANES) {
        b = el_store_tile(rows, EL_ALL, count, a, b, from, pitch, y, ldy);
        from = from != 0 ? from + EL_LANES : 0;
    }
    for (; cols > 0; cols -= EL_LANES, y += EL_LANES) {
        b = el_store_tile(rows, el_some(cols), count, a, b, from, pitch, y, ldy);
        from = from != 0 ? from + EL_LANES : 0;
    }
}

EL_INLINE void el_add_panels(int rows, int32_t cols, int32_t count, const el_row_t *a, const el_t *b, float scale,
                             el_t *y, int32_t ldy)
{
    for (; EL_TWO_FORMS && cols >= EL_LANES; cols -= EL_LANES, y += EL_LANES) {
        b = el_add_tile(rows, EL_ALL, count, a, b, scale, y, ldy);
    }
    for (; cols > 0; cols -= EL_LANES, y += EL_LANES) {
        b = el_add_tile(rows, el_some(cols), count, a, b, scale, y, ldy);
    }
}

/* el_tile_height() never gives more rows than there are. */
__attribute__((noinline, noclone)) static void el_panels_store(int32_t width, int32_t height, int32_t rows,
                                                               int32_t cols, int32_t count, const el_row_t *a,
                                                               int32_t lda, const el_t *b, const el_t *from,
                                                               int32_t pitch, el_t *y, int32_t ldy)
{
    (void)width;
    (void)rows;
    (void)lda;
    switch (height) {
#define EL_STORE(h)                                                                                                    \
    case h:                                                                                                            \
        el_store_panels(h, cols, count, a, b, from, pitch, y, ldy);                                                    \
        break;
        EL_EACH_HEIGHT(EL_STORE)
    default:
        break;
    }
}

__attribute__((noinline, noclone)) static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols,
                                                             int32_t count, const el_row_t *a, const el_t *b,
                                                             float scale, el_t *y, int32_t ldy)
{
    (void)width;
    (void)rows;
    switch (height) {
#define EL_ADD(h)                                                                                                      \
    case h:                                                                                                            \
        el_add_panels(h, cols, count, a, b, scale, y, ldy);                                                            \
        break;
        EL_EACH_HEIGHT(EL_ADD)
    default:
        break;
    }
}

/* to[k][j] = from[k * pitch + j] for k < count, j < cols; zeros for cols <= j < width */
static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    (void)width;
    if (cols >= EL_LANES) {
        for (; count > 0; count--, from += pitch, to += EL_LANES) {
            el_store(to, el_load(from, EL_ALL), EL_ALL);
        }
    } else {
        const el_n n = el_some(cols);
        for (; count > 0; count--, from += pitch, to += EL_LANES) {
            el_store(to, el_load(from, n), EL_ALL);
        }
    }
}

/* to[k][i] = from[i][k] for k < count, i < height; zeros where from[i] is NULL */
static void el_pack_gather(int32_t height, int32_t count, const el_t *const *from, el_row_t *to)
{
    switch (height) {
#define EL_GATHER(h)                                                                                                   \
    case h:                                                                                                            \
        el_turn_rows(h, count, from, to);                                                                              \
        break;
        EL_EACH_HEIGHT(EL_GATHER)
    default:
        break;
    }
}

/* to[k][j] = from[j * pitch + k] for k < count, j < cols; zeros for cols <= j < width */
static void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    (void)width;
    el_turn_columns(cols, count, from, pitch, to);
}

#define EL_COPY_ROWS(h)                                                                                                \
    case h:                                                                                                            \
        el_copy_rows(h, count, from, pitch, to);                                                                       \
        break;

/* to[k][i] = from[k * pitch + i] for k < count, i < height */
static void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    (void)rows;
    switch (height) {
        EL_EACH_HEIGHT(EL_COPY_ROWS)
    default:
        break;
    }
}

#endif
