/* The gradient of w with the tile of tile.h: rows are interleaved. */
#ifndef EL_RVF_WEIGHTS_H
#define EL_RVF_WEIGHTS_H

#include "pack.h"
#include "tile.h"

#define EL_COLUMNS_IN_PLACE
#define EL_PANELS_FAR
#define EL_FIRST_PANEL_PACKS
#define EL_TILE_COST 130
#define EL_ROWS_COST 40
#define EL_PACK_COST 15
#define EL_APART_COST 0

#include "../product/block.h"

/* A row of y += scale, in f28, times one of the tile. */
#define EL_ADD_ROW(p, c0, c1, c2, c3)                                                                                  \
    "flw f24, 0(" p ")\n\tflw f25, 4(" p ")\n\tflw f26, 8(" p ")\n\tflw f27, 12(" p ")\n\tfmadd.s f24, " c0            \
    ", f28, f24\n\tfmadd.s f25, " c1 ", f28, f25\n\tfmadd.s f26, " c2 ", f28, f26\n\tfmadd.s f27, " c3                 \
    ", f28, f27\n\tfsw f24, 0(" p ")\n\tfsw f25, 4(" p ")\n\tfsw f26, 8(" p ")\n\tfsw f27, 12(" p ")\n\t"
#define EL_BELOW "add %[y], %[y], %[ldy]\n\t"
#define EL_ADD_4                                                                                                       \
    "flw f28, 0(%[scale])\n\t" EL_ADD_ROW("%[y]", "f0", "f1", "f2", "f3")                                              \
        EL_BELOW EL_ADD_ROW("%[y]", "f4", "f5", "f6", "f7") EL_BELOW EL_ADD_ROW("%[y]", "f8", "f9", "f10", "f11")      \
            EL_BELOW EL_ADD_ROW("%[y]", "f12", "f13", "f14", "f15")
#define EL_ADD_5 EL_ADD_4 EL_BELOW EL_ADD_ROW("%[y]", "f16", "f17", "f18", "f19")
#define EL_ADD_6 EL_ADD_5 EL_BELOW EL_ADD_ROW("%[y]", "f20", "f21", "f22", "f23")

/* The first term starts the sums and takes the place of the first of a turn, or of the first of those beyond. */
#define EL_SUMS(H, TERM, COLS, STEP_COLS)                                                                              \
    "5:\n\tmv %[a], %[rows]\n\t" EL_FIRST_##H(EL_TOGETHER_##H, COLS) "bne %[a], %[end], 6f\n\tj 8f\n1:\n\t" TERM(      \
        EL_TOGETHER_##H, COLS, "0") "6:\n\t" EL_LATER_##H(TERM, EL_TOGETHER_##H, COLS)                                 \
        EL_TURN_STEP_##H(EL_STEP_TOGETHER_##H)                                                                         \
            EL_TURN_STEP_##H(STEP_COLS) "bne %[a], %[end], 1b\n\tbne %[a], %[all], 3f\n4:\n\t" EL_ADD_##H              \
        "add %[y], %[y], %[back]\n\tadd %[b], %[b], %[next]\n\tbne %[y], %[stop], 5b\n\tj 9f\n3:\n\t" TERM(            \
            EL_TOGETHER_##H, COLS, "0") "8:\n\t" EL_STEP_TOGETHER_##H("1")                                             \
            STEP_COLS("1") "bne %[a], %[all], 3b\n\tj 4b\n9:\n\t"
#define EL_STEP_NOTHING(n)

/* b[k * ldb + j]: packed columns, four a term, or others. The next panel is `next` elements behind a panel's end, and
 * its sums are added to y + step. */
#define EL_DEFINE(NAME, H, TERM, COLS, STEP_COLS)                                                                      \
    EL_APART void NAME(int32_t panels, int32_t count, const float *rows, const float *b, int32_t ldb, int32_t next,    \
                       const float *scale, float *y, int32_t ldy, int32_t step)                                        \
    {                                                                                                                  \
        const float *a;                                                                                                \
        const float *end = rows + (count & -EL_TURN_##H) * H;                                                          \
        const float *all = rows + count * H;                                                                           \
        const float *stop = y + panels * step;                                                                         \
        __asm__ volatile(                                                                                              \
            EL_SUMS(H, TERM, COLS, STEP_COLS)                                                                          \
            : [a] "=&r"(a), [b] "+r"(b), [y] "+r"(y)                                                                   \
            : [rows] "r"(rows), [scale] "r"(scale), [ldb] "r"(4 * ldb), [ldy] "r"(4 * ldy), [next] "r"(4 * next),      \
              [back] "r"(4 * (step - (H - 1) * ldy)), [end] "r"(end), [all] "r"(all), [stop] "r"(stop)                 \
            : EL_REGISTERS);                                                                                           \
    }
EL_DEFINE(el_add_6, 6, EL_SIX, EL_COLS, EL_STEP_COLS)
EL_DEFINE(el_add_5, 5, EL_FIVE, EL_COLS, EL_STEP_COLS)
EL_DEFINE(el_add_4, 4, EL_FOUR, EL_COLS, EL_STEP_COLS)
EL_DEFINE(el_add_6_apart, 6, EL_SIX, EL_COLS_APART, EL_STEP_NOTHING)
EL_DEFINE(el_add_5_apart, 5, EL_FIVE, EL_COLS_APART, EL_STEP_NOTHING)
EL_DEFINE(el_add_4_apart, 4, EL_FOUR, EL_COLS_APART, EL_STEP_NOTHING)

typedef void el_adder(int32_t panels, int32_t count, const float *rows, const float *b, int32_t ldb, int32_t next,
                      const float *scale, float *y, int32_t ldy, int32_t step);
typedef void el_first(int32_t count, const float *from, int32_t pitch, float *rows, const float *b, int32_t ldb,
                      const float *scale, float *y, int32_t ldy);

/* A first panel packs the rows for those that follow: they are loaded from the map and stored where they are used. */
#define EL_FROM(f, i, at) "flw " f ", " i "*4(%[from])\n\t"
#define EL_KEEP(f, i) "fsw " f ", " i "*4(%[a])\n\t"
#define EL_KEPT_4(MACS)                                                                                                \
    EL_FOUR_BY(MACS, EL_FROM, EL_COLS_APART, "0")                                                                      \
    EL_KEEP("f28", "0") EL_KEEP("f29", "1") EL_KEEP("f30", "2") EL_KEEP("f31", "3")
#define EL_KEPT_5(MACS)                                                                                                \
    EL_KEPT_4(MACS) EL_FROM("f28", "4", "0") MACS("f16", "f17", "f18", "f19", "f28") EL_KEEP("f28", "4")
#define EL_KEPT_6(MACS)                                                                                                \
    EL_KEPT_4(MACS)                                                                                                    \
    EL_FROM("f28", "4", "0")                                                                                           \
    EL_FROM("f29", "5", "0")                                                                                           \
    MACS("f16", "f17", "f18", "f19", "f28")                                                                            \
    MACS("f20", "f21", "f22", "f23", "f29") EL_KEEP("f28", "4") EL_KEEP("f29", "5")
#define EL_ONWARDS(H) "addi %[a], %[a], 4*" #H "\n\tadd %[from], %[from], %[pitch]\n\t"
#define EL_DEFINE_FIRST(NAME, H)                                                                                       \
    EL_APART void NAME(int32_t count, const float *from, int32_t pitch, float *rows, const float *b, int32_t ldb,      \
                       const float *scale, float *y, int32_t ldy)                                                      \
    {                                                                                                                  \
        float *a = rows;                                                                                               \
        const float *all = rows + count * H;                                                                           \
        __asm__ volatile(                                                                                              \
            EL_KEPT_##H(EL_PRODUCTS) "j 2f\n1:\n\t" EL_KEPT_##H(EL_MACS) "2:\n\t" EL_ONWARDS(                          \
                H) "bne %[a], %[all], 1b\n\t" EL_ADD_##H                                                               \
            : [a] "+r"(a), [from] "+r"(from), [b] "+r"(b), [y] "+r"(y)                                                 \
            : [pitch] "r"(4 * pitch), [scale] "r"(scale), [ldb] "r"(4 * ldb), [ldy] "r"(4 * ldy), [all] "r"(all)       \
            : EL_REGISTERS);                                                                                           \
    }
EL_DEFINE_FIRST(el_first_6, 6)
EL_DEFINE_FIRST(el_first_5, 5)
EL_DEFINE_FIRST(el_first_4, 4)

/* The functions for tiles of 4, 5 and 6 rows; a tile that is not full goes by way of one that is. */
EL_INLINE void el_panels(el_adder *const add[3], int32_t height, int32_t rows, int32_t cols, int32_t count,
                         const float *a, const float *b, int32_t ldb, int32_t next, float scale, float *y, int32_t ldy,
                         int32_t step)
{
    const int32_t full = rows == height ? cols / EL_TILE_WIDTH : 0;
    if (full != 0) {
        add[height - 4](full, count, a, b, ldb, next, &scale, y, ldy, step);
    }
    b += full * (count * ldb + next);
    y += full * step;
    for (int32_t j = full * EL_TILE_WIDTH; j < cols; j += EL_TILE_WIDTH, b += count * ldb + next, y += step) {
        const int32_t n = el_min(EL_TILE_WIDTH, cols - j);
        float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH] = {0};
        el_tile_copy(rows, n, y, ldy, tile, EL_TILE_WIDTH);
        add[height - 4](1, count, a, b, ldb, 0, &scale, tile, EL_TILE_WIDTH, EL_TILE_WIDTH);
        el_tile_copy(rows, n, tile, EL_TILE_WIDTH, y, ldy);
    }
}

/* Each panel's sums are added `step` behind those of the one before. */
static void el_panels_add_far(int32_t step, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                              const float *b, float scale, float *y, int32_t ldy)
{
    static el_adder *const add[] = {el_add_4, el_add_5, el_add_6};
    el_panels(add, height, rows, cols, count, a, b, EL_TILE_WIDTH, 0, scale, y, ldy, step);
}

static inline void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                                 const float *a, const float *b, float scale, float *y, int32_t ldy)
{
    el_panels_add_far(width, height, rows, cols, count, a, b, scale, y, ldy);
}

/* Packs the rows at `from`, `pitch` from a term to the next, into `a`, and adds panels that lie apart. */
static void el_panels_add_apart(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                                const float *from, int32_t pitch, float *a, const float *b, int32_t ldb, float scale,
                                float *y, int32_t ldy)
{
    static el_adder *const add[] = {el_add_4_apart, el_add_5_apart, el_add_6_apart};
    static el_first *const first[] = {el_first_4, el_first_5, el_first_6};
    if (rows == height) {
        first[height - 4](count, from, pitch, a, b, ldb, &scale, y, ldy);
        cols -= width, b += width, y += width;
    } else {
        el_pack_rows(height, rows, count, from, pitch, a);
    }
    el_panels(add, height, rows, cols, count, a, b, ldb, width - count * ldb, scale, y, ldy, width);
}

#endif
