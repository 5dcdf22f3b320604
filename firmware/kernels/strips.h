/* Depthwise convolution (multiplier 1) in strips: some channels of some rows of a map at a time are converted to floats
 * in scratch and computed there. Each row is converted once for the strips of its channels.
 *
 * edgelearn/kernels/strips.py repeats el_cut_of(): it knows the scratch. The file that includes this says with el_map_t
 * of what type maps are, and has
 *   el_strip_load(count, channels, map, pitch, zero, rows)
 *                                    `count` positions of some channels, `pitch` apart, less `zero`, as floats
 *   el_strip_move(count, from, to)   floats, towards the front */
#ifndef EL_STRIPS_H
#define EL_STRIPS_H

#include "el/ops.h"

#include "inline.h"

/* Bytes of scratch; positions of a strip whose loops run along it; channels come in so many. */
enum { EL_STRIP_BYTES = 8192, EL_STRIP_POSITIONS = 24, EL_STRIP_LANES = 8 };

/* Channels and rows of a strip; back: of the gradient of x, whose rows are made of rows of dy. */
typedef struct {
    int32_t channels, rows;
    int back;
} el_cut;

/* So many rows are read for `rows` that are made, at most. */
static inline int32_t el_cut_reads(const el_window *s, const el_cut *c)
{
    return c->back ? el_min((c->rows + s->k_h - 2) / s->stride_h + 2, s->out_h)
                   : el_min((c->rows - 1) * s->stride_h + s->k_h, s->in_h);
}

/* Elements a channel: of rows that are read, that are made, weights and a bias. */
static inline int32_t el_cut_read(const el_window *s, const el_cut *c)
{
    return el_cut_reads(s, c) * (c->back ? s->out_w : s->in_w);
}

static inline int32_t el_cut_made(const el_window *s, const el_cut *c)
{
    return c->rows * (c->back ? s->in_w : s->out_w);
}

static inline int32_t el_cut_bytes(const el_window *s, const el_cut *c)
{
    return (el_cut_read(s, c) + el_cut_made(s, c) + s->k_h * s->k_w + 1) * c->channels * (int32_t)sizeof(float);
}

/* As many channels as have room with rows of so many positions, then as many rows. */
static el_cut el_cut_of(const el_window *s, int back, int32_t positions)
{
    const int32_t rows = back ? s->in_h : s->out_h;
    const int32_t least = el_min((positions + s->out_w - 1) / s->out_w, rows);
    el_cut c = {s->in_c, least, back};
    while (c.channels > EL_STRIP_LANES && el_cut_bytes(s, &c) > EL_STRIP_BYTES) {
        c.channels = ((c.channels + 1) / 2 + EL_STRIP_LANES - 1) / EL_STRIP_LANES * EL_STRIP_LANES;
    }
    while (c.rows > 1 && el_cut_bytes(s, &c) > EL_STRIP_BYTES) {
        c.rows--;
    }
    for (el_cut more = {c.channels, c.rows + 1, back}; more.rows <= rows && el_cut_bytes(s, &more) <= EL_STRIP_BYTES;
         more.rows++) {
        c.rows = more.rows;
    }
    return c;
}

/* One strip: its window, channels one behind the other, and the rows that it reads, from the first to the last. */
typedef struct {
    el_window s;
    int32_t from, end;
} el_strip;

static el_strip el_strip_first(const el_window *s, int32_t channels)
{
    el_strip v = {*s, 0, 0};
    v.s.in_c = v.s.out_c = v.s.in_pitch = v.s.out_pitch = channels;
    return v;
}

/* The strip whose first row that is made is `first`; v has the sizes that all strips share. */
static void el_strip_at(const el_window *s, const el_cut *c, int32_t first, el_strip *v)
{
    if (c->back) {
        const int32_t rows = el_min(c->rows, s->in_h - first);
        const int32_t at = first + s->pad_top;
        v->from = el_max((at - s->k_h + s->stride_h) / s->stride_h, 0);
        v->from = el_min(el_min(v->from, at / s->stride_h), s->out_h);
        v->s.out_h = el_min((at + rows - 1) / s->stride_h + 1, s->out_h) - v->from;
        v->s.in_h = rows;
        v->s.pad_top = at - v->from * s->stride_h;
        v->end = v->from + v->s.out_h;
    } else {
        const int32_t rows = el_min(c->rows, s->out_h - first);
        const int32_t at = first * s->stride_h - s->pad_top;
        v->from = el_min(el_max(at, 0), s->in_h);
        v->s.in_h = el_max(el_min(at + (rows - 1) * s->stride_h + s->k_h, s->in_h) - v->from, 0);
        v->s.out_h = rows;
        v->s.pad_top = v->from - at;
        v->end = v->from + v->s.in_h;
    }
}

/* What the strips of some channels share: where in scratch their weights, their rows and a bias are. */
typedef struct {
    el_cut cut;
    int32_t channels, zero;
    float *read, *made, *w, *b;
} el_plane;

static el_plane el_plane_of(const el_window *s, const el_cut *cut, int32_t first, int32_t zero, float *scratch)
{
    el_plane p = {*cut, el_min(cut->channels, s->in_c - first), zero, scratch, 0, 0, 0};
    p.made = p.read + el_cut_read(s, cut) * p.channels;
    p.w = p.made + el_cut_made(s, cut) * p.channels;
    p.b = p.w + s->k_h * s->k_w * p.channels;
    return p;
}

/* Goes on to the strip at row `first`: its rows, of `row` positions of a map, into scratch. Those that the strip before
 * it has read too are moved. */
static void el_strip_next(const el_window *s, const el_plane *p, int32_t first, int32_t row, const el_map_t *map,
                          el_strip *v)
{
    const int32_t size = row * p->channels;
    const int32_t from = v->from;
    const int32_t end = v->end;
    el_strip_at(s, &p->cut, first, v);
    const int32_t kept = el_max(end - v->from, 0);
    if (kept > 0) {
        el_strip_move(kept * size, p->read + (v->from - from) * size, p->read);
    }
    el_strip_load((v->end - v->from - kept) * row, p->channels, map + (v->from + kept) * row * s->in_pitch, s->in_pitch,
                  p->zero, p->read + kept * size);
}

#endif
