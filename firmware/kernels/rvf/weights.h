/* The gradient of w with the tile of tile.h: rows are interleaved. */
#ifndef EL_RVF_WEIGHTS_H
#define EL_RVF_WEIGHTS_H

#include "tile.h"

#define EL_TILE_COST 130
#define EL_ROWS_COST 40
#define EL_PACK_COST 15
#define EL_APART_COST 0

#include "../product/block.h"

#define EL_ZERO_4                                                                                                      \
    "fmv.w.x f0, zero\n\tfmv.w.x f1, zero\n\tfmv.w.x f2, zero\n\tfmv.w.x f3, zero\n\tfmv.w.x f4, zero\n\t"             \
    "fmv.w.x f5, zero\n\tfmv.w.x f6, zero\n\tfmv.w.x f7, zero\n\tfmv.w.x f8, zero\n\tfmv.w.x f9, zero\n\t"             \
    "fmv.w.x f10, zero\n\tfmv.w.x f11, zero\n\tfmv.w.x f12, zero\n\tfmv.w.x f13, zero\n\tfmv.w.x f14, zero\n\t"        \
    "fmv.w.x f15, zero\n\t"
#define EL_ZERO_5 EL_ZERO_4 "fmv.w.x f16, zero\n\tfmv.w.x f17, zero\n\tfmv.w.x f18, zero\n\tfmv.w.x f19, zero\n\t"
#define EL_ZERO_6                                                                                                      \
    EL_ZERO_4 "fmv.w.x f16, zero\n\tfmv.w.x f17, zero\n\tfmv.w.x f18, zero\n\tfmv.w.x f19, zero\n\t"                   \
              "fmv.w.x f20, zero\n\tfmv.w.x f21, zero\n\tfmv.w.x f22, zero\n\tfmv.w.x f23, zero\n\t"

/* y += scale, in f28, times a row */
#define EL_ADD_ROW(c0, c1, c2, c3)                                                                                     \
    "flw f24, 0(%[y])\n\tflw f25, 4(%[y])\n\tflw f26, 8(%[y])\n\tflw f27, 12(%[y])\n\tfmadd.s f24, " c0                \
    ", f28, f24\n\tfmadd.s f25, " c1 ", f28, f25\n\tfmadd.s f26, " c2 ", f28, f26\n\tfmadd.s f27, " c3                 \
    ", f28, f27\n\tfsw f24, 0(%[y])\n\tfsw f25, 4(%[y])\n\tfsw f26, 8(%[y])\n\tfsw f27, 12(%[y])\n\t"
#define EL_ADD_4                                                                                                       \
    "flw f28, 0(%[scale])\n\t" EL_ADD_ROW("f0", "f1", "f2", "f3") EL_NEXT("y", "ldy")                                  \
        EL_ADD_ROW("f4", "f5", "f6", "f7") EL_NEXT("y", "ldy") EL_ADD_ROW("f8", "f9", "f10", "f11")                    \
            EL_NEXT("y", "ldy") EL_ADD_ROW("f12", "f13", "f14", "f15")
#define EL_ADD_5 EL_ADD_4 EL_NEXT("y", "ldy") EL_ADD_ROW("f16", "f17", "f18", "f19")
#define EL_ADD_6                                                                                                       \
    EL_ADD_4 EL_NEXT("y", "ldy") EL_ADD_ROW("f16", "f17", "f18", "f19") EL_NEXT("y", "ldy")                            \
        EL_ADD_ROW("f20", "f21", "f22", "f23")

#define EL_DEFINE(H, TERM)                                                                                             \
    static void el_add_##H(int32_t count, const float *a, const float *b, const float *scale, float *y, int32_t ldy)   \
    {                                                                                                                  \
        const float *end = b + (count & ~3) * EL_TILE_WIDTH;                                                           \
        const float *all = b + count * EL_TILE_WIDTH;                                                                  \
        __asm__ volatile(EL_ZERO_##H EL_TERMS(TERM, EL_TOGETHER_##H, EL_STEP_TOGETHER_##H) EL_ADD_##H                  \
                         : [a] "+r"(a), [b] "+r"(b), [y] "+r"(y)                                                       \
                         : [end] "r"(end), [all] "r"(all), [scale] "r"(scale), [ldy] "r"(4 * ldy)                      \
                         : EL_REGISTERS);                                                                              \
    }
EL_DEFINE(6, EL_SIX)
EL_DEFINE(5, EL_FIVE)
EL_DEFINE(4, EL_FOUR)

static void el_add(int32_t height, int32_t count, const float *a, const float *b, const float *scale, float *y,
                   int32_t ldy)
{
    if (height == 6) {
        el_add_6(count, a, b, scale, y, ldy);
    } else if (height == 5) {
        el_add_5(count, a, b, scale, y, ldy);
    } else {
        el_add_4(count, a, b, scale, y, ldy);
    }
}

/* A tile that is not full goes by way of one that is. */
static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const float *a,
                          const float *b, float scale, float *y, int32_t ldy)
{
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        const int32_t n = el_min(width, cols - j);
        if (rows == height && n == width) {
            el_add(height, count, a, b, &scale, y + j, ldy);
        } else {
            float tile[EL_TILE_HEIGHT * EL_TILE_WIDTH] = {0};
            el_tile_copy(rows, n, y + j, ldy, tile, width);
            el_add(height, count, a, b, &scale, tile, width);
            el_tile_copy(rows, n, tile, width, y + j, ldy);
        }
    }
}

#endif
