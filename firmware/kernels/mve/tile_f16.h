/* Products of halves. A tile's sums are rounded to halves for at most EL_BLOCK_TERMS terms, then they go into floats;
 * a result is rounded once. Packed rows are 32 bits an element, of which the lower half is what a multiply-add with a
 * core register takes. */
#ifndef EL_MVE_TILE_F16_H
#define EL_MVE_TILE_F16_H

#include "f16.h"

typedef uint32_t el_row_t;

/* See product/block.h. */
#define EL_SCRATCH_BYTES 16384
#define EL_TILE_COST 70
#define EL_ROWS_COST 250
#define EL_PACK_COST 4
#define EL_APART_COST 0
#define EL_MOST_TERMS (2 * EL_BLOCK_TERMS)

enum { EL_BLOCK_TERMS = 72 };

#include "../product/block.h"

/* Sums of terms that come before are kept as halves. */
#define EL_BEFORE(h, DOZENS) "wls lr, r2, 6f\n" DOZENS EL_EACH_##h(EL_KEEP_ROW) EL_EACH_##h(EL_ZERO_ROW) "6:\n"
#define EL_IF_KEPT                                                                                                     \
    "ldr r8, [r7, %[before]]\n"                                                                                        \
    "cmp r8, #0\n"                                                                                                     \
    "beq 8f\n"

/* The half next to the sum of two halves is the one next to their sum as floats. */
#define EL_PLUS_KEPT(i)                                                                                                \
    "vldrw.32 q5, [r7, %[kept] + 16 * " #i "]\n"                                                                       \
    "vadd.f16 q" #i ", q" #i ", q5\n"
#define EL_END_STORE(h) EL_IF_KEPT EL_EACH_##h(EL_PLUS_KEPT) "8:\n" EL_EACH_##h(EL_STORE_ROW)

/* In floats: even lanes in q5, odd ones in the row's own register. */
#define EL_WIDE_ROW(i) EL_EVEN_OF(5, i) EL_ODD_OF(i, i)
#define EL_WIDE_KEPT(i)                                                                                                \
    "vldrw.32 q6, [r7, %[kept] + 16 * " #i "]\n" EL_EVEN_OF(7, 6) EL_ODD_OF(6, 6) "vadd.f32 q5, q5, q7\n"              \
                                                                                  "vadd.f32 q" #i ", q" #i ", q6\n"
#define EL_ADD_WIDE(i)                                                                                                 \
    EL_GO_##i "vldrh.16 q6, [" EL_AT_##i "]\n" EL_EVEN_OF(7, 6)                                                        \
        EL_ODD_OF(6, 6) "vfma.f32 q7, q5, r9\n"                                                                        \
                        "vfma.f32 q6, q" #i ", r9\n" EL_TO_EVEN(7, 7) EL_TO_ODD(7, 6) "vstrh.16 q7, [" EL_AT_##i "]\n"
#define EL_ADD_ROW(i) EL_WIDE_ROW(i) EL_ADD_WIDE(i)
#define EL_ADD_KEPT(i) EL_WIDE_ROW(i) EL_WIDE_KEPT(i) EL_ADD_WIDE(i)
/* With a scale of one halves are added as they are: rounding the sum of two floats that are halves gives the same. */
#define EL_ADD_HALVES(i)                                                                                               \
    EL_GO_##i "vldrh.16 q6, [" EL_AT_##i "]\n"                                                                         \
                                         "vadd.f16 q6, q6, q" #i "\n"                                                  \
                                         "vstrh.16 q6, [" EL_AT_##i "]\n"
#define EL_END_ADD(h)                                                                                                  \
    "cmp r8, #0\n"                                                                                                     \
    "beq 8f\n"                                                                                                         \
    "ldr r9, [r7, %[scale]]\n"                                                                                         \
    "cmp r8, #2\n"                                                                                                     \
    "beq 1f\n"                                                                                                         \
    "bhi 2f\n" EL_EACH_##h(EL_PLUS_KEPT) "b 8f\n"                                                                      \
                                         "1:\n" EL_EACH_##h(EL_ADD_KEPT) "b 9f\n"                                      \
                                                                         "2:\n" EL_EACH_##h(                           \
                                                                             EL_ADD_ROW) "b 9f\n"                      \
                                                                                         "8:\n" EL_EACH_##h(           \
                                                                                             EL_ADD_HALVES) "9:\n"

/* What an addition is: 0 unscaled; 1 unscaled, and some terms were summed before; 2 scaled, and some were; 3 scaled. */
EL_INLINE uint32_t el_how_to_add(float scale, int32_t before)
{
    return scale != 1.0f ? (before != 0 ? 2u : 3u) : before != 0;
}

#include "tile.h"

/* Elements at some places go into the lower halves of words, one after the other. */
#define EL_TERMS_OF(h)                                                                                                 \
    0, 1 / (h), 2 / (h), 3 / (h), 4 / (h), 5 / (h), 6 / (h), 7 / (h), 8 / (h), 9 / (h), 10 / (h), 11 / (h), 12 / (h),  \
        13 / (h), 14 / (h), 15 / (h), 16 / (h), 17 / (h), 18 / (h), 19 / (h), 20 / (h), 21 / (h), 22 / (h), 23 / (h),  \
        24 / (h), 25 / (h), 26 / (h), 27 / (h), 28 / (h), 29 / (h), 30 / (h), 31 / (h), 32 / (h), 33 / (h), 34 / (h),  \
        35 / (h), 36 / (h), 37 / (h), 38 / (h), 39 / (h)
#define EL_PICK(v, where)                                                                                              \
    "vldrh.u16 q7, [%[from], %q[at" #v "], uxtw #1]\nvstrh.16 q7, [%[to], %q[" where "], uxtw #1]\n"
#define EL_PICK_FIRST(v) EL_PICK(v, "first")
#define EL_PICK_SECOND(v) EL_PICK(v, "second") "add %[to], #64\n"
#define EL_PICKED(h) EL_PICKED_##h
#define EL_PICKED_1 "add %[to], #32\n"
#define EL_PICKED_2
#define EL_PICKED_3 EL_PICKED_1
#define EL_PICKED_4
#define EL_PICKED_5 EL_PICKED_1

EL_INLINE void el_pick_some(const el_t *from, el_index at, el_row_t *to, int32_t words)
{
    const el_n n = el_some(el_max(words, 0));
    el_t *p = (el_t *)(void *)to;
    vstrhq_scatter_shifted_offset_p_f16(p, vidupq_n_u16(0, 2), vldrhq_gather_shifted_offset_z_f16(from, at, n), n);
}

#include "panels.h"

#endif
