/* Layers that shift for cores without an FPU. The terms of a position become integers of one scale, 31 bits below the
 * largest of them; their sum is exact, and is rounded once. A term is off by half a step at most, that is 2^-32 of the
 * largest, times its weight, which is at most 2^7 times the smallest one: by no more than what a float sum rounds off
 * for each term, 2^-24 of the sum of absolute values. Two positions are summed at a time, in words of 16 bits and of
 * what is above. Where a term is infinite or no number floats are summed. */
#ifndef EL_SHIFT_FIXED_H
#define EL_SHIFT_FIXED_H

#include "../real.h"
#include "blocks.h"

#include "el/kernels.h"

#include <stddef.h>

enum {
    EL_FIXED_POSITIONS = 2,
    EL_FIXED_ROOM = 32767, /* words of 16 bits in 31 */
};

/* `sum` times 2^exponent, to the nearest float. */
EL_APART float el_fixed_value(int64_t sum, int32_t exponent)
{
    uint64_t size = sum < 0 ? 0u - (uint64_t)sum : (uint64_t)sum;
    if (size == 0) {
        return 0.0f;
    }
    const uint32_t high = (uint32_t)(size >> 32);
    int32_t top = high != 0 ? 63 - __builtin_clz(high) : 31 - __builtin_clz((uint32_t)size);
    if (top > 23) {
        const int32_t less = top - 23;
        const uint64_t half = (uint64_t)1 << (less - 1);
        size = (size + half - 1 + (size >> less & 1)) >> less; /* ties to even */
        if (size >> 24 != 0) {
            size >>= 1;
            top++;
        }
    } else {
        size <<= 23 - top;
    }
    const int32_t n = top + exponent;
    const uint32_t fraction = (uint32_t)size & 0x7FFFFFu;
    el_f32_bits value;
    if (n >= -126 && n <= 127) {
        value.u = (uint32_t)(n + 127) << 23 | fraction;
    } else {
        value.u = 127u << 23 | fraction;
        const int32_t near = n < 0 ? -126 : 127;
        const int32_t rest = n - near;
        value.f = el_scaled(el_scaled(value.f, near), rest < -126 ? -126 : rest > 127 ? 127 : rest);
    }
    value.u |= sum < 0 ? 0x80000000u : 0u;
    return value.f;
}

/* The terms of a position, as the bits of floats in the first word of each; gives the largest exponent's bits. */
EL_APART uint32_t el_fixed_gather(const el_view *v, int32_t group, const int32_t *at, const el_real *x, uint32_t *to)
{
    uint32_t most = 0;
    for (const int32_t *end = at + v->taps; at != end; at++) {
        const el_real *from = x + (*at < 0 ? 0 : *at) + group * v->run;
        for (int32_t i = 0; i < v->run; i++, to += EL_TERM_WORDS) {
            const el_f32_bits value = {*at < 0 ? 0.0f : get(from + i)};
            const uint32_t size = value.u & 0x7FFFFFFFu;
            *to = value.u;
            most = size > most ? size : most;
        }
    }
    return most >> 23;
}

/* Floats to integers of a scale: what is above 16 bits, and those. */
EL_APART void el_fixed_split(int32_t terms, int32_t most, uint32_t *to)
{
    for (const uint32_t *end = to + terms * EL_TERM_WORDS; to != end; to += EL_TERM_WORDS) {
        const uint32_t bits = *to;
        const int32_t exponent = (int32_t)(bits >> 23 & 255u);
        const uint32_t fraction = (bits & 0x7FFFFFu) << 7;
        const uint32_t size = exponent != 0 ? fraction | 1u << 30 : fraction;
        const int32_t less = most - (exponent != 0 ? exponent : 1);
        const uint32_t steps = less > 31 ? 0 : (size + ((1u << less) >> 1)) >> less;
        const uint32_t number = bits >> 31 != 0 ? 0u - steps : steps;
        to[0] = (uint32_t)((int32_t)number >> 16);
        to[1] = number & 0xFFFFu;
    }
}

EL_INLINE int64_t el_fixed_plus(int64_t sum, uint32_t high, uint32_t low, int32_t exponent)
{
    const int64_t more = (int64_t)((uint64_t)(int64_t)(int32_t)high << 16) + (int32_t)low;
    return (int64_t)((uint64_t)sum + ((uint64_t)more << exponent));
}

static void el_fixed_spill(void *sums, const el_words *words, int32_t exponent)
{
    int64_t *to = sums;
    to[0] = el_fixed_plus(to[0], words->a, words->b, exponent);
    to[1] = el_fixed_plus(to[1], words->c, words->d, exponent);
}

EL_APART void el_fixed_sums_2(int32_t bits, const void *patch, const uint16_t *sorted, int64_t *sums)
{
    el_sum_taps(4, EL_FIXED_ROOM, el_fixed_spill, bits, patch, sorted, sums);
}

EL_APART void el_fixed_sums_1(int32_t bits, const void *patch, const uint16_t *sorted, int64_t *sums)
{
    el_sum_taps(2, EL_FIXED_ROOM, el_fixed_spill, bits, patch, sorted, sums);
}

/* The sum of one channel in floats, for terms that are still floats. */
EL_APART float el_fixed_plain(const el_view *v, const uint8_t *w, int32_t bits, int32_t k, int32_t first,
                              const uint32_t *from)
{
    float sum = 0.0f;
    for (int32_t tap = 0; tap < v->taps; tap++) {
        int32_t index = first + tap * v->tap_step;
        for (int32_t i = 0; i < v->run; i++, index += v->run_step, from += EL_TERM_WORDS) {
            const el_f32_bits value = {.u = *from};
            sum += el_shift_times(value.f, el_shift_code(w, bits, index), bits, k);
        }
    }
    return sum;
}

/* What a layer is given besides its view. */
typedef struct {
    int32_t bits, k;
    const el_real *x;
    const uint8_t *w;
    const el_real *b;
    el_real *y;
} el_fixed;

/* Two positions, or one, of a block of outputs. */
static void el_fixed_positions(const el_view *v, const el_fixed *l, el_outputs block, const int32_t *at, int32_t some,
                               uint32_t *patch, const uint16_t *sorted, int32_t o, el_real *y)
{
    (void)o;
    const int32_t terms = el_view_terms(v);
    const int32_t size = el_taps_bytes(terms) / 2;
    const int32_t pitch = el_view_pitch(v);
    uint32_t most[EL_FIXED_POSITIONS] = {0, 0};
    for (int32_t n = 0, group = block.group, c = block.first; n < block.outputs; n++, sorted += size, y++) {
        if (n == 0 || c == 0) {
            for (int32_t i = 0; i < some; i++) {
                const uint32_t found = el_fixed_gather(v, group, at + i * v->taps, l->x, patch + 2 * i);
                most[i] = found == 0 ? 1 : found;
                if (found != 255) {
                    el_fixed_split(terms, (int32_t)most[i], patch + 2 * i);
                }
            }
        }
        int64_t sums[EL_FIXED_POSITIONS] = {0, 0};
        if (some == 1) {
            el_fixed_sums_1(l->bits, patch, sorted, sums);
        } else {
            el_fixed_sums_2(l->bits, patch, sorted, sums);
        }
        for (int32_t i = 0; i < some; i++) {
            float sum;
            if (most[i] != 255) {
                sum = el_fixed_value(sums[i], (int32_t)most[i] - 127 - 30 - l->k);
            } else {
                sum =
                    el_fixed_plain(v, l->w, l->bits, l->k, group * v->group_step + c * v->channel_step, patch + 2 * i);
            }
            put(&y[i * pitch], l->b != NULL ? sum + get(&l->b[group * v->channels + c]) : sum);
        }
        if (++c == v->channels) {
            c = 0;
            group++;
        }
    }
}

#define EL_FIXED_CLEAR(words, patch) /* a single position is summed alone */
EL_LAYER_IN_BLOCKS(el_fixed_layer, el_fixed, EL_FIXED_POSITIONS, EL_FIXED_CLEAR, el_fixed_positions)

/* All six steps in a format. */
#define EL_FIXED_STEPS(FMT)                                                                                            \
    void el_conv2d_shift_fwd_##FMT##__fix(const el_window *s, int32_t bits, int32_t k, const el_real *x,               \
                                          const uint8_t *w, const el_real *b, el_real *y, void *scratch)               \
    {                                                                                                                  \
        const el_view v = el_view_conv2d_fwd(s);                                                                       \
        const el_fixed l = {bits, k, x, w, b, y};                                                                      \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_conv2d_shift_bwd_x_##FMT##__fix(const el_window *s, int32_t bits, int32_t k, const el_real *dy,            \
                                            const uint8_t *w, el_real *dx, void *scratch)                              \
    {                                                                                                                  \
        const el_view v = el_view_conv2d_bwd_x(s);                                                                     \
        const el_fixed l = {bits, k, dy, w, NULL, dx};                                                                 \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_shift_fwd_##FMT##__fix(const el_window *s, int32_t bits, int32_t k, const el_real *x,     \
                                                    const uint8_t *w, const el_real *b, el_real *y, void *scratch)     \
    {                                                                                                                  \
        const el_view v = el_view_depthwise_fwd(s);                                                                    \
        const el_fixed l = {bits, k, x, w, b, y};                                                                      \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_shift_bwd_x_##FMT##__fix(const el_window *s, int32_t bits, int32_t k, const el_real *dy,  \
                                                      const uint8_t *w, el_real *dx, void *scratch)                    \
    {                                                                                                                  \
        const el_view v = el_view_depthwise_bwd_x(s);                                                                  \
        const el_fixed l = {bits, k, dy, w, NULL, dx};                                                                 \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_shift_fwd_##FMT##__fix(int32_t in, int32_t out, int32_t bits, int32_t k, const el_real *x,           \
                                         const uint8_t *w, const el_real *b, el_real *y, void *scratch)                \
    {                                                                                                                  \
        const el_window s = EL_ONE_POSITION(in, out);                                                                  \
        const el_view v = el_view_dense_fwd(&s);                                                                       \
        const el_fixed l = {bits, k, x, w, b, y};                                                                      \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_shift_bwd_x_##FMT##__fix(int32_t in, int32_t out, int32_t pitch, int32_t bits, int32_t k,            \
                                           const el_real *dy, const uint8_t *w, el_real *dx, void *scratch)            \
    {                                                                                                                  \
        const el_window s = EL_ONE_POSITION(in, out);                                                                  \
        const el_view v = el_view_dense_bwd_x(&s, pitch);                                                              \
        const el_fixed l = {bits, k, dy, w, NULL, dx};                                                                 \
        el_fixed_layer(&v, &l, scratch);                                                                               \
    }

#endif
