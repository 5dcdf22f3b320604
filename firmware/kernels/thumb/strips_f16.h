/* Depthwise convolution (multiplier 1) of halves in floats: strips are computed as sweep.h does, and rounded once on
 * their way back. */
#ifndef EL_THUMB_STRIPS_F16_H
#define EL_THUMB_STRIPS_F16_H

#include "halves.h"
#include "lanes.h"

/* `count` positions of `channels` sixteens of channels: both pointers end up behind them. */
#define EL_STRIP_ASM(text)                                                                                             \
    __asm__ volatile("1:\n\tmov %[i], %[n]\n2:\n\t" text "subs %[i], %[i], #1\n\tbne 2b\n\tadd %[p], %[p], %[hop]\n\t" \
                     "subs %[count], %[count], #1\n\tbne 1b\n\t"                                                       \
                     : [p] "+r"(map), [t] "+r"(rows), [count] "+r"(count), [i] "=&r"(i)                                \
                     : [n] "r"(channels / 16), [hop] "r"(2 * (pitch - channels))                                       \
                     : EL_ALL_REGISTERS)

static inline int el_strip_even(int32_t count, int32_t channels, const el_f16 *map, int32_t pitch)
{
    return count > 0 && channels % 16 == 0 && pitch % 2 == 0 && !el_halfway(map);
}

/* `count` positions of some channels, from a map or to one. */
static void el_strip_load(int32_t count, int32_t channels, const el_f16 *map, int32_t pitch, int32_t zero, float *rows)
{
    (void)zero;
    int32_t i;
    if (el_strip_even(count, channels, map, pitch)) {
        EL_STRIP_ASM("vldmia %[p]!, {s0-s7}\n\t" EL_WIDEN_16 "vstmia %[t]!, {s16-s31}\n\t");
        return;
    }
    for (; count > 0; count--, map += pitch, rows += channels) {
        el_widen(channels, map, rows);
    }
}

static void el_strip_store(int32_t count, int32_t channels, const float *rows, el_f16 *map, int32_t pitch)
{
    int32_t i;
    if (el_strip_even(count, channels, map, pitch)) {
        EL_STRIP_ASM("vldmia %[t]!, {s16-s31}\n\t" EL_NARROW_16 "vstmia %[p]!, {s0-s7}\n\t");
        return;
    }
    for (; count > 0; count--, rows += channels, map += pitch) {
        el_store_row(channels, rows, map);
    }
}

/* Towards the front. */
static void el_strip_move(int32_t count, const float *from, float *to)
{
    EL_HALVES_LOOP(16, "vldmia %[p]!, {s0-s15}\n\tvstmia %[t]!, {s0-s15}\n\t")
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

#include "../strips.h"

static inline void el_strips_forward(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b, el_f16 *y,
                                     float *scratch)
{
    const int32_t pitch = s->in_pitch;
    const el_cut cut = el_cut_of(s, 0, 1);
    for (int32_t c = 0; c < s->in_c; c += cut.channels) {
        const el_plane p = el_plane_of(s, &cut, c, 0, scratch);
        el_strip v = el_strip_first(s, p.channels);
        el_strip_load(s->k_h * s->k_w, p.channels, w + c, pitch, 0, p.w);
        if (b != 0) {
            el_widen(p.channels, b + c, p.b);
        }
        for (int32_t row = 0; row < s->out_h; row += cut.rows) {
            el_strip_next(s, &p, row, s->in_w, x + c, &v);
            el_sweep_forward(&v.s, p.read, p.w, b != 0 ? p.b : 0, p.made);
            el_strip_store(v.s.out_h * s->out_w, p.channels, p.made, y + row * s->out_w * pitch + c, pitch);
        }
    }
}

static inline void el_strips_backward_x(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx,
                                        float *scratch)
{
    const int32_t pitch = s->in_pitch;
    const el_cut cut = el_cut_of(s, 1, 1);
    for (int32_t c = 0; c < s->in_c; c += cut.channels) {
        const el_plane p = el_plane_of(s, &cut, c, 0, scratch);
        el_strip v = el_strip_first(s, p.channels);
        el_strip_load(s->k_h * s->k_w, p.channels, w + c, pitch, 0, p.w);
        for (int32_t row = 0; row < s->in_h; row += cut.rows) {
            el_strip_next(s, &p, row, s->out_w, dy + c, &v);
            el_sweep_backward_x(&v.s, p.read, p.w, p.made);
            el_strip_store(v.s.in_h * s->in_w, p.channels, p.made, dx + row * s->in_w * pitch + c, pitch);
        }
    }
}

static inline void el_strips_backward_w(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy, el_f16 *dw,
                                        float *scratch)
{
    const int32_t pitch = s->in_pitch;
    const el_cut cut = el_cut_of(s, 0, EL_STRIP_POSITIONS);
    for (int32_t c = 0; c < s->in_c; c += cut.channels) {
        const el_plane p = el_plane_of(s, &cut, c, 0, scratch);
        el_strip v = el_strip_first(s, p.channels);
        el_clear_rows(1, s->k_h * s->k_w * p.channels, p.w, 0);
        for (int32_t row = 0; row < s->out_h; row += cut.rows) {
            el_strip_next(s, &p, row, s->in_w, x + c, &v);
            el_strip_load(v.s.out_h * s->out_w, p.channels, dy + row * s->out_w * pitch + c, pitch, 0, p.made);
            el_sweep_backward_w(&v.s, scale, p.read, p.made, p.w);
        }
        for (int32_t k = 0; k < s->k_h * s->k_w; k++) {
            el_add_row(p.channels, p.w + k * p.channels, dw + k * pitch + c);
        }
    }
}

/* All three for an instruction set. */
#define EL_DEPTHWISE_BY_STRIPS(ISA)                                                                                    \
    void el_depthwise_conv2d_fwd_f16__##ISA(const el_window *s, const el_f16 *x, const el_f16 *w, const el_f16 *b,     \
                                            el_f16 *y, void *scratch)                                                  \
    {                                                                                                                  \
        el_strips_forward(s, x, w, b, y, scratch);                                                                     \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_bwd_x_f16__##ISA(const el_window *s, const el_f16 *dy, const el_f16 *w, el_f16 *dx,       \
                                              void *scratch)                                                           \
    {                                                                                                                  \
        el_strips_backward_x(s, dy, w, dx, scratch);                                                                   \
    }                                                                                                                  \
                                                                                                                       \
    void el_depthwise_conv2d_bwd_w_f16__##ISA(const el_window *s, float scale, const el_f16 *x, const el_f16 *dy,      \
                                              el_f16 *dw, void *scratch)                                               \
    {                                                                                                                  \
        el_strips_backward_w(s, scale, x, dy, dw, scratch);                                                            \
    }

#endif
