/* Sums of terms that are shifted, without a product and, but for a few, without a shift: the terms of an output channel
 * are sorted by the exponents and signs of their weights, once for all positions. What has the highest exponent is
 * added up first; the sum is doubled, what has the next one is added, and so on.
 *
 * A term is a group of words, the same term of several positions, side by side in a patch. Sums of words stay within
 * 32 bits for so many terms, a doubled sum counting twice; then they are taken down (EL_SPILL) and begin anew. */
#ifndef EL_SHIFT_TAPS_H
#define EL_SHIFT_TAPS_H

#include "view.h"

#include "el/shift.h"

enum {
    EL_TAPS_BYTES = 8192, /* of the sorted terms of a block of outputs of a position, or those of one */
    EL_TAP_ENDS = 16,     /* lists of terms of a channel at most: a sign of an exponent each */
    EL_TERM_WORDS = 4,
    EL_TERM_BYTES = 16,
};

/* Four sums. */
typedef struct {
    uint32_t a, b, c, d;
} el_words;

EL_INLINE int32_t el_taps_bytes(int32_t terms)
{
    return 2 * (EL_TAP_ENDS + (terms + 1) / 2 * 2);
}

/* Outputs of a block: whole groups, or some channels of one. */
EL_INLINE int32_t el_taps_outputs(const el_view *v)
{
    const int32_t most = EL_TAPS_BYTES / el_taps_bytes(el_view_terms(v));
    const int32_t all = v->groups * v->channels;
    if (most < v->channels) {
        return most < 1 ? 1 : most;
    }
    return most < all ? most / v->channels * v->channels : all;
}

/* A block of outputs that begins with channel `first` of `group`. */
typedef struct {
    int32_t group, first, outputs;
} el_outputs;

/* The next block, after one of `each` outputs. */
EL_INLINE el_outputs el_outputs_next(const el_view *v, el_outputs done, int32_t each)
{
    el_outputs next = {done.group, done.first + done.outputs, 0};
    while (next.first >= v->channels) {
        next.first -= v->channels;
        next.group++;
    }
    const int32_t left = each < v->channels ? v->channels - next.first : (v->groups - next.group) * v->channels;
    next.outputs = left < each ? left : each;
    return next;
}

/* to = ends of the lists, by falling exponent, of each first what is added, then what is subtracted; and the lists:
 * where in a patch terms begin. */
EL_APART void el_sort_taps(const el_view *v, const uint8_t *w, int32_t bits, int32_t first, uint16_t *to)
{
    const int32_t top = (1 << (bits - 1)) - 1;
    uint16_t at[EL_TAP_ENDS] = {0};
    for (int32_t tap = 0; tap < v->taps; tap++) {
        int32_t index = first + tap * v->tap_step;
        for (int32_t i = 0; i < v->run; i++, index += v->run_step) {
            at[el_shift_code(w, bits, index)]++;
        }
    }
    uint16_t end = 0;
    for (int32_t list = 0; list <= 2 * top + 1; list++) {
        uint16_t *count = &at[(top - list / 2) | ((list & 1) != 0 ? top + 1 : 0)];
        const uint16_t begin = end;
        end = (uint16_t)(end + *count);
        to[list] = end;
        *count = begin;
    }
    uint16_t *taps = to + EL_TAP_ENDS;
    int32_t term = 0;
    for (int32_t tap = 0; tap < v->taps; tap++) {
        int32_t index = first + tap * v->tap_step;
        for (int32_t i = 0; i < v->run; i++, index += v->run_step) {
            taps[at[el_shift_code(w, bits, index)]++] = (uint16_t)(EL_TERM_BYTES * term++);
        }
    }
}

/* The terms of a block's outputs, el_taps_bytes() of each. */
EL_APART void el_sort_outputs(const el_view *v, const uint8_t *w, int32_t bits, el_outputs block, uint16_t *to)
{
    const int32_t size = el_taps_bytes(el_view_terms(v)) / 2;
    for (int32_t i = 0, group = block.group, c = block.first; i < block.outputs; i++, to += size) {
        el_sort_taps(v, w, bits, group * v->group_step + c * v->channel_step, to);
        if (++c == v->channels) {
            c = 0;
            group++;
        }
    }
}

/* Adds the first `words` words of some terms, or subtracts them. */
EL_INLINE el_words el_add_taps(el_words sum, const int words, const int minus, const char *patch, const uint16_t *from,
                               const uint16_t *end)
{
#define EL_ADD_WORD(name, n) sum.name = words <= (n) ? 0 : minus ? sum.name - p[n] : sum.name + p[n]
#define EL_ADD_TAP(k)                                                                                                  \
    {                                                                                                                  \
        const uint32_t *p = (const uint32_t *)(const void *)(patch + from[k]);                                         \
        EL_ADD_WORD(a, 0);                                                                                             \
        EL_ADD_WORD(b, 1);                                                                                             \
        EL_ADD_WORD(c, 2);                                                                                             \
        EL_ADD_WORD(d, 3);                                                                                             \
    }
    for (; end - from >= 2; from += 2) {
        EL_ADD_TAP(0)
        EL_ADD_TAP(1)
    }
    if (from != end) {
        EL_ADD_TAP(0)
    }
#undef EL_ADD_TAP
#undef EL_ADD_WORD
    return sum;
}

/* Takes sums down, times 2^exponent, and adds them to what `sums` points to. */
typedef void el_spill(void *sums, const el_words *words, int32_t exponent);

/* The sums of one channel; `room` is how many terms fit into a word. */
EL_INLINE void el_sum_taps(const int words, const int32_t room, el_spill *spill, int32_t bits, const void *patch,
                           const uint16_t *sorted, void *sums)
{
    const uint16_t *from = sorted + EL_TAP_ENDS;
    const uint16_t *const taps = from;
    const el_words zero = {0, 0, 0, 0};
    el_words sum = zero;
    int32_t held = 0;
    for (int32_t exponent = (1 << (bits - 1)) - 1; exponent >= 0; exponent--) {
        if (2 * held > room) {
            spill(sums, &sum, exponent + 1);
            sum = zero;
            held = 0;
        }
        sum = (el_words){2 * sum.a, 2 * sum.b, 2 * sum.c, 2 * sum.d};
        held *= 2;
        for (int minus = 0; minus < 2; minus++) {
            const uint16_t *end = taps + *sorted++;
            while (from != end) {
                if (held == room) {
                    spill(sums, &sum, exponent);
                    sum = zero;
                    held = 0;
                }
                const int32_t left = (int32_t)(end - from);
                const int32_t some = left < room - held ? left : room - held;
                sum = minus ? el_add_taps(sum, words, 1, patch, from, from + some)
                            : el_add_taps(sum, words, 0, patch, from, from + some);
                from += some;
                held += some;
            }
        }
    }
    spill(sums, &sum, 0);
}

#endif
