/* Tiles whose rows are interleaved, a[count][height]: the gradient of w, y += scale * sum. */
#ifndef EL_RVV_WEIGHTS_H
#define EL_RVV_WEIGHTS_H

/* See product/block.h. */
#define EL_TILE_COST 85
#define EL_ROWS_COST 60
#define EL_PACK_COST 5
#define EL_APART_COST 0

#include "tile.h"

/* b is [count][width], `step` bytes a row. */
typedef struct {
    int32_t cols, count;
    const el_t *a, *b;
    int32_t step;
    float scale;
    el_t *y;
    int32_t ldy;
} el_tile;

/* Some terms of a turn of the loop, each one's number in \u; n terms on. */
#define EL_BROADCAST(i, H) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*(" #H "*\\u+" #i ")(%[a])\n"
#define EL_TERMS(H, numbers)                                                                                           \
    ".irp u, " numbers "\n" EL_NEXT_ROW EL_ROWS##H(EL_BROADCAST, H) EL_ROWS##H(EL_MULTIPLY, ) ".endr\n"
#define EL_ADVANCE(H, n) "addi %[a], %[a], " EL_BYTES "*" #H "*" #n "\n"

/* c0 .. += four terms a turn, then one; fours and ones are where a ends. */
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(                                                                                                  \
        EL_SET_GROUP(M) "beq %[a], %[fours], 2f\n"                                                                     \
                        "1:\n" EL_TERMS(H, "0, 1, 2, 3")                                                               \
                            EL_ADVANCE(H, 4) "bne %[a], %[fours], 1b\n"                                                \
                                             "2: beq %[a], %[ones], 4f\n"                                              \
                                             "3:\n" EL_TERMS(H, "0") EL_ADVANCE(H, 1) "bne %[a], %[ones], 3b\n"        \
                                                                                      "4:\n"                           \
        : EL_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b)                                                          \
        : [vl] "r"(vl), [step] "r"(step), [fours] "r"(a + (count & ~3) * (H)), [ones] "r"(a + count * (H))             \
        : EL_SCALARS, "vl", "vtype", "memory")

#define EL_FIRST(i, M) c##i = EL_VOP(vfmul_vf, M)(v, a[i], vl);
#define EL_ADD(i, M) EL_ADD_TO(i, M), y += ldy;

/* The first term is a product, not a sum with zero. */
#define EL_TILE(H, M)                                                                                                  \
    static void el_add_##H##_##M(const el_tile *t)                                                                     \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int32_t step = t->step;                                                                                  \
        const int32_t ldy = t->ldy;                                                                                    \
        const int32_t count = t->count - 1;                                                                            \
        const float scale = t->scale;                                                                                  \
        const el_t *a = t->a;                                                                                          \
        const el_t *b = t->b;                                                                                          \
        el_t *y = t->y;                                                                                                \
        EL_V(M) v = EL_VMEM(vle, M)(b, vl);                                                                            \
        EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_FIRST, M) a += H;                                                      \
        b = (const el_t *)(const void *)((const char *)b + step);                                                      \
        EL_SUM(H, M);                                                                                                  \
        EL_ROWS##H(EL_ADD, M)                                                                                          \
    }
EL_HEIGHTS(EL_TILE, m1)
EL_HEIGHTS(EL_TILE, m2)
EL_HEIGHTS(EL_TILE, m4)

/* Columns of several panels, which follow each other at b. */
static void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const el_row_t *a,
                          const el_t *b, float scale, el_t *y, int32_t ldy)
{
    static void (*const tiles[3][EL_TILE_HEIGHT])(const el_tile *) = EL_TABLE(el_add_);
    (void)rows; /* el_tile_height() never exceeds what is left */
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        const int32_t some = el_min(width, cols - j);
        const el_tile t = {some, count, a, b, width * (int32_t)sizeof(el_t), scale, y + j, ldy};
        tiles[el_group(some)][height - 1](&t);
    }
}

#define EL_OWN_PACK_ROWS
static void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    el_copy(rows, count, from, pitch, height, to);
}

#include "../product/weights.h"

#endif
