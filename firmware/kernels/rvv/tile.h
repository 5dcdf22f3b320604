/* What both tiles of products share: rows of EL_V(M) sums c0 .. c6 and the terms that are added to them.
 *
 * A tile is up to seven rows of four vector registers each, which with four for a row of b are all 32. Narrower columns
 * take groups of two registers or one. Any vector length: b has as many columns as a group of four holds.
 *
 * The sum is written in assembler, because it is counted: each term is one vector load, `height` loads that broadcast,
 * and `height` multiply-adds. Results are the same for every vector length and grouping: a lane's terms are added in
 * order. */
#ifndef EL_RVV_TILE_H
#define EL_RVV_TILE_H

#include "../product/block.h"

#define EL_TILE_HEIGHT 7
#define EL_TILE_WIDTH EL_VLMAX(m4)
#define EL_OWN_PANELS

/* Sevens, and what is left in two halves. */
EL_INLINE int32_t el_tile_height(int32_t left)
{
    return left >= 2 * EL_TILE_HEIGHT || left == EL_TILE_HEIGHT ? EL_TILE_HEIGHT
           : left > EL_TILE_HEIGHT                              ? (left + 1) / 2
                                                                : left;
}

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
#define EL_SCALARS "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6"

#define EL_SET_GROUP(M) "vsetvli zero, %[vl], e" EL_WIDTH_NAME ", " #M ", ta, ma\n"
#define EL_NEXT_ROW "vle" EL_WIDTH_NAME ".v %[v], (%[b])\nadd %[b], %[b], %[step]\n"
#define EL_MULTIPLY(i, ...) "vfmacc.vf %[c" #i "], ft" #i ", %[v]\n"
#define EL_DECLARE(i, M) EL_V(M) c##i;

/* The functions NAME(height, group) for all heights and groups, and their table. */
#define EL_HEIGHTS(X, M) X(1, M) X(2, M) X(3, M) X(4, M) X(5, M) X(6, M) X(7, M)
#define EL_NAMES(NAME, M)                                                                                              \
    {                                                                                                                  \
        NAME##1_##M, NAME##2_##M, NAME##3_##M, NAME##4_##M, NAME##5_##M, NAME##6_##M, NAME##7_##M                      \
    }
#define EL_TABLE(NAME)                                                                                                 \
    {                                                                                                                  \
        EL_NAMES(NAME, m1), EL_NAMES(NAME, m2), EL_NAMES(NAME, m4)                                                     \
    }

/* The smallest group that holds the columns, as an index of a table. */
EL_INLINE int el_group(int32_t cols)
{
    return cols <= EL_VLMAX(m1) ? 0 : cols <= EL_VLMAX(m2) ? 1 : 2;
}

#endif
