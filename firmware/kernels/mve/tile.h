/* The register tile of products: up to seven rows, whose terms are scalars in core registers, by one vector of columns.
 *
 * A term is one LDM of the rows' scalars, one load of the columns and a multiply-add for each row: with seven rows nine
 * instructions for seven vectors, and one more for two terms to come round. Seven sums and the columns fill the eight
 * vector registers, which is why this is assembly: a compiler would spill. */
#ifndef EL_MVE_TILE_H
#define EL_MVE_TILE_H

#include <stdint.h>

#define EL_TILE_HEIGHT 7
#define EL_TILE_WIDTH EL_LANES

/* As few panels as possible, about equally high. */
EL_INLINE int32_t el_tile_height(int32_t left)
{
    const int32_t panels = (left + EL_TILE_HEIGHT - 1) / EL_TILE_HEIGHT;
    return (left + panels - 1) / panels;
}

typedef struct {
    el_v c0, c1, c2, c3, c4, c5, c6;
} el_tile;

/* r7 may be the frame pointer, so it is left out. */
#define EL_TERM_1 "ldr r4, [%[a]], #4\n" EL_LOAD_COLUMNS EL_ROW_0
#define EL_TERM_2 "ldm %[a]!, {r4-r5}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1
#define EL_TERM_3 "ldm %[a]!, {r4-r6}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1 EL_ROW_2
#define EL_TERM_4 "ldm %[a]!, {r4-r6,r8}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1 EL_ROW_2 EL_ROW_3
#define EL_TERM_5 "ldm %[a]!, {r4-r6,r8-r9}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1 EL_ROW_2 EL_ROW_3 EL_ROW_4
#define EL_TERM_6 "ldm %[a]!, {r4-r6,r8-r10}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1 EL_ROW_2 EL_ROW_3 EL_ROW_4 EL_ROW_5
#define EL_TERM_7                                                                                                      \
    "ldm %[a]!, {r4-r6,r8-r11}\n" EL_LOAD_COLUMNS EL_ROW_0 EL_ROW_1 EL_ROW_2 EL_ROW_3 EL_ROW_4 EL_ROW_5 EL_ROW_6

#define EL_SUMS_1 [c0] "+w"(t->c0)
#define EL_SUMS_2 EL_SUMS_1, [c1] "+w"(t->c1)
#define EL_SUMS_3 EL_SUMS_2, [c2] "+w"(t->c2)
#define EL_SUMS_4 EL_SUMS_3, [c3] "+w"(t->c3)
#define EL_SUMS_5 EL_SUMS_4, [c4] "+w"(t->c4)
#define EL_SUMS_6 EL_SUMS_5, [c5] "+w"(t->c5)
#define EL_SUMS_7 EL_SUMS_6, [c6] "+w"(t->c6)

/* `count` terms, four at a time, the odd ones first. One piece of assembly, so that nothing moves between its parts. */
#define EL_SUM(height)                                                                                                 \
    if (height == rows) {                                                                                              \
        el_v v;                                                                                                        \
        __asm__ volatile("lsrs %[n], %[n], #1\n"                                                                       \
                         "bcc 0f\n" EL_TERM_##height "0:\n"                                                            \
                                                     "lsrs %[n], %[n], #1\n"                                           \
                                                     "bcc 1f\n" EL_TERM_##height EL_TERM_##height                      \
                         "1:\n"                                                                                        \
                         "wls lr, %[n], 3f\n"                                                                          \
                         "2:\n" EL_TERM_##height EL_TERM_##height EL_TERM_##height EL_TERM_##height "le lr, 2b\n"      \
                                                                                                    "3:\n"             \
                         : EL_SUMS_##height, [v] "=&w"(v), [a] "+r"(a), [b] "+r"(b), [n] "+r"(count)                   \
                         :                                                                                             \
                         : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "cc", "memory");                          \
    }

/* The address of the next row: the compiler would keep a multiple of the pitch for each. */
EL_INLINE el_t *el_next_row(el_t *p, int32_t pitch)
{
    p += pitch;
    __asm__("" : "+r"(p));
    return p;
}

/* t += the products of `count` terms; rows is a constant once inlined. Returns the columns behind them. */
EL_INLINE const el_t *el_tile_sum(int rows, int32_t count, const el_row_t *a, const el_t *b, el_tile *t)
{
    EL_SUM(1)
    EL_SUM(2)
    EL_SUM(3)
    EL_SUM(4)
    EL_SUM(5)
    EL_SUM(6)
    EL_SUM(7)
    return b;
}

/* X(i) for each row of a tile */
#define EL_TILE_ROWS(X)                                                                                                \
    X(0)                                                                                                               \
    if (rows > 1) {                                                                                                    \
        X(1)                                                                                                           \
    }                                                                                                                  \
    if (rows > 2) {                                                                                                    \
        X(2)                                                                                                           \
    }                                                                                                                  \
    if (rows > 3) {                                                                                                    \
        X(3)                                                                                                           \
    }                                                                                                                  \
    if (rows > 4) {                                                                                                    \
        X(4)                                                                                                           \
    }                                                                                                                  \
    if (rows > 5) {                                                                                                    \
        X(5)                                                                                                           \
    }                                                                                                                  \
    if (rows > 6) {                                                                                                    \
        X(6)                                                                                                           \
    }

#define EL_EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

#endif
