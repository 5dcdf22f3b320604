/* Convolutions of few columns, which fill no group of registers: positions lie across the registers instead. A strip of
 * the map, as many positions as a panel has columns, is packed channel by channel, a plane for each, once for each tap
 * along a row, with zeros for the padding, so that each term is one load without a stride: taps across rows are planes
 * from a later row on. Rows of a tile are columns of the product, whose weights are packed as a tile wants them.
 *
 * Strides are 1, maps whole, and terms go by eight channels. What is read is turned by loads with strides while it is
 * packed, what is written by stores with strides; both are slower than others, and once a block. edgelearn/kernels/
 * planes.py has the same numbers. */
#ifndef EL_RVV_PLANES_H
#define EL_RVV_PLANES_H

enum { EL_PLANE_TERMS = 72, EL_PLANE_CHANNELS = 8, EL_PLANE_TAPS = 3 };

/* Terms are at w[column * row + channel * term + ky * down + kx * right]. */
typedef struct {
    const el_t *map;
    int32_t h, w, depth;
    int32_t k_h, k_w, top, left;
    el_t *y;
    int32_t out_h, out_w, columns;
    const el_t *weights;
    int32_t row, term, down, right;
    const el_t *bias;
} el_planes;

/* Whether that is better than columns in registers: they are at most half a panel, and strips all but fill one. */
EL_INLINE int el_in_planes(const el_window *s, int32_t columns, int32_t depth, int32_t out_h, int32_t out_w)
{
    const int32_t fit = el_min(out_w, EL_TILE_WIDTH);
    const int32_t lanes = EL_TILE_WIDTH / fit * fit;
    return s->groups == 1 && s->stride_h == 1 && s->stride_w == 1 && s->in_pitch == s->in_c &&
           s->out_pitch == s->out_c && depth % EL_PLANE_CHANNELS == 0 && 2 * columns <= EL_TILE_WIDTH &&
           s->k_h * s->k_w * EL_PLANE_CHANNELS <= EL_PLANE_TERMS && 8 * lanes >= 7 * EL_TILE_WIDTH &&
           out_h * out_w >= EL_TILE_WIDTH;
}

/* Channels of a block: as many blocks as must be, about equal ones. */
EL_INLINE int32_t el_plane_channels(int32_t depth, int32_t taps)
{
    const int32_t eights = depth / EL_PLANE_CHANNELS;
    const int32_t most = EL_PLANE_TERMS / (taps * EL_PLANE_CHANNELS);
    return el_ceil_div(eights, el_ceil_div(eights, most)) * EL_PLANE_CHANNELS;
}

/* `tiles` tiles of rows that follow each other; distances are bytes. */
typedef struct {
    int32_t tiles, lanes;
    const el_t *a, *b;
    int32_t step, planes, lines, line; /* of b: a plane, all of them, and from a row to the next */
    const el_t *bias;                  /* or NULL */
    int own;                           /* sums go on with what is in y */
    el_t *y;
    ptrdiff_t pitch;
} el_plane_tiles;

#define EL_PLANE_WEIGHT(i, H) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*(" #H "*\\u+" #i ")(%[a])\n"
#define EL_PLANE_SUM(H, M)                                                                                             \
    __asm__ volatile(EL_SET_GROUP(M) "1:\n.irp u, 0, 1, 2, 3, 4, 5, 6, 7\n" EL_NEXT_ROW EL_ROWS##H(EL_PLANE_WEIGHT, H) \
                         EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"                                                           \
                                                   "addi %[a], %[a], 8*" EL_BYTES "*" #H "\n"                          \
                                                   "bne %[b], %[end], 1b\n"                                            \
                                                   "add %[b], %[b], %[rest]\n"                                         \
                                                   "add %[end], %[end], %[line]\n"                                     \
                                                   "addi %[lines], %[lines], -1\n"                                     \
                                                   "bnez %[lines], 1b\n"                                               \
                     : EL_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b), [end] "+r"(end), [lines] "+r"(lines)       \
                     : [vl] "r"(vl), [step] "r"(t->step), [rest] "r"(t->line - t->planes), [line] "r"(t->line)         \
                     : EL_SCALARS, "vl", "vtype", "memory")

#define EL_PLANE_ZERO(i, M) c##i = EL_VMEM(vle, M)(el_some_zeros(), vl);
#define EL_PLANE_STORE(i, M) EL_VMEM(vsse, M)(y + (i), pitch, c##i, vl);
#define EL_PLANE_BIAS(i, M)                                                                                            \
    c##i = EL_VOP(vfadd_vf, M)(c##i, bias[i], vl);                                                                     \
    EL_PLANE_STORE(i, M)
#define EL_PLANE_GROW(i, M)                                                                                            \
    c##i = EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vlse, M)(y + (i), pitch, vl), vl);                                        \
    EL_PLANE_STORE(i, M)

/* A block's terms are summed from zero on and then added to what is there. */
#define EL_PLANE_TILE(H, M)                                                                                            \
    static void el_plane_##H##_##M(const el_plane_tiles *t)                                                            \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->lanes);                                                                          \
        const ptrdiff_t pitch = t->pitch;                                                                              \
        const el_t *a = t->a;                                                                                          \
        const el_t *bias = t->bias;                                                                                    \
        el_t *y = t->y;                                                                                                \
        for (int32_t left = t->tiles; left > 0; left--, y += (H)) {                                                    \
            EL_V(M) v;                                                                                                 \
            EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_PLANE_ZERO, M);                                                    \
            const el_t *b = t->b;                                                                                      \
            const el_t *end = el_further(b, t->planes);                                                                \
            int32_t lines = t->lines;                                                                                  \
            EL_PLANE_SUM(H, M);                                                                                        \
            if (t->own) {                                                                                              \
                EL_ROWS##H(EL_PLANE_GROW, M)                                                                           \
            } else if (bias != 0) {                                                                                    \
                EL_ROWS##H(EL_PLANE_BIAS, M) bias += (H);                                                              \
            } else {                                                                                                   \
                EL_ROWS##H(EL_PLANE_STORE, M)                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }
EL_ALL_TILES(EL_PLANE_TILE)

/* to[i * height] = from[i * term] for i < n: a row's weights of a tap, for taps from the first one on */
EL_INLINE void el_pack_plane_row(const el_planes *p, int32_t height, size_t n, int32_t some, const el_t *from, el_t *to)
{
    const ptrdiff_t term = p->term * (ptrdiff_t)sizeof(el_t);
    const ptrdiff_t apart = height * (ptrdiff_t)sizeof(el_t);
    const int32_t left = -p->right;
    const int32_t down = p->down - p->k_w * left;
    const int32_t hop = some * height;
    for (int32_t ky = p->k_h; ky > 0; ky--, from += down) {
        for (int32_t kx = p->k_w; kx > 0; kx--, from += left, to += hop) {
            EL_VMEM(vsse, m8)(to, apart, EL_VMEM(vlse, m8)(from, term, n), n);
        }
    }
}

/* The weights of a block, tile by tile, a term's rows side by side: taps down, taps across, the last one first,
 * channels. */
static void el_pack_plane_weights(const el_planes *p, int32_t most, int32_t first, int32_t some, el_t *to)
{
    const el_t *from = p->weights + first * p->term + (p->k_w - 1) * p->right;
    for (int32_t o = 0, height; o < p->columns; o += height) {
        height = el_tile_height(most, p->columns - o);
        for (int32_t i = 0; i < height; i++, from += p->row) {
            size_t n;
            for (int32_t k = 0; k < some; k += (int32_t)n) {
                n = EL_VL(m8, some - k);
                el_pack_plane_row(p, height, n, some, from + k * p->term, to + k * height + i);
            }
        }
        to += height * p->k_h * p->k_w * some;
    }
}

/* to[k * size + i] = from[i * pitch + k] for k < channels, some eights, and i < count */
EL_APART void el_turn(int32_t count, int32_t channels, const el_t *from, int32_t pitch, el_t *to, int32_t size)
{
    const ptrdiff_t stride = pitch * (ptrdiff_t)sizeof(el_t);
    for (size_t n; count > 0; count -= (int32_t)n, from += (int32_t)n * pitch, to += n) {
        n = EL_VL(m8, count);
        el_t *t = to;
        const el_t *const end = from + channels;
        for (const el_t *f = from; f != end; f += EL_PLANE_CHANNELS) {
#pragma GCC unroll 8
            for (int32_t k = 0; k < EL_PLANE_CHANNELS; k++, t += size) {
                EL_VMEM(vse, m8)(t, EL_VMEM(vlse, m8)(f + k, stride, n), n);
            }
        }
    }
}

/* `count` zeros, `hop` elements apart */
static void el_clear(int32_t count, int32_t hop, el_t *to)
{
    for (size_t n; count > 0; count -= (int32_t)n, to += (int32_t)n * hop) {
        n = EL_VL(m8, count);
        EL_VMEM(vsse, m8)(to, hop * (ptrdiff_t)sizeof(el_t), EL_VMEM(vlse, m8)(el_some_zeros(), 0, n), n);
    }
}

/* The same for three taps along a row at once, the planes of which are `apart` elements from each other. */
EL_APART void el_turn_three(int32_t count, int32_t channels, const el_t *from, int32_t pitch, el_t *to, int32_t size,
                            int32_t apart)
{
    const ptrdiff_t stride = pitch * (ptrdiff_t)sizeof(el_t);
    for (size_t n; count > 0; count -= (int32_t)n, from += (int32_t)n * pitch, to += n) {
        n = EL_VL(m8, count);
        const el_t *const end = from + channels;
        el_t *t = to;
        el_t *u = t + apart;
        el_t *v = u + apart;
        for (const el_t *f = from; f != end; f += 4) {
#pragma GCC unroll 4
            for (int32_t k = 0; k < 4; k++, t += size, u += size, v += size) {
                const EL_V(m8) turned = EL_VMEM(vlse, m8)(f + k, stride, n);
                EL_VMEM(vse, m8)(t, turned, n);
                EL_VMEM(vse, m8)(u, turned, n);
                EL_VMEM(vse, m8)(v, turned, n);
            }
        }
    }
}

/* Planes of channels [first, first + some) for `rows` rows of n positions from output (row, column) on, and k_h - 1
 * more rows: for each tap along a row, the last one first, the positions that it meets. Around them k_w - 1 elements
 * may be overwritten. */
EL_APART void el_pack_planes(const el_planes *p, int32_t first, int32_t some, int32_t row, int32_t rows, int32_t column,
                             int32_t n, el_t *to)
{
    const int32_t all = rows + p->k_h - 1;
    const int32_t size = all * n;
    const int32_t above = el_min(el_max(p->top - row, 0), all);
    const int32_t below = el_max(el_min(all, p->h + p->top - row), above);
    const int32_t lines = below - above;
    const el_t *line = p->map + (row - p->top + above) * p->w * p->depth + first;
    /* Rows that follow each other without a gap are turned as one; what comes from other rows is overwritten. */
    const int together = n == p->w && column == 0 && p->k_w == EL_PLANE_TAPS && p->left >= 0 && p->left < EL_PLANE_TAPS;
    if (together) {
        el_turn_three(lines * n, some, line, p->depth, to + above * n + p->left - (EL_PLANE_TAPS - 1), size,
                      some * size + 1);
    }
    for (int32_t kx = p->k_w - 1; kx >= 0; kx--, to += some * size) {
        const int32_t x = column - p->left + kx;
        const int32_t left = el_min(el_max(-x, 0), n);
        const int32_t right = el_max(el_min(n, p->w - x), left);
        for (int32_t i = 0; i < lines && !together; i++) {
            el_turn(right - left, some, line + (i * p->w + x + left) * p->depth, p->depth, to + (above + i) * n + left,
                    size);
        }
        for (int32_t j = 0; j < left; j++) {
            el_clear(some * all, n, to + j);
        }
        for (int32_t j = right; j < n; j++) {
            el_clear(some * all, n, to + j);
        }
        for (int32_t k = 0; lines != all && k < some; k++) {
            el_clear(above * n, 1, to + k * size);
            el_clear((all - below) * n, 1, to + k * size + below * n);
        }
    }
}

/* All rows of tiles for one strip. */
static void el_plane_strip(el_plane_tiles *t, int32_t columns, int32_t most)
{
    static void (*const tiles[4][EL_TILE_HEIGHT])(const el_plane_tiles *) = EL_TABLE(el_plane_);
    const int32_t registers = el_ceil_div(t->lanes, EL_VLMAX(m1));
    const int group = registers > 4 ? 3 : registers > 2 ? 2 : registers - 1;
    const int32_t terms = t->lines * (t->planes / t->step);
    for (int32_t o = 0, height; o < columns; o += t->tiles * height) {
        height = el_tile_height(most, columns - o);
        t->tiles = height == most ? el_max((columns - o) / height - 1, 1) : 1;
        tiles[group][height - 1](t);
        t->a += t->tiles * height * terms;
        t->bias = t->bias != 0 ? t->bias + t->tiles * height : 0;
        t->y += t->tiles * height;
    }
}

static void el_plane_product(const el_planes *p, el_t *packed)
{
    const int32_t size = (int32_t)sizeof(el_t);
    const int32_t taps = p->k_h * p->k_w;
    const int32_t most = el_columns_next(EL_TILE_WIDTH).height;
    const int32_t channels = el_plane_channels(p->depth, taps);
    const int32_t wide = el_min(p->out_w, EL_TILE_WIDTH);
    const int32_t high = el_min(EL_TILE_WIDTH / wide, p->out_h);
    el_t *const planes = packed + p->columns * taps * channels + p->k_w - 1;
    for (int32_t first = 0; first < p->depth; first += channels) {
        const int32_t some = el_min(channels, p->depth - first);
        el_pack_plane_weights(p, most, first, some, packed);
        for (int32_t row = 0; row < p->out_h; row += high) {
            for (int32_t column = 0; column < p->out_w; column += wide) {
                const int32_t rows = el_min(high, p->out_h - row);
                const int32_t n = el_min(wide, p->out_w - column);
                const int32_t plane = (rows + p->k_h - 1) * n * size;
                el_plane_tiles t = {.lanes = rows * n,
                                    .a = packed,
                                    .b = planes,
                                    .step = plane,
                                    .planes = p->k_w * some * plane,
                                    .lines = p->k_h,
                                    .line = n * size,
                                    .bias = p->bias,
                                    .own = first != 0,
                                    .y = p->y + (row * p->out_w + column) * p->columns,
                                    .pitch = p->columns * (ptrdiff_t)size};
                el_pack_planes(p, first, some, row, rows, column, n, planes);
                el_plane_strip(&t, p->columns, most);
            }
        }
    }
}

EL_INLINE int el_forward_in_planes(const el_window *shape, const el_t *x, const el_t *w, const el_t *b, el_t *y,
                                   void *scratch)
{
    const el_window s = el_flatten(shape);
    if (!el_in_planes(&s, s.out_c, s.in_c, s.out_h, s.out_w)) {
        return 0;
    }
    const int32_t k = s.k_h * s.k_w * s.in_c;
    const el_planes p = {x,       s.in_h,  s.in_w,  s.in_c, s.k_h, s.k_w, s.pad_top,      s.pad_left, y,
                         s.out_h, s.out_w, s.out_c, w,      k,     1,     s.k_w * s.in_c, s.in_c,     b};
    el_plane_product(&p, scratch);
    return 1;
}

/* The gradient of x is a convolution of dy whose taps come the other way round. */
EL_INLINE int el_backward_x_in_planes(const el_window *shape, const el_t *dy, const el_t *w, el_t *dx, void *scratch)
{
    const el_window s = el_flatten(shape);
    if (!el_in_planes(&s, s.in_c, s.out_c, s.in_h, s.in_w)) {
        return 0;
    }
    const int32_t taps = s.k_h * s.k_w;
    const el_planes p = {.map = dy,
                         .h = s.out_h,
                         .w = s.out_w,
                         .depth = s.out_c,
                         .k_h = s.k_h,
                         .k_w = s.k_w,
                         .top = s.k_h - 1 - s.pad_top,
                         .left = s.k_w - 1 - s.pad_left,
                         .y = dx,
                         .out_h = s.in_h,
                         .out_w = s.in_w,
                         .columns = s.in_c,
                         .weights = w + (taps - 1) * s.in_c,
                         .row = 1,
                         .term = taps * s.in_c,
                         .down = -s.k_w * s.in_c,
                         .right = -s.in_c};
    el_plane_product(&p, scratch);
    return 1;
}

#endif
