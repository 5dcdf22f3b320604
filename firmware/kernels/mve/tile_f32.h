/* Products of 32-bit floats, summed in the tile from the first term to the last. */
#ifndef EL_MVE_TILE_F32_H
#define EL_MVE_TILE_F32_H

#include "f32.h"

typedef float el_row_t;

#define EL_TWO_FORMS 1 /* of tiles: with a predicate and without */

/* See product/block.h. */
#define EL_SCRATCH_BYTES 16384
#define EL_TILE_COST 45
#define EL_ROWS_COST 250
#define EL_PACK_COST 4
#define EL_APART_COST 0

#define EL_LOAD_COLUMNS "vldrw.32 %q[v], [%[b]], #16\n"
#define EL_ROW_0 "vfma.f32 %q[c0], %q[v], r4\n"
#define EL_ROW_1 "vfma.f32 %q[c1], %q[v], r5\n"
#define EL_ROW_2 "vfma.f32 %q[c2], %q[v], r6\n"
#define EL_ROW_3 "vfma.f32 %q[c3], %q[v], r8\n"
#define EL_ROW_4 "vfma.f32 %q[c4], %q[v], r9\n"
#define EL_ROW_5 "vfma.f32 %q[c5], %q[v], r10\n"
#define EL_ROW_6 "vfma.f32 %q[c6], %q[v], r11\n"

#include "tile.h"

#define EL_TILE_ZERO(i) t.c##i = zero;
#define EL_TILE_BIAS(i) t.c##i = bias;
#define EL_TILE_FROM(i)                                                                                                \
    t.c##i = el_load(p, n);                                                                                            \
    p = el_next_row(p, ldy);
#define EL_TILE_STORE(i)                                                                                               \
    el_store(y, t.c##i, n);                                                                                            \
    y = el_next_row(y, ldy);
#define EL_TILE_ADD(i)                                                                                                 \
    el_store(y, el_fma_scalar(el_load(y, n), t.c##i, scale, n), n);                                                    \
    y = el_next_row(y, ldy);

EL_INLINE const el_t *el_store_tile(int rows, el_n n, int32_t count, const el_row_t *a, const el_t *b, const el_t *from,
                                    int32_t pitch, el_t *y, int32_t ldy)
{
    el_tile t;
    if (pitch != 0) {
        el_t *p = y; /* pitches are the same */
        EL_TILE_ROWS(EL_TILE_FROM)
    } else {
        const el_v bias = from != 0 ? el_load(from, n) : el_set(0.0f, n);
        EL_TILE_ROWS(EL_TILE_BIAS)
    }
    b = el_tile_sum(rows, count, a, b, &t);
    EL_TILE_ROWS(EL_TILE_STORE)
    return b;
}

EL_INLINE const el_t *el_add_tile(int rows, el_n n, int32_t count, const el_row_t *a, const el_t *b, float scale,
                                  el_t *y, int32_t ldy)
{
    el_tile t;
    const el_v zero = el_set(0.0f, n);
    EL_TILE_ROWS(EL_TILE_ZERO)
    b = el_tile_sum(rows, count, a, b, &t);
    EL_TILE_ROWS(EL_TILE_ADD)
    return b;
}

/* So many vectors, four at a time by one load of many registers, the odd ones first. */
#define EL_TURN(ONE, FOUR)                                                                                             \
    __asm__ volatile("lsrs %[n], %[n], #1\n"                                                                           \
                     "bcc 0f\n" ONE EL_SCATTER(q4) "0:\n"                                                              \
                                                   "lsrs %[n], %[n], #1\n"                                             \
                                                   "bcc 1f\n" ONE EL_SCATTER(q4)                                       \
                                                       ONE EL_SCATTER(q4) "1:\n"                                       \
                                                                          "wls lr, %[n], 3f\n"                         \
                                                                          "2:\n" FOUR EL_SCATTER(q4) EL_SCATTER(q5)    \
                                                                              EL_SCATTER(q6)                           \
                                                                                  EL_SCATTER(q7) "le lr, 2b\n"         \
                                                                                                 "3:\n"                \
                     : [at] "+w"(at), [from] "+r"(from), [n] "+r"(vectors)                                             \
                     : [hop] "i"(LANES_BYTES * height)                                                                 \
                     : "q4", "q5", "q6", "q7", "lr", "cc", "memory")
#define EL_SCATTER(q) "vstrw.32 " #q ", [%q[at], #%c[hop]]!\n"
enum { LANES_BYTES = EL_LANES * (int)sizeof(el_row_t) };
/* Where to[k * height] is for the first vector of k, less what an address moves on before each. */
EL_INLINE uint32x4_t el_turn_begin(int height, const el_row_t *to)
{
    const uint32_t first = (uint32_t)to - (uint32_t)(LANES_BYTES * height);
    return vaddq_n_u32(vmulq_n_u32(vidupq_n_u32(0, 4), (uint32_t)height), first);
}

/* to[k * height] = from[k] for k < count, or zeros where from is NULL: scattered from addresses that move on. */
EL_INLINE void el_turn_row(int height, int32_t count, const el_t *from, uint32x4_t at)
{
    const int32_t rest = count % EL_LANES;
    int32_t vectors = count / EL_LANES;
    if (from != 0) {
        EL_TURN("vldrw.32 q4, [%[from]], #16\n", "vldm %[from]!, {d8-d15}\n");
    } else {
        EL_TURN("vmov.i32 q4, #0\n", "vmov.i32 q4, #0\nvmov q5, q4\nvmov q6, q4\nvmov q7, q4\n");
    }
    if (rest > 0) {
        const el_n n = el_some(rest);
        vstrwq_scatter_base_p_f32(at, LANES_BYTES * height, from != 0 ? el_load(from, n) : el_set(0.0f, n), n);
    }
}

EL_INLINE void el_turn_rows(int height, int32_t count, const el_t *const *from, el_row_t *to)
{
    uint32x4_t at = el_turn_begin(height, to);
    for (int i = 0; i < height; i++) {
        el_turn_row(height, count, from[i], at);
        at = vaddq_n_u32(at, sizeof(el_row_t));
    }
}

EL_INLINE void el_turn_columns(int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    uint32x4_t at = el_turn_begin(EL_LANES, to);
    for (int32_t j = 0; j < EL_LANES; j++, from += pitch) {
        el_turn_row(EL_LANES, count, j < cols ? from : 0, at);
        at = vaddq_n_u32(at, sizeof(el_t));
    }
}

#define EL_COPY(h, LOAD, STORE)                                                                                        \
    if (height == (h)) {                                                                                               \
        __asm__ volatile("wls lr, %[n], 2f\n"                                                                          \
                         "1:\n" LOAD STORE "add %[from], %[step]\n"                                                    \
                         "le lr, 1b\n"                                                                                 \
                         "2:\n"                                                                                        \
                         : [from] "+r"(from), [to] "+r"(to)                                                            \
                         : [n] "r"(count), [step] "r"(pitch * (int32_t)sizeof(el_t))                                   \
                         : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "memory");                                \
    }
#define EL_COPY_SOME(h, LIST) EL_COPY(h, "ldm %[from], {" LIST "}\n", "stm %[to]!, {" LIST "}\n")

EL_INLINE void el_copy_rows(int height, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    EL_COPY(1, "ldr r4, [%[from]]\n", "str r4, [%[to]], #4\n")
    EL_COPY_SOME(2, "r4-r5")
    EL_COPY_SOME(3, "r4-r6")
    EL_COPY_SOME(4, "r4-r6,r8")
    EL_COPY_SOME(5, "r4-r6,r8-r9")
    EL_COPY_SOME(6, "r4-r6,r8-r10")
    EL_COPY_SOME(7, "r4-r6,r8-r11")
}

#include "panels.h"

#endif
