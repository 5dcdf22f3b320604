/* The gradient of w with the tile of tile.h: rows are interleaved. */
#ifndef EL_RVF_WEIGHTS_H
#define EL_RVF_WEIGHTS_H

#include "tile.h"

#define EL_COLUMNS_IN_PLACE
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
#define EL_BELOW "add %[t], %[t], %[ldy]\n\t"
#define EL_ADD_4                                                                                                       \
    "flw f28, 0(%[scale])\n\tmv %[t], %[y]\n\t" EL_ADD_ROW("%[t]", "f0", "f1", "f2", "f3")                             \
        EL_BELOW EL_ADD_ROW("%[t]", "f4", "f5", "f6", "f7") EL_BELOW EL_ADD_ROW("%[t]", "f8", "f9", "f10", "f11")      \
            EL_BELOW EL_ADD_ROW("%[t]", "f12", "f13", "f14", "f15")
#define EL_ADD_5 EL_ADD_4 EL_BELOW EL_ADD_ROW("%[t]", "f16", "f17", "f18", "f19")
#define EL_ADD_6 EL_ADD_5 EL_BELOW EL_ADD_ROW("%[t]", "f20", "f21", "f22", "f23")

/* b[k * ldb + j]: packed columns, four a term, or others. A panel's end is `all`, and the next one `next` elements
 * behind that. */
#define EL_DEFINE(NAME, H, TERM, TERMS)                                                                                \
    static __attribute__((noinline)) void NAME(int32_t panels, int32_t count, const float *rows, const float *b,       \
                                               int32_t ldb, int32_t next, const float *scale, float *y, int32_t ldy)   \
    {                                                                                                                  \
        const float *a;                                                                                                \
        float *t;                                                                                                      \
        const float *end = b + (count & -EL_TURN_##H) * ldb;                                                           \
        const float *all = b + count * ldb;                                                                            \
        __asm__ volatile(                                                                                              \
            "5:\n\tmv %[a], %[rows]\n\t" EL_ZERO_##H TERMS(H, TERM, EL_TOGETHER_##H, EL_STEP_TOGETHER_##H) EL_ADD_##H  \
            "addi %[y], %[y], 16\n\tadd %[b], %[b], %[next]\n\tadd %[end], %[end], %[on]\n\t"                          \
            "add %[all], %[all], %[on]\n\taddi %[panels], %[panels], -1\n\tbnez %[panels], 5b\n\t"                     \
            : [a] "=&r"(a), [b] "+r"(b), [y] "+r"(y), [t] "=&r"(t), [end] "+r"(end), [all] "+r"(all),                  \
              [panels] "+r"(panels)                                                                                    \
            : [rows] "r"(rows), [scale] "r"(scale), [ldb] "r"(4 * ldb), [ldy] "r"(4 * ldy), [next] "r"(4 * next),      \
              [on] "r"(4 * (count * ldb + next))                                                                       \
            : EL_REGISTERS);                                                                                           \
    }
EL_DEFINE(el_add_6, 6, EL_SIX, EL_TERMS)
EL_DEFINE(el_add_5, 5, EL_FIVE, EL_TERMS)
EL_DEFINE(el_add_4, 4, EL_FOUR, EL_TERMS)
EL_DEFINE(el_add_6_apart, 6, EL_SIX, EL_TERMS_APART)
EL_DEFINE(el_add_5_apart, 5, EL_FIVE, EL_TERMS_APART)
EL_DEFINE(el_add_4_apart, 4, EL_FOUR, EL_TERMS_APART)

typedef void el_adder(int32_t panels, int32_t count, const float *rows, const float *b, int32_t ldb, int32_t next,
                      const float *scale, float *y, int32_t ldy);

/* The functions for tiles of 4, 5 and 6 rows; a tile that is not full goes by way of one that is. */
static inline __attribute__((always_inline)) void el_panels(el_adder *const add[3], int32_t height, int32_t rows,
                                                            int32_t cols, int32_t count, const float *a, const float *b,
                                                            int32_t ldb, int32_t next, float scale, float *y,
                                                            int32_t ldy)
{
    const int32_t full = rows == height ? cols / EL_TILE_WIDTH : 0;
    if (full != 0) {
        add[height - 4](full, count, a, b, ldb, next, &scale, y, ldy);
    }
    for (int32_t j = full * EL_TILE_WIDTH; j < cols; j += EL_TILE_WIDTH) {
        const int32_t n = el_min(EL_TILE_WIDTH, cols - j);
        float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH] = {0};
        el_tile_copy(rows, n, y + j, ldy, tile, EL_TILE_WIDTH);
        add[height - 4](1, count, a, b + j / EL_TILE_WIDTH * (count * ldb + next), ldb, 0, &scale, tile, EL_TILE_WIDTH);
        el_tile_copy(rows, n, tile, EL_TILE_WIDTH, y + j, ldy);
    }
}

static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    static el_adder *const add[] = {el_add_4, el_add_5, el_add_6};
    el_panels(add, height, rows, cols, count, a, b, width, 0, scale, y, ldy);
}

static void el_panels_add_apart(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                                const float *a, const float *b, int32_t ldb, float scale, float *y, int32_t ldy)
{
    static el_adder *const add[] = {el_add_4_apart, el_add_5_apart, el_add_6_apart};
    el_panels(add, height, rows, cols, count, a, b, ldb, width - count * ldb, scale, y, ldy);
}

#endif
