/* Products of halves. A tile's sums are rounded to halves for at most EL_BLOCK_TERMS terms, then they go into floats;
 * a result is rounded once. Packed rows are 32 bits an element, of which the lower half is what a multiply-add with a
 * core register takes. */
#ifndef EL_MVE_TILE_F16_H
#define EL_MVE_TILE_F16_H

#include "f16.h"

typedef uint32_t el_row_t;

#define EL_TWO_FORMS 0 /* every tile takes a predicate: the code is large enough */

enum { EL_BLOCK_TERMS = 72 };

/* See product/block.h. */
#define EL_SCRATCH_BYTES 16384
#define EL_TILE_COST 100
#define EL_ROWS_COST 250
#define EL_PACK_COST 6
#define EL_APART_COST 0

#define EL_LOAD_COLUMNS "vldrh.16 %q[v], [%[b]], #16\n"
#define EL_ROW_0 "vfma.f16 %q[c0], %q[v], r4\n"
#define EL_ROW_1 "vfma.f16 %q[c1], %q[v], r5\n"
#define EL_ROW_2 "vfma.f16 %q[c2], %q[v], r6\n"
#define EL_ROW_3 "vfma.f16 %q[c3], %q[v], r8\n"
#define EL_ROW_4 "vfma.f16 %q[c4], %q[v], r9\n"
#define EL_ROW_5 "vfma.f16 %q[c5], %q[v], r10\n"
#define EL_ROW_6 "vfma.f16 %q[c6], %q[v], r11\n"

#include "tile.h"

#define EL_TILE_ZERO(i) t.c##i = zero;
#define EL_TILE_BIAS(i) t.c##i = bias;
#define EL_TILE_FROM(i)                                                                                                \
    t.c##i = el_load(p, n);                                                                                            \
    p = el_next_row(p, ldy);
#define EL_TILE_STORE(i)                                                                                               \
    el_store(y, t.c##i, n);                                                                                            \
    y = el_next_row(y, ldy);
#define EL_TILE_FIRST(i) s = el_drain_first(s, t.c##i);
#define EL_TILE_NEXT(i) s = el_drain_next(s, t.c##i);
#define EL_TILE_LAST(i)                                                                                                \
    el_store(y, el_sum_narrow(el_drain_last(&s, t.c##i)), n);                                                          \
    y = el_next_row(y, ldy);
#define EL_TILE_INTO(i)                                                                                                \
    el_sum_into(y, scale, el_drain_last(&s, t.c##i), n);                                                               \
    y = el_next_row(y, ldy);
#define EL_TILE_ADD(i)                                                                                                 \
    el_sum_into(y, scale, el_sum_of(t.c##i), n);                                                                       \
    y = el_next_row(y, ldy);

/* One row's sums into floats: even lanes, then odd ones. In assembly, so that the rows follow one another: the compiler
 * would convert all of them first and run out of registers. */
EL_INLINE float *el_drain_first(float *s, el_v c)
{
    float32x4_t odd;
    __asm__ volatile(EL_CONVERT_OF(0xfe3f1e01, odd, c) EL_CONVERT_OF(0xfe3f0e01, c, c) "vstrw.32 %q[c], [%[s]], #16\n"
                                                                                       "vstrw.32 %q[odd], [%[s]], #16\n"
                     : [s] "+r"(s), [c] "+w"(c), [odd] "=&w"(odd)
                     :
                     : "memory");
    return s;
}

EL_INLINE el_sum el_drain_last(float **s, el_v c)
{
    float32x4_t odd;
    float32x4_t old;
    __asm__ volatile(EL_CONVERT_OF(0xfe3f1e01, odd, c)
                         EL_CONVERT_OF(0xfe3f0e01, c, c) "vldrw.32 %q[old], [%[s]], #16\n"
                                                         "vadd.f32 %q[c], %q[c], %q[old]\n"
                                                         "vldrw.32 %q[old], [%[s]], #16\n"
                                                         "vadd.f32 %q[odd], %q[odd], %q[old]\n"
                     : [s] "+r"(*s), [c] "+w"(c), [odd] "=&w"(odd), [old] "=&w"(old)
                     :
                     : "memory");
    return (el_sum){vreinterpretq_f32_f16(c), odd};
}

EL_INLINE float *el_drain_next(float *s, el_v c)
{
    float *from = s;
    const el_sum sum = el_drain_last(&from, c);
    __asm__ volatile("vstrw.32 %q1, [%0], #16\nvstrw.32 %q2, [%0], #16"
                     : "+r"(s)
                     : "w"(sum.even), "w"(sum.odd)
                     : "memory");
    return s;
}

/* All blocks of the sum but the last one go to `sums`; what is left of `count` is the last one. `tile` has what the sum
 * begins with, and is zero for the last block. */
EL_INLINE const el_t *el_tile_blocks(int rows, int32_t *count, const el_row_t **a, const el_t *b, el_tile *tile,
                                     float *sums)
{
    const int32_t blocks = (*count + EL_BLOCK_TERMS - 1) / EL_BLOCK_TERMS;
    const int32_t each = (*count + blocks - 1) / blocks;
    const el_v zero = el_set(0.0f, EL_ALL);
    el_tile t = *tile;
    float *s = sums;
    b = el_tile_sum(rows, each, *a, b, &t);
    EL_TILE_ROWS(EL_TILE_FIRST)
    *a += rows * each;
    for (*count -= each; *count > each; *count -= each, *a += rows * each) {
        s = sums;
        EL_TILE_ROWS(EL_TILE_ZERO)
        b = el_tile_sum(rows, each, *a, b, &t);
        EL_TILE_ROWS(EL_TILE_NEXT)
    }
    EL_TILE_ROWS(EL_TILE_ZERO)
    *tile = t;
    return b;
}

/* Memory that the compiler knows by a pointer, from which it may count on. */
#define EL_SUMS                                                                                                        \
    float sums[EL_TILE_HEIGHT * EL_LANES];                                                                             \
    float *s = sums;                                                                                                   \
    __asm__("" : "+r"(s))

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
    if (count <= EL_BLOCK_TERMS) {
        b = el_tile_sum(rows, count, a, b, &t);
        EL_TILE_ROWS(EL_TILE_STORE)
    } else {
        EL_SUMS;
        b = el_tile_blocks(rows, &count, &a, b, &t, s);
        b = el_tile_sum(rows, count, a, b, &t);
        EL_TILE_ROWS(EL_TILE_LAST)
    }
    return b;
}

EL_INLINE const el_t *el_add_tile(int rows, el_n n, int32_t count, const el_row_t *a, const el_t *b, float scale,
                                  el_t *y, int32_t ldy)
{
    el_tile t;
    const el_v zero = el_set(0.0f, n);
    EL_TILE_ROWS(EL_TILE_ZERO)
    if (count <= EL_BLOCK_TERMS) {
        b = el_tile_sum(rows, count, a, b, &t);
        EL_TILE_ROWS(EL_TILE_ADD)
    } else {
        EL_SUMS;
        b = el_tile_blocks(rows, &count, &a, b, &t, s);
        b = el_tile_sum(rows, count, a, b, &t);
        EL_TILE_ROWS(EL_TILE_INTO)
    }
    return b;
}

enum { WORDS = 4 /* elements of packed rows in a vector */ };

/* Four elements at a time into the words of packed rows, see tile_f32.h. */
#define EL_SPREAD "vldrh.u32 q0, [%[from]], #8\nvstrw.32 q0, [%q[at], #%c[hop]]!\n"
#define EL_NOTHING "vstrw.32 q0, [%q[at], #%c[hop]]!\n"
#define EL_TURN(SETUP, ONE)                                                                                            \
    __asm__ volatile(SETUP "lsrs %[n], %[n], #1\n"                                                                     \
                           "bcc 0f\n" ONE "0:\n"                                                                       \
                           "lsrs %[n], %[n], #1\n"                                                                     \
                           "bcc 1f\n" ONE ONE "1:\n"                                                                   \
                           "wls lr, %[n], 3f\n"                                                                        \
                           "2:\n" ONE ONE ONE ONE "le lr, 2b\n"                                                        \
                           "3:\n"                                                                                      \
                     : [at] "+w"(at), [from] "+r"(from), [n] "+r"(vectors)                                             \
                     : [hop] "i"(WORDS * (int)sizeof(el_row_t) * height)                                               \
                     : "q0", "lr", "cc", "memory")

/* to[k][i] = from[i][k] for k < count, i < height, or zeros where from[i] is NULL */
EL_INLINE void el_turn_rows(int height, int32_t count, const el_t *const *rows, el_row_t *to)
{
    const uint32_t begin = (uint32_t)to - (uint32_t)(WORDS * (int)sizeof(el_row_t) * height);
    uint32x4_t first = vaddq_n_u32(vmulq_n_u32(vidupq_n_u32(0, 4), (uint32_t)height), begin);
    const int32_t rest = count % WORDS;
    for (int i = 0; i < height; i++) {
        const el_t *from = rows[i];
        uint32x4_t at = first;
        int32_t vectors = count / WORDS;
        if (from != 0) {
            EL_TURN("", EL_SPREAD);
        } else {
            EL_TURN("vmov.i32 q0, #0\n", EL_NOTHING);
        }
        if (rest > 0) {
            const el_n n = vctp32q((uint32_t)rest);
            const uint32x4_t v = from != 0 ? vldrhq_z_u32((const uint16_t *)(const void *)from, n) : vdupq_n_u32(0);
            vstrwq_scatter_base_p_u32(at, WORDS * (int)sizeof(el_row_t) * height, v, n);
        }
        first = vaddq_n_u32(first, sizeof(el_row_t));
    }
}

EL_INLINE void el_turn_columns(int32_t cols, int32_t count, const el_t *from, int32_t pitch, el_t *to)
{
    const uint16x8_t at = vmulq_n_u16(vidupq_n_u16(0, 1), EL_LANES);
    for (int32_t j = 0; j < EL_LANES; j++, from += pitch, to++) {
        const el_t *p = from;
        el_t *t = to;
        el_v v = el_set(0.0f, EL_ALL);
        int32_t k = count;
        for (; k >= EL_LANES; k -= EL_LANES, t += EL_LANES * EL_LANES, p += EL_LANES) {
            v = j < cols ? el_load(p, EL_ALL) : v;
            vstrhq_scatter_shifted_offset_f16(t, at, v);
        }
        if (k > 0) {
            const el_n n = el_some(k);
            v = j < cols ? el_load(p, n) : v;
            vstrhq_scatter_shifted_offset_p_f16(t, at, v, n);
        }
    }
}

EL_INLINE void el_copy_rows(int height, int32_t count, const el_t *from, int32_t pitch, el_row_t *to)
{
    const uint16_t *p = (const uint16_t *)(const void *)from;
    if (height > WORDS) {
        /* The second vector of a row may be written beyond it, where the next one goes, but for the last one's. */
        for (; count > 1; count--, p += pitch, to += height) {
            vstrwq_u32(to, vldrhq_u32(p));
            vstrwq_u32(to + WORDS, vldrhq_u32(p + WORDS));
        }
        const el_n high = vctp32q((uint32_t)(height - WORDS));
        vstrwq_u32(to, vldrhq_u32(p));
        vstrwq_p_u32(to + WORDS, vldrhq_z_u32(p + WORDS, high), high);
    } else {
        const el_n low = vctp32q((uint32_t)height);
        for (; count > 0; count--, p += pitch, to += height) {
            vstrwq_p_u32(to, vldrhq_z_u32(p, low), low);
        }
    }
}

#include "panels.h"

#endif
