/* Depthwise convolution of int8 maps, four channels at a time: any kernel, stride and padding.
 *
 * Scratch holds the weights of four channels, and as many lines of the map as the kernel has, widened to 16 bits and
 * without the zero point, each line once: what is outside the map is zero in it, and no position is an edge. Lines run
 * along the map's longer side. Channels 0 and 2 lie in one word, 1 and 3 in the next, as SXTB16 takes four bytes apart.
 * Of five channels, say, the last four are computed once more. */
#include "dsp.h"

#include "../product_s8/direction.h"

enum { CHANNELS = 4 };

/* What four channels' sums start with, and their factors; see el_rescale_rows_s8. Where the short way is taken sums,
 * what they start with and the weights are twice as large, as that way wants them. */
typedef struct {
    int32_t start[CHANNELS];
    struct {
        int32_t multiplier, add, right;
    } of[CHANNELS];
    int quick; /* each of them, with bounds that are int8's own */
} factors;

typedef struct {
    int32_t s0, s1, s2, s3;
} four;

/* Four channels of `count` positions, `step` bytes apart. */
EL_INLINE uint32_t *widen(int32_t count, int32_t step, uint32_t minus, const int8_t *from, uint32_t *to)
{
    for (; count > 0; count--, from += step, to += 2) {
        const uint32_t word = el_word(from);
        to[0] = el_widen_even(minus, word);
        to[1] = el_widen_odd(minus, word);
    }
    return to;
}

EL_INLINE uint32_t *zeros(int32_t count, uint32_t *to)
{
    for (; count > 0; count--, to += 2) {
        to[0] = 0;
        to[1] = 0;
    }
    return to;
}

/* Line `line` of the map from position -pad on, `width` positions. */
EL_APART void widen_line(const el_direction *along, const el_direction *across, int32_t width, int32_t x_zero,
                         const int8_t *x, int32_t line, uint32_t *to)
{
    if (line < 0 || line >= across->in) {
        zeros(width, to);
        return;
    }
    const int32_t before = el_min(along->pad, width);
    const int32_t inside = el_min(along->in, width - before);
    to = zeros(before, to);
    to = widen(inside, along->x_step, el_minus(x_zero), x + line * across->x_step, to);
    zeros(width - before - inside, to);
}

static factors factors_of(const el_layer_s8 *l, int32_t first)
{
    factors f = {.quick = l->small && l->min == INT8_MIN && l->max == INT8_MAX};
    for (int32_t j = 0; j < CHANNELS; j++) {
        const int32_t less = -l->shift[first + j] - 1;
        const int in_range = (uint32_t)less < (uint32_t)EL_SMALL_SHIFT;
        f.of[j].multiplier = l->multiplier[first + j];
        f.of[j].add = in_range ? (2 * l->y_zero + 1) * (1 << less) : 0;
        f.of[j].right = less + 1;
        f.quick = f.quick && in_range;
    }
    for (int32_t j = 0; j < CHANNELS; j++) {
        f.start[j] = el_start_s8(l, first + j) * (f.quick ? 2 : 1);
    }
    return f;
}

/* Adds taps that lie side by side in a row: `count` of them, three if it is 0. The weights behind them. */
EL_INLINE const uint32_t *taps(four *sums, const uint32_t *v, const uint32_t *w, int32_t count)
{
    uint32_t v0, v1, w0, w1;
    int32_t s0 = sums->s0;
    int32_t s1 = sums->s1;
    int32_t s2 = sums->s2;
    int32_t s3 = sums->s3;
#define EL_TAP                                                                                                         \
    "ldrd %[v0], %[v1], [%[v]], #8\n"                                                                                  \
    "ldrd %[w0], %[w1], [%[w]], #8\n"                                                                                  \
    "smlabb %[s0], %[v0], %[w0], %[s0]\n"                                                                              \
    "smlabb %[s1], %[v1], %[w1], %[s1]\n"                                                                              \
    "smlatt %[s2], %[v0], %[w0], %[s2]\n"                                                                              \
    "smlatt %[s3], %[v1], %[w1], %[s3]\n"
#define EL_OPERANDS                                                                                                    \
    [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [v] "+r"(v), [w] "+r"(w), [v0] "=&r"(v0),              \
        [v1] "=&r"(v1), [w0] "=&r"(w0), [w1] "=&r"(w1)
    if (count == 0) {
        __asm__ volatile(EL_TAP EL_TAP EL_TAP:EL_OPERANDS : : "memory");
    } else {
        __asm__ volatile("1:\n" EL_TAP "subs %[count], %[count], #1\n"
                         "bne 1b\n"
                         : EL_OPERANDS, [count] "+r"(count)
                         :
                         : "cc", "memory");
    }
#undef EL_OPERANDS
#undef EL_TAP
    *sums = (four){s0, s1, s2, s3};
    return w;
}

/* Four bytes at y of twice the sums. */
EL_INLINE void rescale(const factors *f, const four *sums, int8_t *y)
{
    const void *of = f->of;
#define EL_ONE(sum, k)                                                                                                 \
    "ldm %[of]!, {r4, r5, r6}\n"                                                                                       \
    "smmlar r4, %[" sum "], r4, r5\n"                                                                                  \
    "add r4, r4, %[" sum "], asr #31\n"                                                                                \
    "asr r4, r4, r6\n"                                                                                                 \
    "ssat r4, #8, r4\n"                                                                                                \
    "strb r4, [%[y], #" k "]\n"
    __asm__ volatile(EL_ONE("s0", "0") EL_ONE("s1", "1") EL_ONE("s2", "2") EL_ONE("s3", "3")
                     : [of] "+r"(of)
                     : [s0] "r"(sums->s0), [s1] "r"(sums->s1), [s2] "r"(sums->s2), [s3] "r"(sums->s3), [y] "r"(y)
                     : "r4", "r5", "r6", "memory");
#undef EL_ONE
}

/* One line of outputs; lines[k] is line k of the kernel. Kernels of 3 x 3 have their loops unrolled. */
EL_INLINE void outputs(const el_direction *along, const int three, int32_t k, const factors *f, const el_layer_s8 *l,
                       int32_t first, const uint32_t *weights, const uint32_t *const *lines, int8_t *y)
{
    const int32_t step = 2 * along->stride;
    int32_t at = 0;
    for (int32_t n = along->out; n > 0; n--, at += step, y += along->y_step) {
        four s = {f->start[0], f->start[1], f->start[2], f->start[3]};
        const uint32_t *w = weights;
        for (int32_t i = 0; i < (three ? 3 : k); i++) {
            w = taps(&s, lines[i] + at, w, three ? 0 : along->k);
        }
        if (f->quick) {
            rescale(f, &s, y);
            continue;
        }
        const int32_t sums[CHANNELS] = {s.s0, s.s1, s.s2, s.s3};
        for (int32_t j = 0; j < CHANNELS; j++) {
            el_rescale_any_s8(l, first + j, 1, sums + j, y + j);
        }
    }
}

EL_APART void outputs_three(const el_direction *along, const factors *f, const el_layer_s8 *l, int32_t first,
                            const uint32_t *weights, const uint32_t *const *lines, int8_t *y)
{
    outputs(along, 1, 3, f, l, first, weights, lines, y);
}

EL_APART void outputs_any(const el_direction *along, int32_t k, const factors *f, const el_layer_s8 *l, int32_t first,
                          const uint32_t *weights, const uint32_t *const *lines, int8_t *y)
{
    outputs(along, 0, k, f, l, first, weights, lines, y);
}

static void channels_of_map(const el_direction *along, const el_direction *across, const el_layer_s8 *l,
                            const int8_t *x, int32_t first, int8_t *y, uint32_t *scratch)
{
    const int32_t width = el_width_s8(along);
    const uint32_t **lines = (const uint32_t **)scratch;
    uint32_t *weights = scratch + across->k;
    const factors f = factors_of(l, first);
    uint32_t *ring = weights;
    for (int32_t i = 0; i < across->k; i++) {
        for (int32_t j = 0; j < along->k; j++, ring += 2) {
            const uint32_t word = el_word(l->w + i * across->w_step + j * along->w_step + first);
            ring[0] = el_widen_even(f.quick ? el_widen_even(0, word) : 0, word);
            ring[1] = el_widen_odd(f.quick ? el_widen_odd(0, word) : 0, word);
        }
    }
    int32_t next = -across->pad; /* the first line that is not in the ring */
    int32_t slot = 0;            /* of line `at` */
    for (int32_t o = 0; o < across->out; o++, y += across->y_step) {
        const int32_t at = o * across->stride - across->pad;
        for (int32_t i = 0; i < across->k; i++) {
            uint32_t *own = ring + 2 * width * (slot + i < across->k ? slot + i : slot + i - across->k);
            lines[i] = own;
            if (at + i >= next) {
                widen_line(along, across, width, l->x_zero, x + first, at + i, own);
            }
        }
        next = at + across->k;
        slot = (slot + across->stride) % across->k;
        if (along->k == 3 && across->k == 3) {
            outputs_three(along, &f, l, first, weights, lines, y + first);
        } else {
            outputs_any(along, across->k, &f, l, first, weights, lines, y + first);
        }
    }
}

void el_depthwise_conv2d_fwd_s8__dsp(const el_window *s, int32_t x_zero, int32_t y_zero, int32_t min, int32_t max,
                                     const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *multiplier,
                                     const int32_t *shift, int8_t *y, void *scratch)
{
    const int32_t c = s->in_c;
    el_layer_s8 l = {s->k_h * s->k_w, c, x_zero, y_zero, min, max, w, b, multiplier, shift, 0, 0};
    l.small = el_small_s8(&l, c);
    const el_directions d = el_directions_of(s);
    for (int32_t channel = 0; channel < c; channel += CHANNELS) {
        channels_of_map(&d.along, &d.across, &l, x, el_min(channel, c - CHANNELS), y, scratch);
    }
}
