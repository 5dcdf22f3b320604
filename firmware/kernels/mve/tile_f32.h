/* Products of 32-bit floats, summed in the tile from the first term to the last. */
#ifndef EL_MVE_TILE_F32_H
#define EL_MVE_TILE_F32_H

#include "f32.h"

typedef float el_row_t;

/* See product/block.h. */
#define EL_SCRATCH_BYTES 16384
#define EL_TILE_COST 35
#define EL_ROWS_COST 250
#define EL_PACK_COST 4
#define EL_APART_COST 0

#include "../product/block.h"

enum { EL_BLOCK_TERMS = INT32_MAX };

#define EL_BEFORE(h, DOZENS)
#define EL_END_STORE(h) EL_EACH_##h(EL_STORE_ROW)
#define EL_ADD_ROW(i)                                                                                                  \
    EL_GO_##i "vldrw.32 q5, [" EL_AT_##i "]\n"                                                                         \
                                         "vfma.f32 q5, q" #i ", r8\n"                                                  \
                                         "vstrw.32 q5, [" EL_AT_##i "]\n"
#define EL_END_ADD(h) EL_EACH_##h(EL_ADD_ROW)

/* Additions are all alike, and take the scale. */
EL_INLINE uint32_t el_how_to_add(float scale, int32_t before)
{
    (void)before;
    return el_float_bits(scale);
}

#include "tile.h"

/* Elements at some places, one after the other. */
#define EL_TERMS_OF(h)                                                                                                 \
    0, 1 / (h), 2 / (h), 3 / (h), 4 / (h), 5 / (h), 6 / (h), 7 / (h), 8 / (h), 9 / (h), 10 / (h), 11 / (h), 12 / (h),  \
        13 / (h), 14 / (h), 15 / (h), 16 / (h), 17 / (h), 18 / (h), 19 / (h)
#define EL_PICK_FIRST(v) "vldrw.u32 q7, [%[from], %q[at" #v "], uxtw #2]\nvstrw.32 q7, [%[to]], #16\n"
#define EL_PICK_SECOND(v) EL_PICK_FIRST(v)
#define EL_PICKED(h)

EL_INLINE void el_pick_some(const el_t *from, el_index at, el_row_t *to, int32_t words)
{
    const el_n n = el_some(el_max(words, 0));
    vstrwq_p_f32(to, vldrwq_gather_shifted_offset_z_f32(from, at, n), n);
}

#include "panels.h"

#endif
