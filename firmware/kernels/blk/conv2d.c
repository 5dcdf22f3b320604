/* Convolution with register tiles for cores with an FPU: any size, stride, padding and groups.
 *
 * forward: 4 output positions x 4 output channels, summing over the window. Windows inside the map are read in place,
 *   one contiguous piece a window row; windows that touch padding are gathered into scratch, 4 at a time.
 * gradient of x, as a gather: 4 input positions of one stride phase x 4 input channels, summing over taps and output
 *   channels. Nothing is zeroed or scattered; positions outside dy read a row of zeros in scratch.
 * gradient of w: 4 output channels x 4 consecutive elements of a window row, summing over all positions in registers,
 *   so that dw is touched once. Rows and columns in the padding are left out of the loops' bounds. */
#include "el/kernels.h"
#include "tile.h"

/* A 1 x 1 convolution does not care for the map's shape: one long row makes the tiles full. */
static el_window flatten(const el_window *s)
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

/* to[ky][kx][c] = the window at (iy, ix), channels [c0, c0 + cg), zeros in the padding */
static void gather(const el_window *s, const el_real *x, int32_t iy, int32_t ix, int32_t c0, int32_t cg, el_real *to)
{
    for (int32_t ky = 0; ky < s->k_h; ky++, iy++) {
        const int row_inside = iy >= 0 && iy < s->in_h;
        for (int32_t kx = 0; kx < s->k_w; kx++) {
            const int inside = row_inside && ix + kx >= 0 && ix + kx < s->in_w;
            if (inside) {
                const el_real *from = x + (iy * s->in_w + ix + kx) * s->in_c + c0;
                for (const el_real *end = from + cg; from != end;) {
                    *to++ = *from++;
                }
            } else {
                for (const el_real *end = to + cg; to != end;) {
                    put(to++, 0.0f);
                }
            }
        }
    }
}

/* Where the windows of up to four positions lie: a[i] + piece*step + [0, len) for piece < pieces. */
typedef struct {
    const el_real *a[4];
    int32_t pieces, len, step;
} windows;

EL_INLINE void forward_tile(int rows, int cols, const windows *v, const el_real *w, int32_t k, const el_real *b,
                            el_real *y, int32_t ldy)
{
    el_tile t = el_tile_start(cols, b);
    int32_t at = 0;
    for (int32_t piece = 0; piece < v->pieces; piece++, at += v->step, w += v->len) {
        el_tile_dot(&t, rows, cols, v->len, v->a[0] + at, v->a[1] + at, v->a[2] + at, v->a[3] + at, w, w + k, w + 2 * k,
                    w + 3 * k);
    }
    el_tile_store(&t, rows, cols, y, ldy);
}

EL_INLINE void forward_channels(int rows, const windows *v, int32_t channels, const el_real *w, int32_t k,
                                const el_real *b, el_real *y, int32_t ldy)
{
    int32_t o = 0;
    for (; EL_SIDE == 4 && o + 4 <= channels; o += 4) {
        forward_tile(rows, 4, v, w + o * k, k, b != 0 ? b + o : 0, y + o, ldy);
    }
    for (; o < channels; o++) {
        forward_tile(rows, 1, v, w + o * k, k, b != 0 ? b + o : 0, y + o, ldy);
    }
}

void EL_BLK(conv2d_fwd)(const el_window *s, const el_real *x, const el_real *w, const el_real *b, el_real *y,
                        void *scratch)
{
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t k = s->k_h * s->k_w * cg;
    const int32_t positions = s->out_h * s->out_w;
    int32_t oy = 0;
    int32_t ox = 0;
    for (int32_t p = 0; p < positions;) {
        const int32_t n = EL_SIDE == 4 && positions - p >= 4 ? 4 : 1;
        int32_t iy[4];
        int32_t ix[4];
        int direct = s->groups == 1;
        for (int32_t i = 0; i < n; i++) {
            iy[i] = oy * s->stride_h - s->pad_top;
            ix[i] = ox * s->stride_w - s->pad_left;
            direct = direct && iy[i] >= 0 && ix[i] >= 0 && iy[i] + s->k_h <= s->in_h && ix[i] + s->k_w <= s->in_w;
            if (++ox == s->out_w) {
                ox = 0;
                oy++;
            }
        }
        for (int32_t g = 0; g < s->groups; g++) {
            windows v;
            for (int32_t i = 0; i < 4; i++) {
                const int32_t j = i < n ? i : 0;
                if (direct) {
                    v.a[i] = x + (iy[j] * s->in_w + ix[j]) * s->in_c;
                } else {
                    v.a[i] = (el_real *)scratch + j * k;
                    if (i < n) {
                        gather(s, x, iy[i], ix[i], g * cg, cg, (el_real *)scratch + i * k);
                    }
                }
            }
            v.pieces = direct ? s->k_h : 1;
            v.len = direct ? s->k_w * cg : k;
            v.step = s->in_w * s->in_c;
            el_real *to = y + p * s->out_pitch + g * og;
            const el_real *bias = b != 0 ? b + g * og : 0;
            if (n == 4) {
                forward_channels(4, &v, og, w + g * og * k, k, bias, to, s->out_pitch);
            } else {
                forward_channels(1, &v, og, w + g * og * k, k, bias, to, s->out_pitch);
            }
        }
        p += n;
    }
}

/* dx at rows x cols of (positions start, start + stride_w, ..., channels c...): sum over the taps of its stride phase.
 * dy and w point at the group's first output channel; w at channel c. */
EL_INLINE void gather_tile(int rows, int cols, const el_window *s, int32_t iy, int32_t start, const el_real *dy,
                           const el_real *w, const el_real *zeros, el_real *dx)
{
    const int32_t cg = s->groups == 1 ? s->in_pitch : s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t k = s->k_h * s->k_w * cg;
    const int32_t oy_first = (iy + s->pad_top) / s->stride_h;
    const int32_t ky_first = iy + s->pad_top - oy_first * s->stride_h;
    const int32_t ox_first = (start + s->pad_left) / s->stride_w;
    const int32_t kx_first = start + s->pad_left - ox_first * s->stride_w;
    el_tile t = {0};
    for (int32_t ky = ky_first, oy = oy_first; ky < s->k_h && oy >= 0; ky += s->stride_h, oy--) {
        if (oy >= s->out_h) {
            continue;
        }
        for (int32_t kx = kx_first, ox = ox_first; kx < s->k_w; kx += s->stride_w, ox--) {
            if (ox + rows <= 0 || ox >= s->out_w) {
                continue;
            }
            const el_real *d0 = zeros;
            const el_real *d1 = zeros;
            const el_real *d2 = zeros;
            const el_real *d3 = zeros;
            const int32_t at = (oy * s->out_w + ox) * s->out_c;
            if (ox >= 0 && ox + rows <= s->out_w) {
                d0 = dy + at;
                d1 = rows > 1 ? d0 + s->out_c : d0;
                d2 = rows > 2 ? d1 + s->out_c : d0;
                d3 = rows > 2 ? d2 + s->out_c : d0;
            } else {
                d0 = ox >= 0 ? dy + at : d0;
                d1 = ox + 1 >= 0 && ox + 1 < s->out_w ? dy + (at + s->out_c) : d1;
                d2 = ox + 2 >= 0 && ox + 2 < s->out_w ? dy + (at + 2 * s->out_c) : d2;
                d3 = ox + 3 < s->out_w ? dy + (at + 3 * s->out_c) : d3;
            }
            el_tile_rows(&t, rows, cols, og, d0, d1, d2, d3, w + (ky * s->k_w + kx) * cg, k);
        }
    }
    el_tile_store(&t, rows, cols, dx, s->stride_w * s->in_pitch);
}

EL_INLINE void gather_channels(int rows, const el_window *s, int32_t iy, int32_t start, const el_real *dy,
                               const el_real *w, const el_real *zeros, el_real *dx)
{
    const int32_t cg = s->in_c / s->groups;
    int32_t c = 0;
    for (; EL_SIDE == 4 && c + 4 <= cg; c += 4) {
        gather_tile(rows, 4, s, iy, start, dy, w + c, zeros, dx + c);
    }
    for (; c < cg; c++) {
        gather_tile(rows, 1, s, iy, start, dy, w + c, zeros, dx + c);
    }
}

void EL_BLK(conv2d_bwd_x)(const el_window *shape, const el_real *dy, const el_real *w, el_real *dx, void *scratch)
{
    const el_window f = flatten(shape);
    const el_window *s = &f;
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    el_real *zeros = scratch;
    for (int32_t o = 0; o < og; o++) {
        put(&zeros[o], 0.0f);
    }
    for (int32_t g = 0; g < s->groups; g++, dy += og, dx += cg, w += og * s->k_h * s->k_w * cg) {
        for (int32_t iy = 0; iy < s->in_h; iy++) {
            for (int32_t phase = 0; phase < el_min(s->stride_w, s->in_w); phase++) {
                int32_t ix = phase;
                for (; EL_SIDE == 4 && ix + 3 * s->stride_w < s->in_w; ix += 4 * s->stride_w) {
                    gather_channels(4, s, iy, ix, dy, w, zeros, dx + (iy * s->in_w + ix) * s->in_pitch);
                }
                for (; ix < s->in_w; ix += s->stride_w) {
                    gather_channels(1, s, iy, ix, dy, w, zeros, dx + (iy * s->in_w + ix) * s->in_pitch);
                }
            }
        }
    }
}

/* Columns of dy that use a tile of window-row elements: [any_from, any_to) at least one, [from, to) all of them. */
typedef struct {
    int32_t any_from, from, to, any_to;
} columns;

/* Tap kx reads inside the map from column ceil((pad - kx) / stride) to floor((in_w - 1 + pad - kx) / stride). */
static columns columns_of(const el_window *s, int32_t kx_low, int32_t kx_high)
{
    const int32_t low = s->pad_left - kx_low;
    const int32_t high = s->pad_left - kx_high;
    columns c;
    c.from = low > 0 ? (low + s->stride_w - 1) / s->stride_w : 0;
    c.any_from = high > 0 ? (high + s->stride_w - 1) / s->stride_w : 0;
    c.to = s->in_w - 1 + high < 0 ? 0 : el_min((s->in_w - 1 + high) / s->stride_w + 1, s->out_w);
    c.any_to = s->in_w - 1 + low < 0 ? 0 : el_min((s->in_w - 1 + low) / s->stride_w + 1, s->out_w);
    c.to = el_max(c.to, c.from);
    return c;
}

EL_INLINE float inside(const el_real *row, int32_t at, int32_t size)
{
    return at >= 0 && at < size ? get(&row[at]) : 0.0f;
}

/* dw[0..rows)[0..cols) for elements e.. of window row ky. Where they belong to different taps, their columns differ at
 * the map's edges; there each element is tested on its own. */
EL_INLINE void weight_tile(int rows, int cols, const el_window *s, const columns *c, float scale, const el_real *x,
                           const el_real *dy, int32_t ky, int32_t e, int32_t k, el_real *dw)
{
    const int32_t hop = s->stride_w * s->in_pitch;
    const int32_t size = s->in_w * s->in_pitch;
    const int32_t origin = e - s->pad_left * s->in_pitch; /* of the window at column 0, relative to its row of x */
    el_tile t = {0};
    int32_t iy = ky - s->pad_top;
    for (int32_t oy = 0; oy < s->out_h; oy++, iy += s->stride_h) {
        if (iy < 0 || iy >= s->in_h) {
            continue;
        }
        const el_real *row = x + iy * size;
        const el_real *d = dy + oy * s->out_w * s->out_pitch;
        el_tile_outer(&t, rows, cols, c->to - c->from, d + c->from * s->out_pitch, s->out_pitch,
                      row + (origin + c->from * hop), hop);
        if (c->any_from == c->from && c->any_to == c->to) {
            continue;
        }
        for (int32_t ox = c->any_from == c->from ? c->to : c->any_from; ox < c->any_to;
             ox = ox + 1 == c->from ? c->to : ox + 1) {
            const int32_t at = origin + ox * hop;
            const el_real *dp = d + ox * s->out_pitch;
            el_tile_mac(&t, rows, cols, get(&dp[0]), rows > 1 ? get(&dp[1]) : 0.0f, rows > 2 ? get(&dp[2]) : 0.0f,
                        rows > 2 ? get(&dp[3]) : 0.0f, inside(row, at, size), inside(row, at + 1, size),
                        inside(row, at + 2, size), inside(row, at + 3, size));
        }
    }
    el_tile_add(&t, rows, cols, scale, dw, k);
}

EL_INLINE void weight_channels(int cols, const el_window *s, float scale, const el_real *x, const el_real *dy,
                               int32_t ky, int32_t e, int32_t k, el_real *dw)
{
    const int32_t og = s->out_c / s->groups;
    const columns c = columns_of(s, e / s->in_pitch, (e + cols - 1) / s->in_pitch);
    int32_t o = 0;
    for (; EL_SIDE == 4 && o + 4 <= og; o += 4) {
        weight_tile(4, cols, s, &c, scale, x, dy + o, ky, e, k, dw + o * k);
    }
    for (; EL_SIDE == 4 && o + 2 <= og; o += 2) {
        weight_tile(2, cols, s, &c, scale, x, dy + o, ky, e, k, dw + o * k);
    }
    for (; o < og; o++) {
        weight_tile(1, cols, s, &c, scale, x, dy + o, ky, e, k, dw + o * k);
    }
}

void EL_BLK(conv2d_bwd_w)(const el_window *shape, float scale, const el_real *x, const el_real *dy, el_real *dw)
{
    const el_window f = flatten(shape);
    const el_window *s = &f;
    const int32_t cg = s->in_c / s->groups;
    const int32_t og = s->out_c / s->groups;
    const int32_t wide = s->groups == 1 ? s->in_pitch : cg; /* channels of w, of which some may be left out */
    const int32_t k = s->k_h * s->k_w * wide;
    const int whole = s->groups == 1 && wide == cg;
    const int32_t taps = whole ? 1 : s->k_w; /* pieces of a window row: whole, or only some channels of each tap */
    const int32_t count = whole ? s->k_w * cg : cg;
    for (int32_t g = 0; g < s->groups; g++, dy += og, dw += og * k) {
        for (int32_t piece = 0; piece < s->k_h * taps; piece++) {
            const int32_t ky = piece / taps;
            const int32_t e = piece % taps * s->in_pitch + g * cg;
            int32_t i = 0;
            for (; EL_SIDE == 4 && i + 4 <= count; i += 4) {
                weight_channels(4, s, scale, x, dy, ky, e + i, k, dw + piece * (whole ? count : wide) + i);
            }
            for (; i < count; i++) {
                weight_channels(1, s, scale, x, dy, ky, e + i, k, dw + piece * (whole ? count : wide) + i);
            }
        }
    }
}
