/* Register tiles: up to 4 x 4 accumulators that stay in FPU registers while eight loads feed sixteen multiply-adds.
 *
 * rows and cols (4, 2 or 1) are compile-time constants once inlined, so that the branches below vanish and one source
 * serves full tiles and tails. The accumulators are a struct of scalars, not an array, because compilers keep the
 * former in registers without unrolling first.
 *
 * EL_SIDE is the side of the largest tile: 1 where a product is not one instruction but dozens, which need the
 * registers themselves, and would be there dozens of times. */
#ifndef EL_BLK_TILE_H
#define EL_BLK_TILE_H

#include "../inline.h"
#include "../real.h"

#ifdef EL_PAM
#define EL_SIDE 1
#else
#define EL_SIDE 4
#endif

typedef struct {
    EL_SUM c00, c01, c02, c03;
    EL_SUM c10, c11, c12, c13;
    EL_SUM c20, c21, c22, c23;
    EL_SUM c30, c31, c32, c33;
} el_tile;

/* Each row starts with b[0..cols). */
EL_INLINE el_tile el_tile_start(int cols, const el_real *b)
{
    el_tile t = {0};
    if (b != 0) {
        t.c00 = t.c10 = t.c20 = t.c30 = EL_SUM_OF(get(&b[0]));
        if (cols > 1) {
            t.c01 = t.c11 = t.c21 = t.c31 = EL_SUM_OF(get(&b[1]));
        }
        if (cols > 2) {
            t.c02 = t.c12 = t.c22 = t.c32 = EL_SUM_OF(get(&b[2]));
            t.c03 = t.c13 = t.c23 = t.c33 = EL_SUM_OF(get(&b[3]));
        }
    }
    return t;
}

/* t[i][j] += a_i * b_j */
EL_INLINE void el_tile_mac(el_tile *t, int rows, int cols, float a0, float a1, float a2, float a3, float b0, float b1,
                           float b2, float b3)
{
#define EL_TILE_ROW(i)                                                                                                 \
    EL_MAC(t->c##i##0, a##i, b0);                                                                                      \
    if (cols > 1) {                                                                                                    \
        EL_MAC(t->c##i##1, a##i, b1);                                                                                  \
    }                                                                                                                  \
    if (cols > 2) {                                                                                                    \
        EL_MAC(t->c##i##2, a##i, b2);                                                                                  \
        EL_MAC(t->c##i##3, a##i, b3);                                                                                  \
    }
    EL_TILE_ROW(0)
    if (rows > 1) {
        EL_TILE_ROW(1)
    }
    if (rows > 2) {
        EL_TILE_ROW(2)
        EL_TILE_ROW(3)
    }
#undef EL_TILE_ROW
}

/* Terms a turn of the loops below. Arm's loads advance their pointer for free; elsewhere each pointer costs an addition
 * a turn, which four terms share. */
#if defined(__arm__) || EL_SIDE == 1
#define EL_BY_FOUR 0
#else
#define EL_BY_FOUR 1
#endif

/* Hides a pointer's progress from the vectorizer. GCC 12 at -O3 would turn the sums over contiguous rows into gathers
 * for Helium, which take twice the instructions. */
#if defined(__ARM_FEATURE_MVE)
#define EL_OPAQUE(p) __asm__("" : "+r"(p))
#else
#define EL_OPAQUE(p) ((void)0)
#endif

/* t[i][j] += sum over k < count of a_i[k] * b_j[k]: both operands contiguous along the sum. */
EL_INLINE void el_tile_dot(el_tile *t, int rows, int cols, int32_t count, const el_real *a0, const el_real *a1,
                           const el_real *a2, const el_real *a3, const el_real *b0, const el_real *b1,
                           const el_real *b2, const el_real *b3)
{
#define EL_TERM(k)                                                                                                     \
    el_tile_mac(t, rows, cols, get(&a0[k]), rows > 1 ? get(&a1[k]) : 0.0f, rows > 2 ? get(&a2[k]) : 0.0f,              \
                rows > 2 ? get(&a3[k]) : 0.0f, get(&b0[k]), cols > 1 ? get(&b1[k]) : 0.0f,                             \
                cols > 2 ? get(&b2[k]) : 0.0f, cols > 2 ? get(&b3[k]) : 0.0f)
#define EL_ADVANCE(n) (a0 += n, a1 += n, a2 += n, a3 += n, b0 += n, b1 += n, b2 += n, b3 += n)
    const el_real *end = a0 + count;
    for (const el_real *fours = EL_BY_FOUR ? a0 + (count & ~3) : a0; a0 != fours;) {
        EL_TERM(0);
        EL_TERM(1);
        EL_TERM(2);
        EL_TERM(3);
        EL_ADVANCE(4);
    }
    for (; a0 != end; EL_ADVANCE(1)) {
        EL_OPAQUE(b0);
        EL_TERM(0);
    }
#undef EL_TERM
#undef EL_ADVANCE
}

/* t[i][j] += sum over k < count of a_i[k] * b[k*ldb + j]: the second operand contiguous across the tile. */
EL_INLINE void el_tile_rows(el_tile *t, int rows, int cols, int32_t count, const el_real *a0, const el_real *a1,
                            const el_real *a2, const el_real *a3, const el_real *b, int32_t ldb)
{
#define EL_TERM(k)                                                                                                     \
    el_tile_mac(t, rows, cols, get(&a0[k]), rows > 1 ? get(&a1[k]) : 0.0f, rows > 2 ? get(&a2[k]) : 0.0f,              \
                rows > 2 ? get(&a3[k]) : 0.0f, get(&b[0]), cols > 1 ? get(&b[1]) : 0.0f, cols > 2 ? get(&b[2]) : 0.0f, \
                cols > 2 ? get(&b[3]) : 0.0f);                                                                         \
    b += ldb
    const el_real *end = a0 + count;
    for (const el_real *fours = EL_BY_FOUR ? a0 + (count & ~3) : a0; a0 != fours;) {
        EL_TERM(0);
        EL_TERM(1);
        EL_TERM(2);
        EL_TERM(3);
        a0 += 4, a1 += 4, a2 += 4, a3 += 4;
    }
    for (; a0 != end; a0++, a1++, a2++, a3++) {
        EL_TERM(0);
    }
#undef EL_TERM
}

/* t[i][j] += sum over k < count of a[k*lda + i] * b[k*ldb + j]: both contiguous across the tile. */
EL_INLINE void el_tile_outer(el_tile *t, int rows, int cols, int32_t count, const el_real *a, int32_t lda,
                             const el_real *b, int32_t ldb)
{
    for (; count > 0; count--, a += lda, b += ldb) {
        el_tile_mac(t, rows, cols, get(&a[0]), rows > 1 ? get(&a[1]) : 0.0f, rows > 2 ? get(&a[2]) : 0.0f,
                    rows > 2 ? get(&a[3]) : 0.0f, get(&b[0]), cols > 1 ? get(&b[1]) : 0.0f,
                    cols > 2 ? get(&b[2]) : 0.0f, cols > 2 ? get(&b[3]) : 0.0f);
    }
}

EL_INLINE void el_row_store(int cols, float c0, float c1, float c2, float c3, el_real *y)
{
    put(&y[0], c0);
    if (cols > 1) {
        put(&y[1], c1);
    }
    if (cols > 2) {
        put(&y[2], c2);
        put(&y[3], c3);
    }
}

/* y[i*ld + j] = t[i][j] */
EL_INLINE void el_tile_store(const el_tile *t, int rows, int cols, el_real *y, int32_t ld)
{
    el_row_store(cols, EL_TOTAL(t->c00), EL_TOTAL(t->c01), EL_TOTAL(t->c02), EL_TOTAL(t->c03), y);
    if (rows > 1) {
        el_row_store(cols, EL_TOTAL(t->c10), EL_TOTAL(t->c11), EL_TOTAL(t->c12), EL_TOTAL(t->c13), y + ld);
    }
    if (rows > 2) {
        el_row_store(cols, EL_TOTAL(t->c20), EL_TOTAL(t->c21), EL_TOTAL(t->c22), EL_TOTAL(t->c23), y + 2 * ld);
        el_row_store(cols, EL_TOTAL(t->c30), EL_TOTAL(t->c31), EL_TOTAL(t->c32), EL_TOTAL(t->c33), y + 3 * ld);
    }
}

EL_INLINE void el_row_add(int cols, float scale, float c0, float c1, float c2, float c3, el_real *y)
{
    add_product(&y[0], scale, c0);
    if (cols > 1) {
        add_product(&y[1], scale, c1);
    }
    if (cols > 2) {
        add_product(&y[2], scale, c2);
        add_product(&y[3], scale, c3);
    }
}

/* y[i*ld + j] += scale * t[i][j] */
EL_INLINE void el_tile_add(const el_tile *t, int rows, int cols, float scale, el_real *y, int32_t ld)
{
    el_row_add(cols, scale, EL_TOTAL(t->c00), EL_TOTAL(t->c01), EL_TOTAL(t->c02), EL_TOTAL(t->c03), y);
    if (rows > 1) {
        el_row_add(cols, scale, EL_TOTAL(t->c10), EL_TOTAL(t->c11), EL_TOTAL(t->c12), EL_TOTAL(t->c13), y + ld);
    }
    if (rows > 2) {
        el_row_add(cols, scale, EL_TOTAL(t->c20), EL_TOTAL(t->c21), EL_TOTAL(t->c22), EL_TOTAL(t->c23), y + 2 * ld);
        el_row_add(cols, scale, EL_TOTAL(t->c30), EL_TOTAL(t->c31), EL_TOTAL(t->c32), EL_TOTAL(t->c33), y + 3 * ld);
    }
}

#endif
