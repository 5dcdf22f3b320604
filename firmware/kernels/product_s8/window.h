/* The window of an output position as a line of bytes, [k_h][k_w][channels of one group]; the padding is x_zero. */
#ifndef EL_WINDOW_S8_H
#define EL_WINDOW_S8_H

#include "layer.h"

#ifndef EL_COPY_S8
EL_INLINE int8_t *el_copy_s8(int8_t *to, const int8_t *from, int32_t count)
{
    for (const int8_t *end = from + count; from != end;) {
        *to++ = *from++;
    }
    return to;
}

EL_INLINE int8_t *el_fill_s8(int8_t *to, int32_t value, int32_t count)
{
    for (const int8_t *end = to + count; to != end;) {
        *to++ = (int8_t)value;
    }
    return to;
}
#endif

#ifndef EL_COPY_ROWS_S8
/* `rows` runs of `count` bytes, `step` apart, one behind the other. */
EL_INLINE void el_copy_rows_s8(int8_t *to, const int8_t *from, int32_t rows, int32_t count, int32_t step)
{
    for (; rows > 0; rows--, from += step) {
        to = el_copy_s8(to, from, count);
    }
}
#endif

/* Where a window's bytes lie: `pieces` runs of `length`, `step` apart. */
typedef struct {
    const int8_t *from;
    int32_t pieces, length, step;
} el_line_s8;

/* The window whose first tap is at (iy, ix), channels [c0, c0 + cg), gathered at `to`. */
EL_APART void el_gather_s8(const el_window *s, int32_t x_zero, const int8_t *x, int32_t iy, int32_t ix, int32_t c0,
                           int32_t cg, int8_t *to)
{
    const int32_t left = el_min(el_max(-ix, 0), s->k_w);
    const int32_t right = el_max(el_min(s->in_w - ix, s->k_w), left); /* taps [left, right) lie inside */
    const int32_t whole = cg == s->in_c ? right - left : 1;           /* taps that are contiguous */
    for (int32_t ky = 0; ky < s->k_h; ky++, iy++) {
        if (iy < 0 || iy >= s->in_h) {
            to = el_fill_s8(to, x_zero, s->k_w * cg);
            continue;
        }
        if (left > 0) {
            to = el_fill_s8(to, x_zero, left * cg);
        }
        const int8_t *from = x + (iy * s->in_w + ix + left) * s->in_c + c0;
        for (int32_t kx = left; kx < right; kx += whole, from += s->in_c) {
            to = el_copy_s8(to, from, whole * cg);
        }
        if (right < s->k_w) {
            to = el_fill_s8(to, x_zero, (s->k_w - right) * cg);
        }
    }
}

/* The window at (iy, ix) of group g where it lies or, unless its rows are runs of whole `unit`s inside the map,
 * gathered at `to`. */
EL_INLINE el_line_s8 el_window_s8(const el_window *s, const int32_t unit, int32_t x_zero, const int8_t *x, int32_t iy,
                                  int32_t ix, int32_t g, int8_t *to)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t length = s->k_w * cg;
    const int inside = iy >= 0 && iy + s->k_h <= s->in_h && ix >= 0 && ix + s->k_w <= s->in_w;
    if (s->groups == 1 && inside) {
        const el_line_s8 there = {x + (iy * s->in_w + ix) * s->in_c, s->k_h, length, s->in_w * s->in_c};
        if (s->k_h == 1 || (unit != 0 && length % unit == 0)) {
            return there;
        }
        el_copy_rows_s8(to, there.from, there.pieces, length, there.step);
        return (el_line_s8){to, 1, s->k_h * length, 0};
    }
    el_gather_s8(s, x_zero, x, iy, ix, g * cg, cg, to);
    return (el_line_s8){to, 1, s->k_h * length, 0};
}

#endif
