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

#define EL_SPREAD_PAIRS(LOAD)                                                                                          \
    __asm__ volatile(                                                                                                  \
        "wls lr, %[n], 2f\n"                                                                                           \
        "1:\n" LOAD "vstrh.16 q0, [%[to], %q[near], uxtw #1]\n" LOAD "vstrh.16 q0, [%[to], %q[far], uxtw #1]\n"        \
        "add %[to], %[to], %[hop]\n"                                                                                   \
        "le lr, 1b\n"                                                                                                  \
        "2:\n"                                                                                                         \
        : [to] "+r"(t), [from] "+r"(from)                                                                              \
        : [n] "r"(pairs), [near] "w"(near), [far] "w"(far), [hop] "i"(2 * EL_LANES * height * (int)sizeof(el_row_t))   \
        : "q0", "lr", "memory")

/* to[k][i] = from[i][k] for k < count, i < height, or zeros where from[i] is NULL: halves are scattered into the words
 * of packed rows, whose upper halves nobody reads. */
EL_INLINE void el_turn_rows(int height, int32_t count, const el_t *const *rows, el_row_t *to)
{
    const uint16x8_t near = vmulq_n_u16(vidupq_n_u16(0, 2), (uint16_t)height);
    const uint16x8_t far = vaddq_n_u16(near, (uint16_t)(2 * EL_LANES * height));
    const int32_t pairs = count / (2 * EL_LANES);
    const int32_t rest = count % EL_LANES;
    for (int i = 0; i < height; i++) {
        const el_t *from = rows[i];
        el_t *t = (el_t *)(void *)(to + i);
        if (from != 0) {
            EL_SPREAD_PAIRS("vldrh.16 q0, [%[from]], #16\n");
        } else {
            EL_SPREAD_PAIRS("vmov.i32 q0, #0\n");
        }
        if ((count & EL_LANES) != 0) {
            vstrhq_scatter_shifted_offset_f16(t, near, from != 0 ? el_load(from, EL_ALL) : el_set(0.0f, EL_ALL));
            from = from != 0 ? from + EL_LANES : 0;
            t += 2 * EL_LANES * height;
        }
        if (rest > 0) {
            const el_n n = el_some(rest);
            vstrhq_scatter_shifted_offset_p_f16(t, near, from != 0 ? el_load(from, n) : el_set(0.0f, n), n);
        }
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
