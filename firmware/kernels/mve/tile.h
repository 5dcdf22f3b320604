/* The register tile of products: up to five rows, whose terms are scalars in core registers, by one vector of columns.
 *
 * Five sums leave three of the eight vector registers, so that one load brings the columns of three terms, and ten core
 * registers, so that one load brings the scalars of two: 30 multiply-adds take 35 instructions, and one more for twelve
 * terms to come round. This is assembly because a compiler would not keep the registers apart. */
#ifndef EL_MVE_TILE_H
#define EL_MVE_TILE_H

#include <stddef.h>
#include <stdint.h>

#define EL_TILE_HEIGHT 5
#define EL_TILE_WIDTH EL_LANES

/* As few panels as possible, about equally high: of many the next one is full. */
EL_INLINE int32_t el_tile_height(int32_t left)
{
    if (left > EL_TILE_HEIGHT * (EL_TILE_HEIGHT - 1)) {
        return EL_TILE_HEIGHT;
    }
    const int32_t panels = (left + EL_TILE_HEIGHT - 1) / EL_TILE_HEIGHT;
    return (left + panels - 1) / panels;
}

/* How many terms: so many times twelve, and the rest in four conditions, each for some terms that come first: N one, Z
 * two, C four, V four. */
typedef struct {
    uint32_t rest;
    int32_t dozens;
} el_terms;

enum { EL_DOZEN = 12 };

static el_terms el_terms_of(int32_t count)
{
    const uint32_t rest = (uint32_t)(count % EL_DOZEN);
    const uint32_t conditions = (rest & 1u) << 31 | (rest & 2u) << 29;
    return (el_terms){conditions | (rest >= 4 ? 1u << 29 : 0) | (rest >= 8 ? 1u << 28 : 0), count / EL_DOZEN};
}

/* One panel of rows by several of columns, which follow each other in memory and in y: what the assembly below keeps
 * beside its registers. Pitches are in bytes. */
typedef struct {
    const el_row_t *a;
    int32_t before;      /* dozens of terms that are summed apart, and come first */
    const el_t *from;    /* what sums begin with, in the same layout as y or, with a pitch of 0, for all rows alike */
    int32_t pitch, step; /* of its rows, and to what the next columns begin with */
    el_terms terms;      /* all others */
    el_t *y;
    int32_t ldy;
    const el_t *end; /* of y's first row */
    uint32_t how;    /* results are added: el_how_to_add() */
    uint32_t scale;
    const el_t *start;         /* what all rows begin with, or NULL */
    el_v kept[EL_TILE_HEIGHT]; /* sums of the first terms */
} el_walk;

/* Row i of the term whose columns are in a vector. Not r7, which may be the frame pointer. */
#define EL_FMA(i, column, scalar) EL_VFMA " q" #i ", " column ", " scalar "\n"
#define EL_ROWS_1(column, s0) EL_FMA(0, column, s0)
#define EL_ROWS_2(column, s0, s1) EL_ROWS_1(column, s0) EL_FMA(1, column, s1)
#define EL_ROWS_3(column, s0, s1, s2) EL_ROWS_2(column, s0, s1) EL_FMA(2, column, s2)
#define EL_ROWS_4(column, s0, s1, s2, s3) EL_ROWS_3(column, s0, s1, s2) EL_FMA(3, column, s3)
#define EL_ROWS_5(column, s0, s1, s2, s3, s4) EL_ROWS_4(column, s0, s1, s2, s3) EL_FMA(4, column, s4)

/* The scalars of two terms and of one; the rows of the first and of the second of two. */
#define EL_PAIR_1 "ldm r0!, {r2-r3}\n"
#define EL_PAIR_2 "ldm r0!, {r2-r5}\n"
#define EL_PAIR_3 "ldm r0!, {r2-r6,r8}\n"
#define EL_PAIR_4 "ldm r0!, {r2-r6,r8-r10}\n"
#define EL_PAIR_5 "ldm r0!, {r2-r6,r8-r12}\n"
#define EL_ONE_1 "ldr r2, [r0], #4\n"
#define EL_ONE_2 "ldm r0!, {r2-r3}\n"
#define EL_ONE_3 "ldm r0!, {r2-r4}\n"
#define EL_ONE_4 "ldm r0!, {r2-r5}\n"
#define EL_ONE_5 "ldm r0!, {r2-r6}\n"
#define EL_FIRST_1(column) EL_ROWS_1(column, "r2")
#define EL_FIRST_2(column) EL_ROWS_2(column, "r2", "r3")
#define EL_FIRST_3(column) EL_ROWS_3(column, "r2", "r3", "r4")
#define EL_FIRST_4(column) EL_ROWS_4(column, "r2", "r3", "r4", "r5")
#define EL_FIRST_5(column) EL_ROWS_5(column, "r2", "r3", "r4", "r5", "r6")
#define EL_SECOND_1(column) EL_ROWS_1(column, "r3")
#define EL_SECOND_2(column) EL_ROWS_2(column, "r4", "r5")
#define EL_SECOND_3(column) EL_ROWS_3(column, "r5", "r6", "r8")
#define EL_SECOND_4(column) EL_ROWS_4(column, "r6", "r8", "r9", "r10")
#define EL_SECOND_5(column) EL_ROWS_5(column, "r8", "r9", "r10", "r11", "r12")

#define EL_COLUMNS_2 "vldm r1!, {d10-d13}\n"
#define EL_COLUMNS_3 "vldm r1!, {d10-d15}\n"

#define EL_TERM(h) EL_VLDR " q5, [r1], #16\n" EL_ONE_##h EL_FIRST_##h("q5")
#define EL_TWO(h) EL_COLUMNS_2 EL_PAIR_##h EL_FIRST_##h("q5") EL_SECOND_##h("q6")
#define EL_SIX(h)                                                                                                      \
    EL_COLUMNS_3 EL_PAIR_##h EL_FIRST_##h("q5") EL_SECOND_##h("q6") EL_PAIR_##h EL_FIRST_##h("q7")                     \
        EL_COLUMNS_3 EL_SECOND_##h("q5") EL_PAIR_##h EL_FIRST_##h("q6") EL_SECOND_##h("q7")

#define EL_DOZENS(h) "4:\n" EL_SIX(h) EL_SIX(h) "le lr, 4b\n"
#define EL_SUM(h)                                                                                                      \
    "ldrd r2, lr, [r7, %[terms]]\n"                                                                                    \
    "msr apsr_nzcvq, r2\n"                                                                                             \
    "bpl 0f\n" EL_TERM(h) "0:\n"                                                                                       \
                          "bne 1f\n" EL_TWO(h) "1:\n"                                                                  \
                                               "bcc 2f\n" EL_TWO(h)                                                    \
                                                   EL_TWO(h) "2:\n"                                                    \
                                                             "bvc 3f\n" EL_TWO(h)                                      \
                                                                 EL_TWO(h) "3:\n"                                      \
                                                                           "wls lr, lr, 5f\n" EL_DOZENS(h) "5:\n"

/* The same for terms in threes, of which neighbours have two in common: three taps of `h` positions that follow each
 * other are h + 2 scalars. The rest is in two conditions: N three terms, Z six. */
#define EL_SHARED_1(u, v, w) "ldm r0!, {r2-r4}\n" EL_ROWS_1(u, "r2") EL_ROWS_1(v, "r3") EL_ROWS_1(w, "r4")
#define EL_SHARED_2(u, v, w)                                                                                           \
    "ldm r0!, {r2-r5}\n" EL_ROWS_2(u, "r2", "r3") EL_ROWS_2(v, "r3", "r4") EL_ROWS_2(w, "r4", "r5")
#define EL_SHARED_3(u, v, w)                                                                                           \
    "ldm r0!, {r2-r6}\n" EL_ROWS_3(u, "r2", "r3", "r4") EL_ROWS_3(v, "r3", "r4", "r5") EL_ROWS_3(w, "r4", "r5", "r6")
#define EL_SHARED_4(u, v, w)                                                                                           \
    "ldm r0!, {r2-r6,r8}\n" EL_ROWS_4(u, "r2", "r3", "r4", "r5") EL_ROWS_4(v, "r3", "r4", "r5", "r6")                  \
        EL_ROWS_4(w, "r4", "r5", "r6", "r8")
#define EL_SHARED_5(u, v, w)                                                                                           \
    "ldm r0!, {r2-r6,r8-r9}\n" EL_ROWS_5(u, "r2", "r3", "r4", "r5", "r6") EL_ROWS_5(v, "r3", "r4", "r5", "r6", "r8")   \
        EL_ROWS_5(w, "r4", "r5", "r6", "r8", "r9")
#define EL_THREE(h) EL_COLUMNS_3 EL_SHARED_##h("q5", "q6", "q7")
#define EL_LINE_DOZENS(h) "4:\n" EL_THREE(h) EL_THREE(h) EL_THREE(h) EL_THREE(h) "le lr, 4b\n"
#define EL_LINE_SUM(h)                                                                                                 \
    "ldrd r2, lr, [r7, %[terms]]\n"                                                                                    \
    "msr apsr_nzcvq, r2\n"                                                                                             \
    "bpl 0f\n" EL_THREE(h) "0:\n"                                                                                      \
                           "bne 1f\n" EL_THREE(h) EL_THREE(h) "1:\n"                                                   \
                                                              "wls lr, lr, 5f\n" EL_LINE_DOZENS(h) "5:\n"

/* Where row i is: the first one at r3, rows r4 apart. */
#define EL_AT_0 "r3"
#define EL_AT_1 "r6"
#define EL_AT_2 "r6"
#define EL_AT_3 "r6"
#define EL_AT_4 "r6"
#define EL_GO_0
#define EL_GO_1 "add r6, r3, r4\n"
#define EL_GO_2 "add r6, r4\n"
#define EL_GO_3 "add r6, r4\n"
#define EL_GO_4 "add r6, r4\n"
#define EL_LOAD_ROW(i) EL_GO_##i EL_VLDR " q" #i ", [" EL_AT_##i "]\n"
#define EL_STORE_ROW(i) EL_GO_##i EL_VSTR " q" #i ", [" EL_AT_##i "]\n"
#define EL_ZERO_ROW(i) "vmov.i32 q" #i ", #0\n"
#define EL_KEEP_ROW(i) "vstrw.32 q" #i ", [r7, %[kept] + 16 * " #i "]\n"

/* X(i) for each row */
#define EL_EACH_1(X) X(0)
#define EL_EACH_2(X) EL_EACH_1(X) X(1)
#define EL_EACH_3(X) EL_EACH_2(X) X(2)
#define EL_EACH_4(X) EL_EACH_3(X) X(3)
#define EL_EACH_5(X) EL_EACH_4(X) X(4)

/* All tiles: BEGIN loads what the sums begin with, BEFORE is for terms that are summed apart, END stores: y is in r3,
 * its pitch in r4, how to add in r8. */
#define EL_WALK(BEGIN, BEFORE, SUM, END)                                                                               \
    __asm__ volatile("push {r7}\n"                                                                                     \
                     "mov r7, %[walk]\n"                                                                               \
                     "7:\n" BEGIN BEFORE SUM "add r2, r7, %[y]\n"                                                      \
                     "ldm r2, {r3-r5,r8}\n" END "adds r3, #16\n"                                                       \
                     "str r3, [r7, %[y]]\n"                                                                            \
                     "cmp r3, r5\n"                                                                                    \
                     "bne 7b\n"                                                                                        \
                     "pop {r7}\n"                                                                                      \
                     : [walk] "+r"(walk), "+r"(columns)                                                                \
                     : [from] "i"(offsetof(el_walk, from)), [before] "i"(offsetof(el_walk, before)),                   \
                       [scale] "i"(offsetof(el_walk, scale)), [terms] "i"(offsetof(el_walk, terms)),                   \
                       [y] "i"(offsetof(el_walk, y)), [kept] "i"(offsetof(el_walk, kept))                              \
                     : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3",    \
                       "q4", "q5", "q6", "q7", "cc", "memory")

#define EL_BEGIN_FROM(h)                                                                                               \
    "ldm r7, {r0,r2-r5}\n" EL_EACH_##h(EL_LOAD_ROW) "add r3, r5\n"                                                     \
                                                    "str r3, [r7, %[from]]\n"
#define EL_BEGIN_ZERO(h) "ldrd r0, r2, [r7]\n" EL_EACH_##h(EL_ZERO_ROW)

#define EL_WALK_OF(name, BEGIN, BEFORE, SUM, END)                                                                      \
    static const el_t *name(el_walk *k, const el_t *b)                                                                 \
    {                                                                                                                  \
        register el_walk *walk __asm__("r0") = k;                                                                      \
        register const el_t *columns __asm__("r1") = b;                                                                \
        EL_WALK(BEGIN, BEFORE, SUM, END);                                                                              \
        return columns;                                                                                                \
    }

/* For each height: to store, to store where terms are in threes, to add. They return the columns that come next. */
#define EL_WALKS(h)                                                                                                    \
    EL_WALK_OF(el_walk_store_##h, EL_BEGIN_FROM(h), EL_BEFORE(h, EL_DOZENS(h)), EL_SUM(h), EL_END_STORE(h))            \
    EL_WALK_OF(el_walk_line_##h, EL_BEGIN_FROM(h), EL_BEFORE(h, EL_LINE_DOZENS(h)), EL_LINE_SUM(h), EL_END_STORE(h))   \
    EL_WALK_OF(el_walk_add_##h, EL_BEGIN_ZERO(h), EL_BEFORE(h, EL_DOZENS(h)), EL_SUM(h), EL_END_ADD(h))

#define EL_EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5)

EL_EACH_HEIGHT(EL_WALKS)

#endif
