/* The tile of products for scalar RISC-V: 6 x 4, 5 x 4 or 4 x 4 sums in registers. Columns are packed; rows are where
 * they are, for forward and the gradient of x, or interleaved, for the gradient of w. Some terms a turn, the rest one
 * by one.
 *
 * f0-f23 sums, f24-f27 columns, f28-f31 rows, one after the other. */
#ifndef EL_RVF_TILE_H
#define EL_RVF_TILE_H

/* Clang means the text of tiles for the assembler, which macros make long. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

#include "../inline.h"

typedef float el_t;
typedef float el_row_t;

#define EL_TILE_HEIGHT 6
#define EL_TILE_WIDTH 4
#define EL_OWN_PANELS

/* Sixes, fives and fours make up any number but 7, 3, 2 and 1. */
static inline int32_t el_tile_height(int32_t left)
{
    static const int8_t few[12] = {6, 4, 4, 4, 4, 5, 6, 4, 4, 5, 6, 6};
    return left < 12 ? few[left] : 6;
}

#define EL_REGISTERS                                                                                                   \
    "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15", "f16",       \
        "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24", "f25", "f26", "f27", "f28", "f29", "f30", "f31",       \
        "memory"

#define EL_COLS(at)                                                                                                    \
    "flw f24, " at "*16(%[b])\n\tflw f25, " at "*16+4(%[b])\n\tflw f26, " at "*16+8(%[b])\n\tflw f27, " at             \
    "*16+12(%[b])\n\t"
/* Columns that are not packed: one row of them after the other */
#define EL_COLS_APART(at)                                                                                              \
    "flw f24, 0(%[b])\n\tflw f25, 4(%[b])\n\tflw f26, 8(%[b])\n\tflw f27, 12(%[b])\n\tadd %[b], %[b], %[ldb]\n\t"
#define EL_MACS(c0, c1, c2, c3, a)                                                                                     \
    "fmadd.s " c0 ", " a ", f24, " c0 "\n\tfmadd.s " c1 ", " a ", f25, " c1 "\n\tfmadd.s " c2 ", " a ", f26, " c2      \
    "\n\tfmadd.s " c3 ", " a ", f27, " c3 "\n\t"
#define EL_PRODUCTS(c0, c1, c2, c3, a)                                                                                 \
    "fmul.s " c0 ", " a ", f24\n\tfmul.s " c1 ", " a ", f25\n\tfmul.s " c2 ", " a ", f26\n\tfmul.s " c3 ", " a         \
    ", f27\n\t"
#define EL_FOUR_BY(MACS, LOAD, COLS, at)                                                                               \
    COLS(at)                                                                                                           \
    LOAD("f28", "0", at)                                                                                               \
    LOAD("f29", "1", at)                                                                                               \
    LOAD("f30", "2", at)                                                                                               \
    LOAD("f31", "3", at)                                                                                               \
    MACS("f0", "f1", "f2", "f3", "f28")                                                                                \
    MACS("f4", "f5", "f6", "f7", "f29") MACS("f8", "f9", "f10", "f11", "f30") MACS("f12", "f13", "f14", "f15", "f31")
#define EL_FIVE_BY(MACS, LOAD, COLS, at)                                                                               \
    EL_FOUR_BY(MACS, LOAD, COLS, at) LOAD("f28", "4", at) MACS("f16", "f17", "f18", "f19", "f28")
#define EL_SIX_BY(MACS, LOAD, COLS, at)                                                                                \
    EL_FOUR_BY(MACS, LOAD, COLS, at)                                                                                   \
    LOAD("f28", "4", at)                                                                                               \
    LOAD("f29", "5", at) MACS("f16", "f17", "f18", "f19", "f28") MACS("f20", "f21", "f22", "f23", "f29")
#define EL_FOUR(LOAD, COLS, at) EL_FOUR_BY(EL_MACS, LOAD, COLS, at)
#define EL_FIVE(LOAD, COLS, at) EL_FIVE_BY(EL_MACS, LOAD, COLS, at)
#define EL_SIX(LOAD, COLS, at) EL_SIX_BY(EL_MACS, LOAD, COLS, at)
#define EL_FIRST_4(LOAD, COLS) EL_FOUR_BY(EL_PRODUCTS, LOAD, COLS, "0")
#define EL_FIRST_5(LOAD, COLS) EL_FIVE_BY(EL_PRODUCTS, LOAD, COLS, "0")
#define EL_FIRST_6(LOAD, COLS) EL_SIX_BY(EL_PRODUCTS, LOAD, COLS, "0")

/* Rows apart, each with a pointer; or interleaved, some of them a term. */
#define EL_ROW_APART(f, i, at) "flw " f ", " at "*4(%[a" i "])\n\t"
#define EL_TOGETHER_6(f, i, at) "flw " f ", " at "*24+" i "*4(%[a])\n\t"
#define EL_TOGETHER_5(f, i, at) "flw " f ", " at "*20+" i "*4(%[a])\n\t"
#define EL_TOGETHER_4(f, i, at) "flw " f ", " at "*16+" i "*4(%[a])\n\t"
#define EL_STEP_4(n)                                                                                                   \
    "addi %[a0], %[a0], " n "*4\n\taddi %[a1], %[a1], " n "*4\n\taddi %[a2], %[a2], " n "*4\n\taddi %[a3], %[a3], " n  \
    "*4\n\t"
#define EL_STEP_5(n) EL_STEP_4(n) "addi %[a4], %[a4], " n "*4\n\t"
#define EL_STEP_6(n) EL_STEP_4(n) "addi %[a4], %[a4], " n "*4\n\taddi %[a5], %[a5], " n "*4\n\t"
#define EL_STEP_TOGETHER_6(n) "addi %[a], %[a], " n "*24\n\t"
#define EL_STEP_TOGETHER_5(n) "addi %[a], %[a], " n "*20\n\t"
#define EL_STEP_TOGETHER_4(n) "addi %[a], %[a], " n "*16\n\t"

/* Whole turns of terms end at %[end], all terms at %[all]. A turn is sixteen terms for six rows, eight for fewer: one
 * and the later ones. */
enum { EL_TURN_6 = 16, EL_TURN_5 = 8, EL_TURN_4 = 8 };
#define EL_LATER_6(TERM, LOAD, COLS)                                                                                   \
    EL_LATER_5(TERM, LOAD, COLS)                                                                                       \
    TERM(LOAD, COLS, "8")                                                                                              \
    TERM(LOAD, COLS, "9")                                                                                              \
    TERM(LOAD, COLS, "10")                                                                                             \
    TERM(LOAD, COLS, "11")                                                                                             \
    TERM(LOAD, COLS, "12") TERM(LOAD, COLS, "13") TERM(LOAD, COLS, "14") TERM(LOAD, COLS, "15")
#define EL_LATER_5(TERM, LOAD, COLS)                                                                                   \
    TERM(LOAD, COLS, "1")                                                                                              \
    TERM(LOAD, COLS, "2")                                                                                              \
    TERM(LOAD, COLS, "3")                                                                                              \
    TERM(LOAD, COLS, "4") TERM(LOAD, COLS, "5") TERM(LOAD, COLS, "6") TERM(LOAD, COLS, "7")
#define EL_LATER_4 EL_LATER_5
#define EL_TURN_TERMS(H, TERM, LOAD, COLS) TERM(LOAD, COLS, "0") EL_LATER_##H(TERM, LOAD, COLS)
#define EL_TURN_STEP_6(STEP) STEP("16")
#define EL_TURN_STEP_5(STEP) STEP("8")
#define EL_TURN_STEP_4 EL_TURN_STEP_5
#define EL_STEP_COLS(n) "addi %[b], %[b], " n "*16\n\t"
#define EL_TERMS(H, TERM, LOAD, STEP)                                                                                  \
    "beq %[b], %[end], 2f\n1:\n\t" EL_TURN_TERMS(H, TERM, LOAD, EL_COLS) EL_TURN_STEP_##H(STEP) EL_TURN_STEP_##H(      \
        EL_STEP_COLS) "bne %[b], %[end], 1b\n2:\n\tbeq %[b], %[all], 4f\n3:\n\t" TERM(LOAD, EL_COLS, "0") STEP("1")    \
        EL_STEP_COLS("1") "bne %[b], %[all], 3b\n4:\n\t"

/* Four columns of each row from [p] on, the rows `l` bytes apart */
#define EL_ROW(op, p, c0, c1, c2, c3)                                                                                  \
    op " " c0 ", 0(%[" p "])\n\t" op " " c1 ", 4(%[" p "])\n\t" op " " c2 ", 8(%[" p "])\n\t" op " " c3 ", 12(%[" p    \
       "])\n\t"
#define EL_NEXT(p, l) "add %[" p "], %[" p "], %[" l "]\n\t"
#define EL_ROWS_4(op, p, l)                                                                                            \
    EL_ROW(op, p, "f0", "f1", "f2", "f3")                                                                              \
    EL_NEXT(p, l)                                                                                                      \
    EL_ROW(op, p, "f4", "f5", "f6", "f7")                                                                              \
    EL_NEXT(p, l)                                                                                                      \
    EL_ROW(op, p, "f8", "f9", "f10", "f11")                                                                            \
    EL_NEXT(p, l) EL_ROW(op, p, "f12", "f13", "f14", "f15") EL_NEXT(p, l)
#define EL_ROWS_5(op, p, l) EL_ROWS_4(op, p, l) EL_ROW(op, p, "f16", "f17", "f18", "f19") EL_NEXT(p, l)
#define EL_ROWS_6(op, p, l) EL_ROWS_5(op, p, l) EL_ROW(op, p, "f20", "f21", "f22", "f23") EL_NEXT(p, l)

/* rows x cols of a tile, from one place to another. */
static inline void el_tile_copy(int32_t rows, int32_t cols, const float *from, int32_t pitch, float *to, int32_t ld)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            to[i * ld + j] = from[i * pitch + j];
        }
    }
}

#endif
