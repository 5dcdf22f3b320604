/* Convolution and fully connected layers of int8 with SMLAD: two products an instruction.
 *
 * A panel holds four positions side by side, widened to 16 bits and without their zero point, in the order in which
 * SXTB16 takes four weights apart: terms 0 and 2 of each position, then terms 1 and 3. So 3 instructions for four
 * weights and 2 loads serve 16 multiply-adds. The last group of a sum whose length is no multiple of four overlaps the
 * one before it; what was summed already is zero in the panel, and nothing is read behind the weights. Sums have at
 * least four terms. */
#include "dsp.h"

#define EL_COPY_S8
EL_APART int8_t *el_copy_s8(int8_t *to, const int8_t *from, int32_t count)
{
    for (; count >= 16; count -= 16, from += 16, to += 16) {
        el_put_word(to, el_word(from));
        el_put_word(to + 4, el_word(from + 4));
        el_put_word(to + 8, el_word(from + 8));
        el_put_word(to + 12, el_word(from + 12));
    }
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        el_put_word(to, el_word(from));
    }
    for (const int8_t *end = from + count; from != end;) {
        *to++ = *from++;
    }
    return to;
}

EL_APART int8_t *el_fill_s8(int8_t *to, int32_t value, int32_t count)
{
    for (; count >= 4; count -= 4, to += 4) {
        el_put_word(to, (uint32_t)(uint8_t)value * 0x01010101u);
    }
    for (; count > 0; count--) {
        *to++ = (int8_t)value;
    }
    return to;
}

#include "../product_s8/window.h"

enum { EL_ROWS_S8 = 4, EL_LINES_S8 = 1, EL_CHUNK_S8 = 16, EL_UNIT_S8 = 4 };

#define EL_PANEL_BYTES(k) (((k) + 3) / 4 * 4 * 2 * EL_ROWS_S8)

typedef struct {
    uint32_t *words;
} el_panel_s8;

/* A convolution of several channels has their factors in scratch, where all take the short way. */
EL_APART int8_t *el_prepare_s8(el_layer_s8 *l, int32_t channels, void *scratch)
{
    el_factor_s8 *factors = scratch;
    l->small = el_small_s8(l, channels);
    if (l->pitch == 1) {
        return scratch;
    }
    int all = l->small && el_whole_s8(l);
    for (int32_t o = 0; all && o < channels; o++) {
        all = el_factor_s8_of(l, o, factors + o);
    }
    l->factors = all ? factors : 0;
    return (int8_t *)(factors + channels);
}

EL_INLINE el_panel_s8 el_panel_s8_in(void *memory, int32_t k)
{
    (void)k;
    return (el_panel_s8){memory};
}

/* `terms` of a line, at `to` and so on in steps of `rows`; what follows them in the panel. */
EL_INLINE uint32_t *pack(uint32_t *to, const int rows, int32_t terms, const int8_t *from, uint32_t minus)
{
#define EL_GROUP(k)                                                                                                    \
    word = el_word(from + 4 * (k));                                                                                    \
    to[(2 * (k)) * rows] = el_widen_even(minus, word);                                                                 \
    to[(2 * (k) + 1) * rows] = el_widen_odd(minus, word);
    uint32_t word;
    for (; terms >= 16; terms -= 16, from += 16, to += 8 * rows) {
        EL_GROUP(0)
        EL_GROUP(1)
        EL_GROUP(2)
        EL_GROUP(3)
    }
    for (; terms >= 4; terms -= 4, from += 4, to += 2 * rows) {
        EL_GROUP(0)
    }
#undef EL_GROUP
    if (terms > 0) {
        word = el_word(from + terms - 4);
        to[0] = terms > 1 ? el_widen_even(minus, word) & 0xffff0000u : 0u;
        to[rows] = el_widen_odd(minus, word) & (terms > 2 ? 0xffffffffu : 0xffff0000u);
    }
    return to;
}

EL_APART void pack_rows(uint32_t *to, int one, const el_line_s8 *line, int32_t x_zero)
{
    const uint32_t minus = el_minus(x_zero);
    const int8_t *from = line->from;
    for (int32_t k = 0; k < line->pieces; k++, from += line->step) {
        to = one ? pack(to, 1, line->length, from, minus) : pack(to, EL_ROWS_S8, line->length, from, minus);
    }
}

EL_INLINE void el_pack_s8(const el_panel_s8 *panel, int32_t i, int32_t rows, const el_line_s8 *line, int32_t x_zero)
{
    pack_rows(panel->words + i, rows == 1, line, x_zero);
}

/* n turns of `turn`: those that are left over first, then four at a time. */
#define EL_TURNS(turn)                                                                                                 \
    "1: tst %[n], #3\n"                                                                                                \
    "beq 2f\n" turn "sub %[n], %[n], #1\n"                                                                             \
    "b 1b\n"                                                                                                           \
    "2: cmp %[n], #0\n"                                                                                                \
    "beq 4f\n"                                                                                                         \
    "3:\n" turn turn turn turn "subs %[n], %[n], #4\n"                                                                 \
    "bne 3b\n"                                                                                                         \
    "4:\n"

typedef struct {
    int32_t s0, s1, s2, s3;
} four;

/* sums[i] += n groups of position i times n groups of weights; the weights behind them. */
EL_INLINE const int8_t *four_rows(four *sums, const uint32_t *v, const int8_t *w, int32_t n)
{
    uint32_t even, odd;
    int32_t s0 = sums->s0;
    int32_t s1 = sums->s1;
    int32_t s2 = sums->s2;
    int32_t s3 = sums->s3;
#define EL_TURN                                                                                                        \
    "ldr %[odd], [%[w]], #4\n"                                                                                         \
    "ldm %[v]!, {r4, r5, r6, r8}\n"                                                                                    \
    "sxtb16 %[even], %[odd]\n"                                                                                         \
    "sxtb16 %[odd], %[odd], ror #8\n"                                                                                  \
    "smlad %[s0], r4, %[even], %[s0]\n"                                                                                \
    "smlad %[s1], r5, %[even], %[s1]\n"                                                                                \
    "smlad %[s2], r6, %[even], %[s2]\n"                                                                                \
    "smlad %[s3], r8, %[even], %[s3]\n"                                                                                \
    "ldm %[v]!, {r4, r5, r6, r8}\n"                                                                                    \
    "smlad %[s0], r4, %[odd], %[s0]\n"                                                                                 \
    "smlad %[s1], r5, %[odd], %[s1]\n"                                                                                 \
    "smlad %[s2], r6, %[odd], %[s2]\n"                                                                                 \
    "smlad %[s3], r8, %[odd], %[s3]\n"
    __asm__ volatile(EL_TURNS(EL_TURN)
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [v] "+r"(v), [w] "+r"(w),
                       [n] "+r"(n), [even] "=&r"(even), [odd] "=&r"(odd)
                     :
                     : "r4", "r5", "r6", "r8", "cc", "memory");
#undef EL_TURN
    *sums = (four){s0, s1, s2, s3};
    return w;
}

/* sums[j] += n groups of one position times n groups of channel j, channels k weights apart. */
EL_INLINE const int8_t *four_channels(four *sums, const uint32_t *v, const int8_t *w, int32_t k, int32_t n)
{
    uint32_t even, odd, x0, x1;
    int32_t s0 = sums->s0;
    int32_t s1 = sums->s1;
    int32_t s2 = sums->s2;
    int32_t s3 = sums->s3;
    const int8_t *u = w + 2 * k;
#define EL_CHANNEL(load, sum)                                                                                          \
    load "sxtb16 %[even], %[odd]\n"                                                                                    \
         "sxtb16 %[odd], %[odd], ror #8\n"                                                                             \
         "smlad " sum ", %[x0], %[even], " sum "\n"                                                                    \
         "smlad " sum ", %[x1], %[odd], " sum "\n"
#define EL_TURN                                                                                                        \
    "ldrd %[x0], %[x1], [%[v]], #8\n" EL_CHANNEL("ldr %[odd], [%[w], %[k]]\n", "%[s1]")                                \
        EL_CHANNEL("ldr %[odd], [%[u], %[k]]\n", "%[s3]") EL_CHANNEL("ldr %[odd], [%[w]], #4\n", "%[s0]")              \
            EL_CHANNEL("ldr %[odd], [%[u]], #4\n", "%[s2]")
    __asm__ volatile(EL_TURNS(EL_TURN)
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [v] "+r"(v), [w] "+r"(w),
                       [u] "+r"(u), [n] "+r"(n), [even] "=&r"(even), [odd] "=&r"(odd), [x0] "=&r"(x0), [x1] "=&r"(x1)
                     : [k] "r"(k)
                     : "cc", "memory");
#undef EL_TURN
#undef EL_CHANNEL
    *sums = (four){s0, s1, s2, s3};
    return w;
}

/* Channels one by one for four positions. */
EL_APART void sums_of_four(const el_layer_s8 *l, const uint32_t *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int8_t *w = l->w + first * l->terms;
    const int32_t *b = l->b != 0 ? l->b + first : 0;
    const int32_t groups = (int32_t)((uint32_t)l->terms / 4u);
    const int32_t rest = l->terms & 3;
    for (const int32_t *end = sums + 4 * count; sums != end; sums += 4) {
        const int32_t start = b != 0 ? *b++ : 0;
        four s = {start, start, start, start};
        w = four_rows(&s, panel, w, groups);
        if (rest != 0) {
            w = four_rows(&s, panel + 8 * groups, w + rest - 4, 1);
        }
        sums[0] = s.s0, sums[1] = s.s1, sums[2] = s.s2, sums[3] = s.s3;
    }
}

/* Channels four by four, or one by one where there are not four, for one position. Of five, say, the last four once
 * more. */
EL_APART void sums_of_one(const el_layer_s8 *l, const uint32_t *panel, int32_t first, int32_t count, int32_t *sums)
{
    const int32_t groups = (int32_t)((uint32_t)l->terms / 4u);
    const int32_t rest = l->terms & 3;
    const int32_t together = count < 4 ? 1 : 4;
    const int32_t step = count < 4 ? 0 : l->terms; /* one: four times the same, so that nothing else is read */
    const int32_t hop = count < 4 ? 0 : 1;
    for (int32_t k = 0; k < count; k += together) {
        const int32_t from = el_min(k, count - together);
        const int32_t o = first + from;
        four s = {el_start_s8(l, o), el_start_s8(l, o + hop), el_start_s8(l, o + 2 * hop), el_start_s8(l, o + 3 * hop)};
        const int8_t *w = four_channels(&s, panel, l->w + o * l->terms, step, groups);
        if (rest != 0) {
            four_channels(&s, panel + 2 * groups, w + rest - 4, step, 1);
        }
        int32_t *to = sums + from;
        to[0] = s.s0;
        if (together == 4) {
            to[1] = s.s1, to[2] = s.s2, to[3] = s.s3;
        }
    }
}

EL_INLINE void el_sums_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first, int32_t count,
                          int32_t *sums)
{
    if (rows == EL_ROWS_S8) {
        sums_of_four(l, panel->words, first, count, sums);
    } else {
        sums_of_one(l, panel->words, first, count, sums);
    }
}

#include "../product_s8/rescale.h"

#include "../product_s8/sums.h"

/* Four sums of a channel to four positions, `pitch` bytes apart. */
EL_INLINE const el_factor_s8 *store_four(const four *s, const el_factor_s8 *factor, int8_t *y, int32_t pitch)
{
    int32_t s0 = s->s0;
    int32_t s1 = s->s1;
    int32_t s2 = s->s2;
    int32_t s3 = s->s3;
    int8_t *z = y + 2 * pitch;
#define EL_ONE(sum, to)                                                                                                \
    "lsl %[" sum "], %[" sum "], #1\n"                                                                                 \
    "smmlar r8, %[" sum "], r4, r5\n"                                                                                  \
    "add r8, r8, %[" sum "], asr #31\n"                                                                                \
    "asr r8, r8, r6\n"                                                                                                 \
    "ssat r8, #8, r8\n"                                                                                                \
    "strb r8, [" to "]\n"
    __asm__ volatile("ldm %[factor]!, {r4, r5, r6}\n" EL_ONE("s0", "%[y]") EL_ONE("s1", "%[y], %[pitch]")
                         EL_ONE("s2", "%[z]") EL_ONE("s3", "%[z], %[pitch]")
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [factor] "+r"(factor)
                     : [y] "r"(y), [z] "r"(z), [pitch] "r"(pitch)
                     : "r4", "r5", "r6", "r8", "memory");
#undef EL_ONE
    return factor;
}

/* Channels one by one for four positions, each stored as soon as it is summed. */
EL_APART void channels_of_four(const el_layer_s8 *l, const uint32_t *panel, int32_t first, int32_t count, int8_t *y)
{
    const int8_t *w = l->w + first * l->terms;
    const int32_t *b = l->b != 0 ? l->b + first : 0;
    const int32_t groups = (int32_t)((uint32_t)l->terms / 4u);
    const int32_t rest = l->terms & 3;
    const int32_t pitch = l->pitch;
    const el_factor_s8 *factor = l->factors + first;
    y += first;
    for (const int8_t *end = y + count; y != end; y++) {
        const int32_t start = b != 0 ? *b++ : 0;
        four s = {start, start, start, start};
        w = four_rows(&s, panel, w, groups);
        if (rest != 0) {
            w = four_rows(&s, panel + 8 * groups, w + rest - 4, 1);
        }
        factor = store_four(&s, factor, y, pitch);
    }
}

#define EL_CHANNELS_S8
EL_INLINE void el_channels_s8(const el_layer_s8 *l, const el_panel_s8 *panel, const int rows, int32_t first,
                              int32_t count, int8_t *y)
{
    if (rows == EL_ROWS_S8 && l->factors != 0) {
        channels_of_four(l, panel->words, first, count, y);
    } else {
        el_channels_by_sums_s8(l, panel, rows, first, count, y);
    }
}

#include "../product_s8/product.h"

EL_PRODUCTS_S8(dsp)
