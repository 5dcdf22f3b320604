/* Convolution and fully connected layers of int8: any size, stride, padding and groups, written once over what an
 * instruction set brings:
 *
 *     EL_ROWS_S8      positions that a tile computes at a time
 *     EL_LINES_S8     1 where el_pack_s8 copies a line, EL_ROWS_S8 where it keeps a pointer
 *     el_panel_s8     the lines of a tile's positions, as its loops read them
 *     el_panel_s8 el_panel_s8_in(scratch, k): a panel in that memory; EL_PANEL_BYTES(k) of it
 *     el_prepare_s8(layer, channels, scratch): what is wanted once a call; the memory behind it
 *     EL_UNIT_S8      a line may come in pieces of so many bytes, 0: in one piece only
 *     el_pack_s8(panel, i, rows, line, x_zero): line i of `rows`
 *     el_sums_s8(layer, panel, rows, first, count, sums): sums[channel][row] of at most EL_CHUNK_S8 channels, for
 *         EL_ROWS_S8 positions or one
 *     el_rescale_s8(layer, rows, first, count, sums, y), of rescale.h or its own
 *     EL_CHANNELS_S8  defined where it has an el_channels_s8 of its own
 *     EL_TAKE_S8(layer, left), EL_REST_S8(rows): how many of the positions that are left come next; what rows may be
 *         where they are not EL_ROWS_S8
 *     EL_IN_PLACE_S8  defined where windows that are positions are worth a loop of their own */
#ifndef EL_PRODUCT_S8_H
#define EL_PRODUCT_S8_H

#include "window.h"

#ifndef EL_TAKE_S8
#define EL_TAKE_S8(layer, left) ((left) >= EL_ROWS_S8 ? EL_ROWS_S8 : 1)
#define EL_REST_S8(rows) 1
#endif

#ifndef EL_CHANNELS_S8
#include "sums.h"

EL_INLINE void el_channels_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first,
                              int32_t count, int8_t *y)
{
    el_channels_by_sums_s8(l, panel, rows, first, count, y);
}
#endif

#ifdef EL_IN_PLACE_S8
/* Whether the window of each position is the position. */
EL_INLINE int el_in_place_s8(const el_window *s)
{
    const int inside = s->out_h <= s->in_h && s->out_w == s->in_w && s->pad_top == 0 && s->pad_left == 0;
    return inside && s->k_h == 1 && s->k_w == 1 && s->stride_h == 1 && s->stride_w == 1 && s->groups == 1;
}

EL_APART void el_positions_s8(const el_layer_s8 *l, int32_t count, int32_t channels, const int8_t *x, int8_t *y,
                              el_panel_s8 *panel)
{
    for (int32_t rows; count > 0; count -= rows) {
        rows = EL_TAKE_S8(l, count);
        for (int32_t i = 0; i < rows; i++, x += l->terms) {
            panel->row[i] = x;
        }
        el_channels_s8(l, panel, rows, 0, channels, y);
        y += rows * l->pitch;
    }
}
#endif

EL_INLINE void el_conv2d_s8(const el_window *s, el_layer_s8 *l, const int8_t *x, int8_t *y, void *scratch)
{
    const int32_t og = s->out_c / s->groups;
    const int32_t positions = s->out_h * s->out_w;
    int8_t *after = el_prepare_s8(l, s->out_c, scratch);
    el_panel_s8 panel = el_panel_s8_in(after, l->terms);
    int8_t *lines = after + EL_PANEL_BYTES(l->terms);
#ifdef EL_IN_PLACE_S8
    if (el_in_place_s8(s)) {
        el_positions_s8(l, positions, s->out_c, x, y, &panel);
        return;
    }
#endif
    int32_t row = 0;
    int32_t column = 0;
    for (int32_t p = 0; p < positions;) {
        const int32_t rows = EL_TAKE_S8(l, positions - p);
        int32_t oy = row;
        int32_t ox = column;
        for (int32_t g = 0; g < s->groups; g++) {
            oy = row;
            ox = column;
            for (int32_t i = 0; i < rows; i++) {
                const el_line_s8 line =
                    el_window_s8(s, EL_UNIT_S8, l->x_zero, x, oy * s->stride_h - s->pad_top,
                                 ox * s->stride_w - s->pad_left, g, lines + (EL_LINES_S8 == 1 ? 0 : i * l->terms));
                el_pack_s8(&panel, i, rows, &line, l->x_zero);
                const int last = ++ox == s->out_w;
                ox = last ? 0 : ox;
                oy += last;
            }
            if (rows == EL_ROWS_S8) {
                el_channels_s8(l, &panel, EL_ROWS_S8, g * og, og, y);
            } else {
                el_channels_s8(l, &panel, EL_REST_S8(rows), g * og, og, y);
            }
        }
        row = oy;
        column = ox;
        p += rows;
        y += rows * l->pitch;
    }
}

EL_INLINE void el_dense_s8(int32_t out, el_layer_s8 *l, const int8_t *x, int8_t *y, void *scratch)
{
    el_panel_s8 panel = el_panel_s8_in(el_prepare_s8(l, out, scratch), l->terms);
    const el_line_s8 line = {x, 1, l->terms, 0};
    el_pack_s8(&panel, 0, 1, &line, l->x_zero);
    el_channels_s8(l, &panel, 1, 0, out, y);
}

/* The kernels of an instruction set. */
#define EL_PRODUCTS_S8(ISA) EL_CONV2D_KERNEL_S8(ISA) EL_DENSE_KERNEL_S8(ISA)
#define EL_CONV2D_KERNEL_S8(ISA)                                                                                       \
    void el_conv2d_fwd_s8__##ISA(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,         \
                                 const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,        \
                                 const int32_t *shift, int8_t *y, void *scratch)                                       \
    {                                                                                                                  \
        const int32_t terms = s->k_h * s->k_w * (s->in_c / s->groups);                                                 \
        el_layer_s8 l = {terms, s->out_pitch, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};             \
        el_conv2d_s8(s, &l, x, y, scratch);                                                                            \
    }
#define EL_DENSE_KERNEL_S8(ISA)                                                                                        \
    void el_dense_fwd_s8__##ISA(int32_t in, int32_t out, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,     \
                                const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,         \
                                const int32_t *shift, int8_t *y, void *scratch)                                        \
    {                                                                                                                  \
        el_layer_s8 l = {in, 1, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};                           \
        el_dense_s8(out, &l, x, y, scratch);                                                                           \
    }

#endif
