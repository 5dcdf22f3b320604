/* The tile of products for RISC-V V: up to seven rows of four vector registers each, which with four for a row of b are
 * all 32. Narrower columns take groups of two registers or one. Any vector length: b has as many columns as a group of
 * four holds.
 *
 * The sum is written in assembler, because it is counted: each term is one vector load, `height` loads that broadcast,
 * and `height` multiply-adds; pointers and the loop cost one and a half instructions more. Results are the same for
 * every vector length and grouping: a lane's terms are added in order. */
#ifndef EL_RVV_TILE_H
#define EL_RVV_TILE_H

#include "../product/block.h"

#define EL_TILE_HEIGHT 7
#define EL_TILE_WIDTH EL_VLMAX(m4)

/* Sevens, and what is left in two halves. */
EL_INLINE int32_t el_tile_height(int32_t left)
{
    return left >= 2 * EL_TILE_HEIGHT || left == EL_TILE_HEIGHT ? EL_TILE_HEIGHT
           : left > EL_TILE_HEIGHT                              ? (left + 1) / 2
                                                                : left;
}

/* One tile: a is [count][height], b is [count][width]. y = from + sum, from's rows `pitch` apart, or NULL: zeros; with
 * `scale`, y += *scale * sum. */
typedef struct {
    int32_t cols, count;
    const el_t *a, *b;
    int32_t step; /* bytes from a row of b to the next */
    const el_t *from;
    int32_t pitch;
    const float *scale;
    el_t *y;
    int32_t ldy;
} el_tile;

/* X(i, ...) for each row of a tile of H rows. */
#define EL_ROWS1(X, ...) X(0, __VA_ARGS__)
#define EL_ROWS2(X, ...) EL_ROWS1(X, __VA_ARGS__) X(1, __VA_ARGS__)
#define EL_ROWS3(X, ...) EL_ROWS2(X, __VA_ARGS__) X(2, __VA_ARGS__)
#define EL_ROWS4(X, ...) EL_ROWS3(X, __VA_ARGS__) X(3, __VA_ARGS__)
#define EL_ROWS5(X, ...) EL_ROWS4(X, __VA_ARGS__) X(4, __VA_ARGS__)
#define EL_ROWS6(X, ...) EL_ROWS5(X, __VA_ARGS__) X(5, __VA_ARGS__)
#define EL_ROWS7(X, ...) EL_ROWS6(X, __VA_ARGS__) X(6, __VA_ARGS__)
#define EL_SUMS1 [c0] "+vr"(c0)
#define EL_SUMS2 EL_SUMS1, [c1] "+vr"(c1)
#define EL_SUMS3 EL_SUMS2, [c2] "+vr"(c2)
#define EL_SUMS4 EL_SUMS3, [c3] "+vr"(c3)
#define EL_SUMS5 EL_SUMS4, [c4] "+vr"(c4)
#define EL_SUMS6 EL_SUMS5, [c5] "+vr"(c5)
#define EL_SUMS7 EL_SUMS6, [c6] "+vr"(c6)

/* Term u of a turn of the loop. */
#define EL_BROADCAST(i, H, u) EL_LOAD_SCALAR " ft" #i ", " EL_BYTES "*(" #H "*" #u "+" #i ")(%[a])\n"
#define EL_MULTIPLY(i, op) op " %[c" #i "], ft" #i ", %[v]\n"
#define EL_TERM(H, u)                                                                                                  \
    "vle" EL_WIDTH_NAME ".v %[v], (%[b])\n"                                                                            \
    "add %[b], %[b], %[step]\n" EL_ROWS##H(EL_BROADCAST, H, u) EL_ROWS##H(EL_MULTIPLY, "vfmacc.vf")
#define EL_ADVANCE(H, n) "addi %[a], %[a], " EL_BYTES "*" #H "*" #n "\n"

/* c0 .. += four terms a turn, then one. fours and ones are where a ends; count may be 0. */
#define EL_SUM(H, M)                                                                                                   \
    __asm__ volatile(                                                                                                  \
        "vsetvli zero, %[vl], e" EL_WIDTH_NAME ", " #M ", ta, ma\n"                                                    \
        "beq %[a], %[fours], 2f\n"                                                                                     \
        "1:\n" EL_TERM(H, 0) EL_TERM(H, 1) EL_TERM(H, 2) EL_TERM(H, 3)                                                 \
            EL_ADVANCE(H, 4) "bne %[a], %[fours], 1b\n"                                                                \
                             "2: beq %[a], %[ones], 4f\n"                                                              \
                             "3:\n" EL_TERM(H, 0) EL_ADVANCE(H, 1) "bne %[a], %[ones], 3b\n"                           \
                                                                   "4:\n"                                              \
        : EL_SUMS##H, [v] "=&vr"(v), [a] "+r"(a), [b] "+r"(b)                                                          \
        : [vl] "r"(vl), [step] "r"(t->step), [fours] "r"(a + (count & ~3) * (H)), [ones] "r"(a + count * (H))          \
        : "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "vl", "vtype", "memory")

#define EL_DECLARE(i, M) EL_V(M) c##i;
#define EL_LOAD(i, M) c##i = EL_VMEM(vle, M)(from, vl), from += t->pitch;
#define EL_FIRST(i, M) c##i = EL_VOP(vfmul_vf, M)(v, a[i], vl);
#define EL_ADD(i, M)                                                                                                   \
    v = EL_VMEM(vle, M)(y, vl), EL_VMEM(vse, M)(y, EL_VOP(vfmacc_vf, M)(v, scale, c##i, vl), vl), y += t->ldy;
#define EL_STORE(i, M) EL_VMEM(vse, M)(y, c##i, vl), y += t->ldy;

/* Without `from` the first term is a product, not a sum with zero. */
#define EL_TILE(H, M)                                                                                                  \
    static void el_tile_##H##_##M(const el_tile *t)                                                                    \
    {                                                                                                                  \
        const size_t vl = EL_VL(M, t->cols);                                                                           \
        const el_t *a = t->a;                                                                                          \
        const el_t *b = t->b;                                                                                          \
        const el_t *from = t->from;                                                                                    \
        el_t *y = t->y;                                                                                                \
        int32_t count = t->count;                                                                                      \
        EL_V(M) v;                                                                                                     \
        EL_ROWS##H(EL_DECLARE, M) if (from != 0)                                                                       \
        {                                                                                                              \
            EL_ROWS##H(EL_LOAD, M)                                                                                     \
        }                                                                                                              \
        else                                                                                                           \
        {                                                                                                              \
            v = EL_VMEM(vle, M)(b, vl);                                                                                \
            EL_ROWS##H(EL_FIRST, M) a += H;                                                                            \
            b = (const el_t *)(const void *)((const char *)b + t->step);                                               \
            count--;                                                                                                   \
        }                                                                                                              \
        EL_SUM(H, M);                                                                                                  \
        if (t->scale != 0) {                                                                                           \
            const el_t scale = (el_t)*t->scale;                                                                        \
            EL_ROWS##H(EL_ADD, M)                                                                                      \
        } else {                                                                                                       \
            EL_ROWS##H(EL_STORE, M)                                                                                    \
        }                                                                                                              \
    }

#define EL_TILES(M) EL_TILE(1, M) EL_TILE(2, M) EL_TILE(3, M) EL_TILE(4, M) EL_TILE(5, M) EL_TILE(6, M) EL_TILE(7, M)
EL_TILES(m1)
EL_TILES(m2)
EL_TILES(m4)

#define EL_NAMES(M)                                                                                                    \
    {                                                                                                                  \
        el_tile_1_##M, el_tile_2_##M, el_tile_3_##M, el_tile_4_##M, el_tile_5_##M, el_tile_6_##M, el_tile_7_##M        \
    }

/* The smallest group that holds the columns. */
static void el_tile_run(int32_t height, const el_tile *t)
{
    static void (*const tiles[3][EL_TILE_HEIGHT])(const el_tile *) = {EL_NAMES(m1), EL_NAMES(m2), EL_NAMES(m4)};
    const int size = t->cols <= EL_VLMAX(m1) ? 0 : t->cols <= EL_VLMAX(m2) ? 1 : 2;
    tiles[size][height - 1](t);
}

/* Columns of several panels, which follow each other at b. */
EL_INLINE void el_panels(el_tile *t, int32_t width, int32_t height, int32_t cols)
{
    t->step = width * (int32_t)sizeof(el_t);
    for (int32_t left = cols; left > 0; left -= width) {
        t->cols = el_min(width, left);
        el_tile_run(height, t);
        t->b += t->count * width;
        t->from += t->from != 0 ? width : 0;
        t->y += width;
    }
}

#define EL_OWN_PANELS
EL_INLINE void el_panels_store(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                               const el_row_t *a, int32_t lda, const el_t *b, const el_t *from, int32_t pitch, el_t *y,
                               int32_t ldy)
{
    el_tile t = {0, count, a, b, 0, from, pitch, 0, y, ldy};
    (void)rows; /* el_tile_height() never exceeds what is left */
    (void)lda;
    el_panels(&t, width, height, cols);
}

EL_INLINE void el_panels_add(int32_t width, int32_t height, int32_t rows, int32_t cols, int32_t count,
                             const el_row_t *a, const el_t *b, float scale, el_t *y, int32_t ldy)
{
    el_tile t = {0, count, a, b, 0, 0, 0, &scale, y, ldy};
    (void)rows;
    el_panels(&t, width, height, cols);
}

/* to[k * step] = from[k] for k < count; zeros where from is NULL */
EL_INLINE void el_turn(int32_t count, const el_t *from, int32_t step, el_t *to)
{
    const ptrdiff_t stride = step * (ptrdiff_t)sizeof(el_t);
    while (count > 0) {
        const size_t vl = EL_VL(m8, count);
        const EL_V(m8) v = from != 0 ? EL_VMEM(vle, m8)(from, vl) : EL_VOP(vfmv_v_f, m8)(0, vl);
        EL_VMEM(vsse, m8)(to, stride, v, vl);
        from += from != 0 ? vl : 0;
        to += vl * (size_t)step;
        count -= (int32_t)vl;
    }
}

#define EL_OWN_PACK_GATHER
static void el_pack_gather(int32_t height, int32_t count, const el_t *const *from, el_row_t *to)
{
    for (int32_t i = 0; i < height; i++) {
        el_turn(count, from[i], height, to + i);
    }
}

#define EL_OWN_PACK_TURNED
static void el_pack_turned(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    for (int32_t j = 0; j < cols; j++, from += pitch) { /* a tile does not look at columns beyond */
        el_turn(count, from, width, to + j);
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

#define EL_OWN_PACK_ROWS
static void el_pack_rows(int32_t height, int32_t rows, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    el_copy(rows, count, from, pitch, height, to);
}

#define EL_OWN_PACK_COLS
static void el_pack_cols(int32_t width, int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    if (cols > 0) {
        el_copy(cols, count, from, pitch, width, to);
    } else {
        for (; count > 0; count--, to += width) { /* padding */
            EL_VMEM(vse, m4)(to, EL_VOP(vfmv_v_f, m4)(0, EL_VL(m4, width)), EL_VL(m4, width));
        }
    }
}

#endif
