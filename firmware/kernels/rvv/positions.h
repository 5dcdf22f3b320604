/* Tiles whose rows lie apart, where they are in the map: forward and the gradient of x. */
#ifndef EL_RVV_POSITIONS_H
#define EL_RVV_POSITIONS_H

/* See product/block.h. */
#define EL_TILE_COST 70
#define EL_ROWS_COST 250
#define EL_PACK_COST 2
#define EL_APART_COST 60
#define EL_ROWS_APART

#include "tile.h"

/* `tiles` tiles below each other, rows of a `lda` apart: y = from + sum; from is NULL for zeros, or its rows are
 * `pitch` apart. b is [count][width], `step` bytes a row. */
typedef struct {
    int32_t tiles, cols, count, lda;
    const el_t *a, *b;
    int32_t step;
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

#define EL_POINT(i, M) const el_t *p##i = a + (i)*lda;
#define EL_ZERO(i, M) c##i = EL_VOP(vfmv_v_f, M)(0, vl);
#define EL_LOAD(i, M) c##i = EL_VMEM(vle, M)(from, vl), from += pitch;
#define EL_STORE(i, M) EL_VMEM(vse, M)(y, c##i, vl), y += ldy;

/* Sums begin with `from`, or, if EL_FROM_LAST is defined, with zeros, and `from` comes last. */
#ifdef EL_FROM_LAST
#define EL_ADD(i, M) c##i = EL_VOP(vfadd_vv, M)(c##i, EL_VMEM(vle, M)(from, vl), vl), from += pitch;
#define EL_BEGIN(H, M) EL_ROWS##H(EL_ZERO, M)
#define EL_END(H, M)                                                                                                   \
    if (from != 0) {                                                                                                   \
        EL_ROWS##H(EL_ADD, M)                                                                                          \
    }
#else
#define EL_BEGIN(H, M)                                                                                                 \
    if (from != 0) {                                                                                                   \
        EL_ROWS##H(EL_LOAD, M)                                                                                         \
    } else {                                                                                                           \
        EL_ROWS##H(EL_ZERO, M)                                                                                         \
    }
#define EL_END(H, M)
#endif

#define EL_TILE(H, M)                                                                                                  \
    static void el_store_##H##_##M(const el_tiles *t)                                                                  \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const int32_t lda = t->lda;                                                                                    \
        const int32_t step = t->step;                                                                                  \
        const int32_t pitch = t->pitch;                                                                                \
        const int32_t ldy = t->ldy;                                                                                    \
        const int32_t count = t->count;                                                                                \
        const el_t *a = t->a;                                                                                          \
        const el_t *from = t->from;                                                                                    \
        el_t *y = t->y;                                                                                                \
        for (int32_t left = t->tiles; left > 0; left--, a += (H)*lda) {                                                \
            const el_t *b = t->b;                                                                                      \
            const el_t *const eights = a + (count & ~7);                                                               \
            const el_t *const fours = a + (count & ~3);                                                                \
            const el_t *const ones = a + count;                                                                        \
            EL_V(M) v;                                                                                                 \
            EL_ROWS##H(EL_DECLARE, M) EL_ROWS##H(EL_POINT, M) EL_BEGIN(H, M) EL_SUM(H, M);                             \
            EL_END(H, M)                                                                                               \
            EL_ROWS##H(EL_STORE, M)                                                                                    \
        }                                                                                                              \
    }
EL_HEIGHTS(EL_TILE, m1)
EL_HEIGHTS(EL_TILE, m2)
EL_HEIGHTS(EL_TILE, m4)

/* Columns of several panels, which follow each other at b; any number of rows. */
static void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count, const el_row_t *a,
                            int32_t lda, const el_t *b, const el_t *from, int32_t pitch, el_t *y, int32_t ldy)
{
    static void (*const tiles[3][EL_TILE_HEIGHT])(const el_tiles *) = EL_TABLE(el_store_);
    (void)height;
    for (int32_t j = 0; j < cols; j += width, b += count * width) {
        const int32_t some = el_min(width, cols - j);
        const int group = el_group(some);
        int32_t high;
        for (int32_t i = 0; i < rows; i += high) {
            high = el_tile_height(rows - i);
            const int32_t many = high == EL_TILE_HEIGHT ? el_max((rows - i) / EL_TILE_HEIGHT - 1, 1) : 1;
            const el_tiles t = {many,
                                some,
                                count,
                                lda,
                                a + i * lda,
                                b,
                                width * (int32_t)sizeof(el_t),
                                from != 0 ? from + i * pitch + j : 0,
                                pitch,
                                y + i * ldy + j,
                                ldy};
            tiles[group][high - 1](&t);
            i += (many - 1) * high;
        }
    }
}

/* to[k][j] = from[k][j] for j < cols, at most a group of four registers */
EL_INLINE void el_copy(int32_t cols, int32_t count, const el_t *from, int32_t pitch, int32_t step, el_t *to)
{
    const size_t vl = EL_VL(m4, cols);
    for (; count > 0; count--, from += pitch, to += step) {
        EL_VMEM(vse, m4)(to, EL_VMEM(vle, m4)(from, vl), vl);
    }
}

#define EL_OWN_PACK_COLS
static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    if (cols > 0) { /* a tile does not look at columns beyond */
        el_copy(cols, count, from, pitch, width, to);
    } else {
        for (; count > 0; count--, to += width) { /* padding */
            EL_VMEM(vse, m4)(to, EL_VOP(vfmv_v_f, m4)(0, EL_VL(m4, width)), EL_VL(m4, width));
        }
    }
}

#define EL_OWN_PACK_ROW
static void el_pack_row(int32_t count, const el_t *from, el_row_t *to)
{
    while (count > 0) {
        const size_t vl = EL_VL(m8, count);
        if (from != 0) {
            EL_VMEM(vse, m8)(to, EL_VMEM(vle, m8)(from, vl), vl);
            from += vl;
        } else {
            EL_VMEM(vse, m8)(to, EL_VOP(vfmv_v_f, m8)(0, vl), vl);
        }
        to += vl;
        count -= (int32_t)vl;
    }
}

#define EL_OWN_PACK_TURNED
static void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    const ptrdiff_t stride = width * (ptrdiff_t)sizeof(el_t);
    for (int32_t j = 0; j < cols; j++, from += pitch, to++) { /* a tile does not look at columns beyond */
        for (int32_t k = 0; k < count;) {
            const size_t vl = EL_VL(m8, count - k);
            EL_VMEM(vsse, m8)(to + k * width, stride, EL_VMEM(vle, m8)(from + k, vl), vl);
            k += (int32_t)vl;
        }
    }
}

#include "../product/positions.h"

#endif
