/* Int8 layers that shift, by additions: eight positions at a time, two in a word, each within 16 bits.
 *
 * A fully connected layer has one position, for which sorting is not worth it: its weights are read in order, and what
 * each code is multiplied with is added up, for as many codes as there are. */
#include "../shift/blocks.h"

#include "el/kernels.h"
#include "el/quant.h"

#include <stddef.h>

enum {
    EL_POSITIONS_S8 = 8,
    EL_ROOM_S8 = 128, /* of numbers below 256 in a signed half of a word */
};

/* What a layer is given besides its window. */
typedef struct {
    int32_t bits, x_zero, y_zero, min, max;
    const int8_t *x;
    const uint8_t *w;
    const int32_t *b, *multiplier, *shift;
    int8_t *y;
} operands;

/* The terms of two positions, less x_zero, into one word each; without a second position that one is padding. */
EL_APART void gather(const el_view *v, int32_t group, const int32_t *at, const int32_t *next, const int8_t *x,
                     int32_t x_zero, uint32_t *to)
{
    const int8_t zero = (int8_t)x_zero;
    const uint32_t zeros = (uint32_t)x_zero * 0x10001u;
    const int32_t run = v->run;
    x += group * run;
    for (int32_t tap = 0; tap < v->taps; tap++) {
        const int32_t second = next != NULL ? next[tap] : -1;
        const int8_t *p = at[tap] < 0 ? &zero : x + at[tap];
        const int8_t *q = second < 0 ? &zero : x + second;
        const int32_t p_step = at[tap] < 0 ? 0 : 1;
        const int32_t q_step = second < 0 ? 0 : 1;
        for (const uint32_t *end = to + run * EL_TERM_WORDS; to != end; to += EL_TERM_WORDS) {
            *to = (uint32_t)*p + ((uint32_t)*q << 16) - zeros;
            p += p_step;
            q += q_step;
        }
    }
}

EL_INLINE void add_halves(int32_t *sums, uint32_t word, int32_t exponent)
{
    const int32_t low = (int16_t)(word & 0xFFFFu);
    const int32_t high = (int32_t)(word - (uint32_t)low) >> 16;
    sums[0] += (int32_t)((uint32_t)low << exponent);
    sums[1] += (int32_t)((uint32_t)high << exponent);
}

static void spill(void *sums, const el_words *words, int32_t exponent)
{
    add_halves((int32_t *)sums, words->a, exponent);
    add_halves((int32_t *)sums + 2, words->b, exponent);
    add_halves((int32_t *)sums + 4, words->c, exponent);
    add_halves((int32_t *)sums + 6, words->d, exponent);
}

EL_APART void sums_of_eight(int32_t bits, const void *patch, const uint16_t *sorted, int32_t *sums)
{
    el_sum_taps(4, EL_ROOM_S8, spill, bits, patch, sorted, sums);
}

EL_APART void sums_of_four(int32_t bits, const void *patch, const uint16_t *sorted, int32_t *sums)
{
    el_sum_taps(2, EL_ROOM_S8, spill, bits, patch, sorted, sums);
}

/* Up to eight positions of a block of outputs. */
static void eight(const el_view *v, const operands *l, el_outputs block, const int32_t *at, int32_t some,
                  uint32_t *patch, const uint16_t *sorted, int32_t o, int8_t *y)
{
    const int32_t size = el_taps_bytes(el_view_terms(v)) / 2;
    const int32_t pitch = el_view_pitch(v);
    for (int32_t n = 0, group = block.group, c = block.first; n < block.outputs; n++, o++, y++, sorted += size) {
        if (n == 0 || c == 0) {
            for (int32_t i = 0; i < some; i += 2) {
                const int32_t *first = at + i * v->taps;
                gather(v, group, first, i + 1 < some ? first + v->taps : NULL, l->x, l->x_zero, patch + i / 2);
            }
        }
        const int32_t start = l->b != NULL ? l->b[o] : 0;
        int32_t sums[EL_POSITIONS_S8] = {start, start, start, start, start, start, start, start};
        if (some <= EL_POSITIONS_S8 / 2) {
            sums_of_four(l->bits, patch, sorted, sums);
        } else {
            sums_of_eight(l->bits, patch, sorted, sums);
        }
        int8_t *to = y;
        for (int32_t i = 0; i < some; i++, to += pitch) {
            *to = el_to_s8(el_rescale(sums[i], l->multiplier[o], l->shift[o]), l->y_zero, l->min, l->max);
        }
        if (++c == v->channels) {
            c = 0;
            group++;
        }
    }
}

#define EL_CLEAR(words, patch)                                                                                         \
    for (int32_t i = 0; i < words; i++) {                                                                              \
        patch[i] = 0; /* positions that a map does not have */                                                         \
    }
EL_LAYER_IN_BLOCKS(layer, operands, EL_POSITIONS_S8, EL_CLEAR, eight)

void el_conv2d_shift_fwd_s8__blk(const el_window *s, int32_t bits, int32_t x_zero, int32_t y_zero, int32_t min,
                                 int32_t max, const int8_t *x, const uint8_t *w, const int32_t *b,
                                 const int32_t *multiplier, const int32_t *shift, int8_t *y, void *scratch)
{
    const el_view v = el_view_conv2d_fwd(s);
    const operands l = {bits, x_zero, y_zero, min, max, x, w, b, multiplier, shift, y};
    layer(&v, &l, scratch);
}

void el_depthwise_conv2d_shift_fwd_s8__blk(const el_window *s, int32_t bits, int32_t x_zero, int32_t y_zero,
                                           int32_t min, int32_t max, const int8_t *x, const uint8_t *w,
                                           const int32_t *b, const int32_t *multiplier, const int32_t *shift, int8_t *y,
                                           void *scratch)
{
    const el_view v = el_view_depthwise_fwd(s);
    const operands l = {bits, x_zero, y_zero, min, max, x, w, b, multiplier, shift, y};
    layer(&v, &l, scratch);
}

/* Weights [first, first + count) with as many numbers of x. */
EL_INLINE int32_t dot(const int32_t bits, const int8_t *x, int32_t x_zero, const uint8_t *w, int32_t first,
                      int32_t count, int32_t sum)
{
    for (; count > 0 && (first & 7) != 0; count--) {
        sum += el_shift_left(*x++ - x_zero, el_shift_code(w, bits, first++), bits);
    }
    for (const uint8_t *at = w + (first >> 3) * bits; count >= 8; count -= 8, first += 8, at += bits, x += 8) {
        uint32_t codes = el_eight_codes(at, bits);
        for (int i = 0; i < 8; i++, codes >>= bits) {
            const uint32_t minus = 0u - (codes >> (bits - 1) & 1u);
            const uint32_t shifted = (uint32_t)(x[i] - x_zero) << (codes & ((1u << (bits - 1)) - 1u));
            sum += (int32_t)((shifted ^ minus) - minus);
        }
    }
    for (; count > 0; count--) {
        sum += el_shift_left(*x++ - x_zero, el_shift_code(w, bits, first++), bits);
    }
    return sum;
}

void el_dense_shift_fwd_s8__blk(int32_t in, int32_t out, int32_t bits, int32_t x_zero, int32_t y_zero, int32_t min,
                                int32_t max, const int8_t *x, const uint8_t *w, const int32_t *b,
                                const int32_t *multiplier, const int32_t *shift, int8_t *y)
{
    for (int32_t o = 0; o < out; o++) {
        const int32_t start = b != NULL ? b[o] : 0;
        const int32_t sum = bits == 2   ? dot(2, x, x_zero, w, o * in, in, start)
                            : bits == 3 ? dot(3, x, x_zero, w, o * in, in, start)
                                        : dot(4, x, x_zero, w, o * in, in, start);
        y[o] = el_to_s8(el_rescale(sum, multiplier[o], shift[o]), y_zero, min, max);
    }
}
