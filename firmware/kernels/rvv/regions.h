/* Blocks of products over regions of positions that meet the same taps, so that the padding is left out instead of
 * being multiplied with. Rows of a tile are neighbours along a row or along a column of the region. */
#ifndef EL_RVV_REGIONS_H
#define EL_RVV_REGIONS_H

enum { EL_MOST_PIECES = 64 };

/* Terms that are contiguous in the map, all in bytes: where they begin, counted from a position, and where their
 * columns in the block; and, from the first one on, where as many as eights, fours and ones end. */
typedef struct {
    int32_t a, b, eights, fours, ones;
} el_part;

EL_INLINE el_part el_part_of(int32_t a, int32_t b, int32_t count)
{
    const int32_t size = (int32_t)sizeof(el_t);
    return (el_part){a * size, b * size, (count & ~7) * size, (count & ~3) * size, count * size};
}

/* `tiles` tiles below each other, rows of a `lda` apart: y = from + sum of all pieces; rows of from are `pitch`
 * apart, those of el_zeros are one. A term of b is `step` bytes. */
typedef struct {
    int32_t tiles, cols, lda;
    const el_t *a, *b;
    int32_t step, pieces;
    const el_part *piece;
    const el_t *from;
    int32_t pitch;
    el_t *y;
    int32_t ldy;
} el_tiles;

/* Some terms of a turn of the loop, each one's number in \u; n terms on. */
#define EL_BROADCAST(i, ...) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*\\u(%[p" #i "])\n"
#define EL_TERMS(H, numbers)                                                                                           \
    ".irp u, " numbers "\n" EL_NEXT_ROW EL_ROWS##H(EL_BROADCAST, ) EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"
#define EL_STEP(i, n) "addi %[p" #i "], %[p" #i "], " EL_BYTES "*" #n "\n"

#define EL_POINTERS1 [p0] "+r"(p0)
#define EL_POINTERS2 EL_POINTERS1, [p1] "+r"(p1)
#define EL_POINTERS3 EL_POINTERS2, [p2] "+r"(p2)
#define EL_POINTERS4 EL_POINTERS3, [p3] "+r"(p3)
#define EL_POINTERS5 EL_POINTERS4, [p4] "+r"(p4)
#define EL_POINTERS6 EL_POINTERS5, [p5] "+r"(p5)
#define EL_POINTERS7 EL_POINTERS6, [p6] "+r"(p6)

/* Eight terms a turn, then four, then one at a time; eights, fours and ones are where the first row ends. */
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(                                                                                                  \
        EL_SET_GROUP(M) "beq %[p0], %[eights], 2f\n"                                                                   \
                        "1:\n" EL_TERMS(H, "0, 1, 2, 3, 4, 5, 6, 7") EL_ROWS##H(                                       \
                            EL_STEP, 8) "bne %[p0], %[eights], 1b\n"                                                   \
                                        "2: beq %[p0], %[fours], 3f\n" EL_TERMS(H, "0, 1, 2, 3")                       \
                                            EL_ROWS##H(EL_STEP, 4) "3: beq %[p0], %[ones], 5f\n"                       \
                                                                   "4:\n" EL_TERMS(H, "0") EL_ROWS##H(                 \
                                                                       EL_STEP, 1) "bne %[p0], %[ones], 4b\n"          \
                                                                                   "5:\n"                              \
        : EL_SUMS##H, [v] "=&vr"(v), EL_POINTERS##H, [b] "+r"(b)                                                       \
        : [vl] "r"(vl), [step] "r"(step), [eights] "r"(eights), [fours] "r"(fours), [ones] "r"(ones)                   \
        : EL_SCALARS, "vl", "vtype", "memory")

#define EL_POINT(i, M) const el_t *p##i = at + (i)*lda;
#define EL_LOAD(i, M) c##i = EL_VMEM(vle, M)(from, vl), from += pitch;
#define EL_STORE(i, M) EL_VMEM(vse, M)(y, c##i, vl), y += ldy;

/* Sums begin with `from`, or, if EL_FROM_LAST is defined, with zeros, and `from` comes last, row by row. */
#ifdef EL_FROM_LAST
#define EL_ZERO(i, M) c##i = EL_VMEM(vle, M)(el_some_zeros(), vl);
#define EL_ADD(i, M) c##i = EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vle, M)(from, vl), vl), from += pitch;
#define EL_ADD_STORE(i, M) EL_ADD(i, M) EL_STORE(i, M)
#define EL_BEGIN(H, M) EL_ROWS##H(EL_ZERO, M)
#define EL_END(H, M)                                                                                                   \
    if (from != el_zeros) {                                                                                            \
        EL_ROWS##H(EL_ADD_STORE, M)                                                                                    \
    } else {                                                                                                           \
        EL_ROWS##H(EL_STORE, M)                                                                                        \
    }
#else
#define EL_BEGIN(H, M) EL_ROWS##H(EL_LOAD, M)
#define EL_END(H, M) EL_ROWS##H(EL_STORE, M)
#endif

#define EL_TILE(H, M)                                                                                                  \
    static void el_store_##H##_##M(const el_tiles *t)                                                                  \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int32_t lda = t->lda;                                                                                    \
        const int32_t step = t->step;                                                                                  \
        const int32_t pitch = t->pitch;                                                                                \
        const int32_t ldy = t->ldy;                                                                                    \
        const el_part *const end = t->piece + t->pieces;                                                               \
        const el_t *a = t->a;                                                                                          \
        const el_t *from = t->from;                                                                                    \
        el_t *y = t->y;                                                                                                \
        for (int32_t left = t->tiles; left > 0; left--, a += (H)*lda) {                                                \
            EL_V(M) v;                                                                                                 \
            EL_ROWS##H(EL_DECLARE, M) EL_BEGIN(H, M);                                                                  \
            for (const el_part *part = t->piece; part != end; part++) {                                                \
                const el_t *const at = el_further(a, part->a);                                                         \
                EL_ROWS##H(EL_POINT, M);                                                                               \
                const el_t *b = el_further(t->b, part->b);                                                             \
                const el_t *const eights = el_further(p0, part->eights);                                               \
                const el_t *const fours = el_further(p0, part->fours);                                                 \
                const el_t *const ones = el_further(p0, part->ones);                                                   \
                EL_SUM(H, M);                                                                                          \
            }                                                                                                          \
            EL_END(H, M)                                                                                               \
        }                                                                                                              \
    }
EL_ALL_TILES(EL_TILE)

/* One line of `count` positions, all columns of the block: *t is set up for its first position and column. */
static void el_line(el_tiles *t, int32_t count, int32_t cols, int32_t width, int32_t panel)
{
    static void (*const tiles[4][EL_TILE_HEIGHT])(const el_tiles *) = EL_TABLE(el_store_);
    const el_t *const a = t->a;
    const el_t *const b = t->b;
    const el_t *const from = t->from;
    el_t *const y = t->y;
    el_columns some;
    for (int32_t j = 0; j < cols; j += some.cols) {
        some = el_columns_next(el_min(width - j % width, cols - j));
        t->cols = some.cols;
        t->a = a;
        t->b = b + j / width * panel + j % width;
        t->from = from != el_zeros ? from + j : el_zeros;
        t->y = y + j;
        for (int32_t i = 0, height; i < count; i += t->tiles * height) {
            height = el_tile_height(some.height, count - i);
            t->tiles = height == some.height ? el_max((count - i) / height - 1, 1) : 1;
            tiles[some.group][height - 1](t);
            t->a += t->tiles * height * t->lda;
            t->from += t->tiles * height * t->pitch;
            t->y += t->tiles * height * t->ldy;
        }
    }
    t->a = a;
    t->b = b;
    t->y = y;
}

/* Taps [first, last) of an axis that meet the map from coordinate `at` on. */
typedef struct {
    int32_t first, last;
} el_meeting;

static el_meeting el_meet(int32_t at, int32_t size, int32_t tap, int32_t taps)
{
    el_meeting m = tap > 0 ? (el_meeting){el_max(-at, 0), el_min(taps, size - at)}
                           : (el_meeting){el_max(at - size + 1, 0), el_min(taps, at + 1)};
    m.last = el_max(m.last, m.first);
    return m;
}

/* How many positions of an axis from number `from` on meet the same taps, and which. */
static int32_t el_alike(int32_t start, int32_t step, int32_t size, int32_t tap, int32_t taps, int32_t from, int32_t end,
                        el_meeting *m)
{
    int32_t i = from;
    *m = el_meet(start + i * step, size, tap, taps);
    if (m->first == 0 && m->last == taps) { /* the middle of the axis: up to where its last tap, or its first, leaves */
        return el_min(end, (size - (tap > 0 ? taps : 1) - start) / step + 1) - from;
    }
    for (i++; i < end; i++) {
        const el_meeting n = el_meet(start + i * step, size, tap, taps);
        if (n.first != m->first || n.last != m->last) {
            break;
        }
    }
    return i - from;
}

/* All positions of a region: rows and columns of the grid from (row, column) on. */
static void el_patch(const el_grid *g, const el_target *t, int32_t row, int32_t rows, int32_t column, int32_t columns,
                     int32_t cols, int32_t width, int32_t panel, el_tiles *tile, const el_t *from, int own, el_t *y)
{
    const int32_t right = g->step_x * g->pitch;
    const int32_t down = g->step_y * g->w * g->pitch;
    /* Along rows, or along columns where that takes fewer tiles. */
    const int32_t height = el_columns_next(el_min(cols, width)).height;
    const int turned = columns * el_ceil_div(rows, height) < rows * el_ceil_div(columns, height);
    const int32_t lines = turned ? columns : rows;
    const int32_t hop_a = turned ? right : down;
    const int32_t hop_y = turned ? t->pitch : t->row_pitch;
    tile->lda = turned ? down : right;
    tile->ldy = turned ? t->row_pitch : t->pitch;
    tile->pitch = own ? tile->ldy : 0;
    tile->a = g->map + ((g->y + row * g->step_y) * g->w + g->x + column * g->step_x) * g->pitch;
    tile->y = y + row * t->row_pitch + column * t->pitch;
    tile->from = own ? tile->y : from;
    for (int32_t line = 0; line < lines; line++) {
        el_line(tile, turned ? rows : columns, cols, width, panel);
        tile->a += hop_a;
        tile->y += hop_y;
        tile->from = own ? tile->y : from;
    }
}

static void el_product_block(const el_grid *g, const el_target *t, int32_t cols, int32_t width, int32_t first,
                             int32_t last, const el_t *b, const el_t *start, el_t *y, el_row_t *unused)
{
    const el_t *const from = start != 0 ? start : el_zeros;
    const int32_t panel = (last - first) * width;
    const int32_t all_rows = t->count / t->columns;
    const int whole = g->depth == g->pitch;                /* taps of a row are contiguous */
    const int32_t before = g->tap > 0 ? 0 : 1 - g->taps_w; /* the first tap's place */
    el_part pieces[EL_MOST_PIECES];
    el_tiles tile = {.b = b, .step = width * (int32_t)sizeof(el_t), .piece = pieces};
    (void)unused;
    for (int32_t row = 0, rows; row < all_rows; row += rows) {
        el_meeting v;
        rows = el_alike(g->y, g->step_y, g->h, g->tap, g->taps_h, row, all_rows, &v);
        for (int32_t column = 0, columns; column < t->columns; column += columns) {
            el_meeting h;
            columns = el_alike(g->x, g->step_x, g->w, g->tap, g->taps_w, column, t->columns, &h);
            int own = first != 0;
            tile.pieces = 0;
            const int32_t left = g->tap > 0 ? h.first : g->taps_w - h.last; /* of taps as they lie in the map */
            const int32_t right = left + h.last - h.first;
            const int32_t wide = whole ? el_max(right - left, 1) : 1;
            for (int32_t ty = v.first; ty < v.last; ty++) {
                for (int32_t tx = left; tx < right; tx += wide) {
                    const int32_t begin = (ty * g->taps_w + tx) * g->depth;
                    const int32_t low = el_max(begin, first);
                    const int32_t high = el_min(begin + wide * g->depth, last);
                    if (low >= high) {
                        continue;
                    }
                    if (tile.pieces == EL_MOST_PIECES) {
                        el_patch(g, t, row, rows, column, columns, cols, width, panel, &tile, from, own, y);
                        tile.pieces = 0;
                        own = 1;
                    }
                    const int32_t at = (ty * g->tap * g->w + tx + before) * g->pitch + low - begin;
                    pieces[tile.pieces++] = el_part_of(at, (low - first) * width, high - low);
                }
            }
            if (tile.pieces != 0 || !own) { /* what no tap meets is the bias, or zero */
                el_patch(g, t, row, rows, column, columns, cols, width, panel, &tile, from, own, y);
            }
        }
    }
}

#endif
