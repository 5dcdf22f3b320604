/* What both tiles of products share: rows of EL_V(M) sums c0 .. c6 and the terms that are added to them.
 *
 * A tile is three rows of eight vector registers each, or up to seven of four, which with as many for a row of b are
 * all 32: the more columns there are the fewer loads that broadcast, one for each row. Narrower columns take groups of
 * two registers or one. Columns are as many as 128 bytes hold, whatever the vectors' length: longer ones take smaller
 * groups.
 *
 * The sum is written in assembler, because it is counted: each term is one vector load, `height` loads that broadcast,
 * and `height` multiply-adds. Results are the same for every vector length and grouping: a lane's terms are added in
 * order. */
#ifndef EL_RVV_TILE_H
#define EL_RVV_TILE_H

#include "../product/block.h"

enum { EL_TILE_BYTES = 128 };

#define EL_TILE_WIDTH ((int32_t)(EL_TILE_BYTES / sizeof(el_t)))
#define EL_TILE_HEIGHT 7
#define EL_OWN_PANELS

/* Columns for which memory is packed: a whole panel, a half or a quarter. */
EL_INLINE int32_t el_width_for(int32_t columns)
{
    const int32_t quarter = EL_TILE_WIDTH / 4;
    return columns <= quarter ? quarter : columns <= 2 * quarter ? 2 * quarter : EL_TILE_WIDTH;
}
#define EL_WIDTH_FOR(columns) el_width_for(columns)

/* The next columns of `left`: how many, the index of their group in tables, and the rows that a tile has at most. Three
 * registers are a group of four, seven are one of eight; five and six are two. */
typedef struct {
    int32_t cols;
    int group, height;
} el_columns;

EL_INLINE el_columns el_columns_in(int32_t left, int32_t lanes)
{
    const int32_t registers = el_ceil_div(left, lanes);
    const int group = registers > 6 ? 3 : registers > 2 ? 2 : registers - 1;
    return (el_columns){el_min(left, lanes << group), group, group == 3 ? 3 : EL_TILE_HEIGHT};
}

EL_INLINE el_columns el_columns_next(int32_t left)
{
    return el_columns_in(left, EL_VLMAX(m1));
}

/* As many rows as there may be, and what is left in two halves. */
EL_INLINE int32_t el_tile_height(int32_t most, int32_t left)
{
    return left >= 2 * most || left == most ? most : left > most ? (left + 1) / 2 : left;
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
#define EL_NEW_SUMS1 [c0] "=&vr"(c0)
#define EL_NEW_SUMS2 EL_NEW_SUMS1, [c1] "=&vr"(c1)
#define EL_NEW_SUMS3 EL_NEW_SUMS2, [c2] "=&vr"(c2)
#define EL_NEW_SUMS4 EL_NEW_SUMS3, [c3] "=&vr"(c3)
#define EL_NEW_SUMS5 EL_NEW_SUMS4, [c4] "=&vr"(c4)
#define EL_NEW_SUMS6 EL_NEW_SUMS5, [c5] "=&vr"(c5)
#define EL_NEW_SUMS7 EL_NEW_SUMS6, [c6] "=&vr"(c6)
#define EL_SCALARS "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6"

#define EL_SET_GROUP(M) "vsetvli zero, %[vl], e" EL_WIDTH_NAME ", " #M ", ta, ma\n"
#define EL_NEXT_ROW "vle" EL_WIDTH_NAME ".v %[v], (%[b])\nadd %[b], %[b], %[step]\n"
#define EL_MULTIPLY(i, ...) "vfmacc.vf %[c" #i "], ft" #i ", %[v]\n"
#define EL_DECLARE(i, M) EL_V(M) c##i;

/* The functions NAME(height, group) for all heights and groups, and their table. */
#define EL_THREE(X, M) X(1, M) X(2, M) X(3, M)
#define EL_SEVEN(X, M) EL_THREE(X, M) X(4, M) X(5, M) X(6, M) X(7, M)
#define EL_ALL_TILES(X) EL_SEVEN(X, m1) EL_SEVEN(X, m2) EL_SEVEN(X, m4) EL_THREE(X, m8)
#define EL_NAMES(NAME, M)                                                                                              \
    {                                                                                                                  \
        NAME##1_##M, NAME##2_##M, NAME##3_##M, NAME##4_##M, NAME##5_##M, NAME##6_##M, NAME##7_##M                      \
    }
#define EL_TABLE(NAME)                                                                                                 \
    {                                                                                                                  \
        EL_NAMES(NAME, m1), EL_NAMES(NAME, m2), EL_NAMES(NAME, m4),                                                    \
        {                                                                                                              \
            NAME##1_m8, NAME##2_m8, NAME##3_m8                                                                         \
        }                                                                                                              \
    }

/* Zeros that sums begin with: as many as a panel has columns. */
static const el_t el_zeros[EL_TILE_BYTES / sizeof(el_t)];

/* The same, but a compiler does not see that, and loads them as often as it is told: a copy of a group of registers
 * would take a beat for each. */
EL_INLINE const el_t *el_some_zeros(void)
{
    const el_t *p = el_zeros;
    __asm__ volatile("" : "+r"(p));
    return p;
}

EL_INLINE const el_t *el_further(const el_t *p, int32_t bytes)
{
    return (const el_t *)(const void *)((const char *)p + bytes);
}

#endif
