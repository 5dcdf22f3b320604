/* Layers that shift, where there is an FPU: the weights of some channels are decoded into scratch, and an instruction
 * set's own kernel for numbers does the rest, so that a weight is decoded once a call. The bits are those of that
 * kernel with the same weights. edgelearn/kernels/decoded.py repeats the sizes of blocks.
 *
 * EL_DECODED(FMT, ISA, MORE) defines all six steps; MORE(p) is `, p` where the depthwise kernels want scratch. */
#ifndef EL_SHIFT_DECODED_H
#define EL_SHIFT_DECODED_H

#include "codes.h"
#include "el/kernels.h"

#include <stddef.h>

enum {
    EL_DECODED_BYTES = 8192, /* of a block, or those of eight channels */
    EL_DECODED_GRAIN = 8,
};

/* Channels of a block, `terms` weights each. */
static inline int32_t el_decoded_channels(int32_t channels, int32_t terms)
{
    const int32_t bytes = terms * (int32_t)sizeof(el_real);
    const int32_t blocks = (int32_t)(((int64_t)channels * bytes + EL_DECODED_BYTES - 1) / EL_DECODED_BYTES);
    const int32_t each = (channels + blocks - 1) / blocks;
    const int32_t most = (each + EL_DECODED_GRAIN - 1) / EL_DECODED_GRAIN * EL_DECODED_GRAIN;
    return most < channels ? most : channels;
}

/* `rows` rows of `count` weights each, a pitch apart in the packed tensor. */
static inline void el_decode_rows(const uint8_t *w, int32_t bits, int32_t first, int32_t rows, int32_t pitch,
                                  int32_t count, const el_powers *p, el_real *to)
{
    if (count == pitch) {
        el_decode(w, bits, first, rows * count, p, to);
        return;
    }
    for (int32_t r = 0; r < rows; r++, first += pitch, to += count) {
        el_decode(w, bits, first, count, p, to);
    }
}

/* Channels of a block of the gradient of x: all, unless a block and its part of dx, which is put in its place behind,
 * take less memory. */
static inline int32_t el_decoded_inputs(const el_window *s)
{
    const int32_t channels = s->in_c / s->groups;
    const int32_t rows = s->k_h * s->k_w * s->out_c;
    const int32_t each = s->groups == 1 ? el_decoded_channels(channels, rows) : channels;
    return (int64_t)each * (rows + s->in_h * s->in_w) < (int64_t)channels * rows ? each : channels;
}

/* to[position * pitch + c] = from[position][c] */
static inline void el_place_channels(const el_real *from, int32_t positions, int32_t channels, el_real *to,
                                     int32_t pitch)
{
    for (int32_t p = 0; p < positions; p++, to += pitch) {
        for (int32_t c = 0; c < channels; c++) {
            to[c] = *from++;
        }
    }
}

/* What follows so many weights, in whole words. */
static inline void *el_behind(el_real *weights, int32_t count)
{
    return (char *)weights + (count * (int32_t)sizeof(el_real) + 3) / 4 * 4;
}

#define EL_NO_MORE(p)
#define EL_AND_MORE(p) , p

#ifdef EL_HALVES
/* A weight that is no half is left to the plain kernels, which never store one. */
#define EL_UNLESS_EXACT(bits, k, CALL)                                                                                 \
    if ((k) > 24 || (1 << ((bits)-1)) - 1 - (k) > 15) {                                                                \
        CALL;                                                                                                          \
        return;                                                                                                        \
    }
#else
#define EL_UNLESS_EXACT(bits, k, CALL)
#endif

#define EL_DECODED(FMT, ISA, MORE)                                                                                     \
    void el_conv2d_shift_fwd_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const el_real *x,             \
                                            const uint8_t *w, const el_real *b, el_real *y, void *scratch)             \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(conv2d_shift_fwd)(s, bits, k, x, w, b, y))                                     \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t terms = s->k_h * s->k_w * (s->in_c / s->groups);                                                 \
        const int32_t each = s->groups == 1 ? el_decoded_channels(s->out_c, terms) : s->out_c;                         \
        el_real *weights = scratch;                                                                                    \
        el_window part = *s;                                                                                           \
        for (int32_t o = 0; o < s->out_c; o += each) {                                                                 \
            part.out_c = s->out_c - o < each ? s->out_c - o : each;                                                    \
            el_decode(w, bits, o *terms, part.out_c *terms, &p, weights);                                              \
            el_conv2d_fwd_##FMT##__##ISA(&part, x, weights, b != NULL ? b + o : NULL, y + o,                           \
                                         el_behind(weights, each * terms));                                            \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void el_conv2d_shift_bwd_x_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const el_real *dy,          \
                                              const uint8_t *w, el_real *dx, void *scratch)                            \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(conv2d_shift_bwd_x)(s, bits, k, dy, w, dx))                                    \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t channels = s->in_c / s->groups;                                                                  \
        const int32_t rows = s->k_h * s->k_w * s->out_c;                                                               \
        const int32_t each = el_decoded_inputs(s);                                                                     \
        el_real *weights = scratch;                                                                                    \
        el_window part = *s;                                                                                           \
        if (each == channels) {                                                                                        \
            el_decode(w, bits, 0, rows *channels, &p, weights);                                                        \
            el_conv2d_bwd_x_##FMT##__##ISA(s, dy, weights, dx, el_behind(weights, rows *channels));                    \
        } else {                                                                                                       \
            const int32_t positions = s->in_h * s->in_w;                                                               \
            el_real *some = el_behind(weights, each * rows);                                                           \
            for (int32_t c = 0; c < channels; c += each) {                                                             \
                part.in_c = part.in_pitch = channels - c < each ? channels - c : each;                                 \
                el_decode_rows(w, bits, c, rows, channels, part.in_c, &p, weights);                                    \
                el_conv2d_bwd_x_##FMT##__##ISA(&part, dy, weights, some, el_behind(some, positions *each));            \
                el_place_channels(some, positions, part.in_c, dx + c, channels);                                       \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_shift_fwd_##FMT##__##ISA(const el_window *s, int32_t bits, int32_t k, const el_real *x,   \
                                                      const uint8_t *w, const el_real *b, el_real *y, void *scratch)   \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(depthwise_conv2d_shift_fwd)(s, bits, k, x, w, b, y))                           \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t count = s->k_h * s->k_w * s->out_c;                                                              \
        el_decode(w, bits, 0, count, &p, scratch);                                                                     \
        el_depthwise_conv2d_fwd_##FMT##__##ISA(s, x, scratch, b, y MORE(el_behind(scratch, count)));                   \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_shift_bwd_x_##FMT##__##ISA(                                                               \
        const el_window *s, int32_t bits, int32_t k, const el_real *dy, const uint8_t *w, el_real *dx, void *scratch)  \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(depthwise_conv2d_shift_bwd_x)(s, bits, k, dy, w, dx))                          \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t count = s->k_h * s->k_w * s->out_c;                                                              \
        el_decode(w, bits, 0, count, &p, scratch);                                                                     \
        el_depthwise_conv2d_bwd_x_##FMT##__##ISA(s, dy, scratch, dx MORE(el_behind(scratch, count)));                  \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_shift_fwd_##FMT##__##ISA(int32_t in, int32_t out, int32_t bits, int32_t k, const el_real *x,         \
                                           const uint8_t *w, const el_real *b, el_real *y, void *scratch)              \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(dense_shift_fwd)(in, out, bits, k, x, w, b, y))                                \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t each = el_decoded_channels(out, in);                                                             \
        for (int32_t o = 0; o < out; o += each) {                                                                      \
            const int32_t some = out - o < each ? out - o : each;                                                      \
            el_decode(w, bits, o *in, some *in, &p, scratch);                                                          \
            el_dense_fwd_##FMT##__##ISA(in, some, x, scratch, b != NULL ? b + o : NULL, y + o);                        \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void el_dense_shift_bwd_x_##FMT##__##ISA(int32_t in, int32_t out, int32_t pitch, int32_t bits, int32_t k,          \
                                             const el_real *dy, const uint8_t *w, el_real *dx, void *scratch)          \
    {                                                                                                                  \
        EL_UNLESS_EXACT(bits, k, EL_REF(dense_shift_bwd_x)(in, out, pitch, bits, k, dy, w, dx))                        \
        const el_powers p = el_powers_of(bits, k);                                                                     \
        const int32_t each = el_decoded_channels(in, out);                                                             \
        for (int32_t i = 0; i < in; i += each) {                                                                       \
            const int32_t some = in - i < each ? in - i : each;                                                        \
            el_decode_rows(w, bits, i, out, pitch, some, &p, scratch);                                                 \
            el_dense_bwd_x_##FMT##__##ISA(some, out, some, dy, scratch, dx + i);                                       \
        }                                                                                                              \
    }

#endif
