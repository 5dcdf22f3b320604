/* Depthwise convolution of int8 in floats, whose sums of so few products are exact: strips of the map become floats
 * without their zero point, weights too, and the kernel of depthwise_conv2d.c convolves them. Of channels that do not
 * fill a strip the last ones are computed once more. */
#include "../product_s8/layer.h"

typedef int8_t el_map_t;

EL_APART void el_strip_load(int32_t count, int32_t channels, const int8_t *map, int32_t pitch, int32_t zero,
                            float *rows)
{
    if (channels == pitch) {
        channels *= count;
        count = 1;
    }
    for (; count > 0; count--, map += pitch) {
        const int8_t *from = map;
        int32_t left = channels;
        for (; left >= 8; left -= 8, from += 8, rows += 8) {
            for (int i = 0; i < 8; i++) {
                rows[i] = (float)(from[i] - zero);
            }
        }
        for (; left > 0; left--) {
            *rows++ = (float)(*from++ - zero);
        }
    }
}

EL_APART void el_strip_move(int32_t count, const float *from, float *to)
{
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        const float first[4] = {from[0], from[1], from[2], from[3]};
        to[0] = first[0];
        to[1] = first[1];
        to[2] = first[2];
        to[3] = first[3];
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

#include "../strips.h"

/* How one channel's sums become int8. `quick`: they come four times as large. */
typedef struct {
    int32_t multiplier, add, right, start, channel;
    int quick;
} channel_s8;

enum { QUICK = 4, SOME = 4 };

static channel_s8 channel_of(const el_layer_s8 *l, int32_t channel)
{
    channel_s8 c = {.channel = channel};
    el_factor_s8 f;
    c.quick = l->small && el_factor_s8_of(l, channel, &f);
    c.start = el_start_s8(l, channel) * (c.quick ? QUICK : 1);
    if (c.quick) {
        c.multiplier = f.multiplier;
        c.add = 2 * f.add + 1;
        c.right = f.right + 1;
    }
    return c;
}

/* el_rescale_rows_s8's y, of a sum four times as large: the product has a bit more, so that adding one of these rounds
 * it, and all that follows is twice as large until it is shifted out. */
EL_INLINE int8_t rescaled(const channel_s8 *c, const int whole, float sum, int32_t min, int32_t max)
{
    const int32_t x = (int32_t)sum + c->start;
    const int32_t product = (int32_t)((int64_t)x * c->multiplier >> 32);
    const int32_t v = (product + c->add + ((x >> 31) & -2)) >> c->right;
    if (!whole) {
        return (int8_t)el_max(el_min(v, max), min);
    }
    return (int8_t)(v == (int8_t)v ? v : v < 0 ? INT8_MIN : INT8_MAX);
}

EL_INLINE void rescale_quick(const channel_s8 *c, const int whole, int32_t count, const float *sums, int32_t step,
                             int32_t min, int32_t max, int8_t *y, int32_t pitch)
{
    const channel_s8 own = *c;
    for (; count >= SOME; count -= SOME) {
        for (int i = 0; i < SOME; i++, sums += step, y += pitch) {
            *y = rescaled(&own, whole, *sums, min, max);
        }
    }
    for (; count > 0; count--, sums += step, y += pitch) {
        *y = rescaled(&own, whole, *sums, min, max);
    }
}

EL_APART void rescale(const el_layer_s8 *l, const channel_s8 *c, int32_t count, const float *sums, int32_t step,
                      int8_t *y)
{
    if (!c->quick) {
        for (; count > 0; count--, sums += step, y += l->pitch) {
            const int32_t sum = (int32_t)*sums + c->start;
            el_rescale_any_s8(l, c->channel, 1, &sum, y);
        }
    } else if (el_whole_s8(l)) {
        rescale_quick(c, 1, count, sums, step, 0, 0, y, l->pitch);
    } else {
        rescale_quick(c, 0, count, sums, step, l->min, l->max, y, l->pitch);
    }
}

void el_depthwise_conv2d_fwd_s8__rvf(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                                     const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                                     const int32_t *shift, int8_t *y, void *scratch)
{
    const int32_t taps = s->k_h * s->k_w;
    const int32_t pitch = s->in_pitch;
    el_layer_s8 l = {taps, pitch, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0, 0};
    l.small = el_small_s8(&l, s->in_c);
    const el_cut cut = el_cut_of(s, 0, EL_STRIP_POSITIONS);
    for (int32_t at = 0; at < s->in_c; at += cut.channels) {
        const int32_t c = el_min(at, s->in_c - cut.channels);
        const el_plane p = el_plane_of(s, &cut, c, x_zero, scratch);
        el_strip v = el_strip_first(s, p.channels);
        for (int32_t j = 0; j < p.channels; j++) {
            const float factor = channel_of(&l, c + j).quick ? (float)QUICK : 1.0f;
            for (int32_t k = 0; k < taps; k++) {
                p.w[k * p.channels + j] = factor * (float)w[k * pitch + c + j];
            }
        }
        for (int32_t row = 0; row < s->out_h; row += cut.rows) {
            el_strip_next(s, &p, row, s->in_w, x + c, &v);
            el_depthwise_conv2d_fwd_f32__rvf(&v.s, p.read, p.w, 0, p.made);
            for (int32_t j = 0; j < p.channels; j++) {
                const channel_s8 own = channel_of(&l, c + j);
                rescale(&l, &own, v.s.out_h * s->out_w, p.made + j, p.channels, y + row * s->out_w * pitch + c + j);
            }
        }
    }
}
