/* Packed powers of two, el/shift.h, as numbers: eight weights are as many whole bytes as each has bits. */
#ifndef EL_SHIFT_CODES_H
#define EL_SHIFT_CODES_H

#include "../inline.h"
#include "../real.h"
#include "el/shift.h"

/* What each code of `bits` stands for: sgn * 2^(S - k). */
typedef struct {
    el_real of[16];
} el_powers;

static inline el_powers el_powers_of(int32_t bits, int32_t k)
{
    el_powers p;
    for (int32_t code = 0; code < 16; code++) {
        put(&p.of[code], code < 1 << bits ? el_shift_times(1.0f, (uint32_t)code, bits, k) : 0.0f);
    }
    return p;
}

EL_INLINE void el_decode_some(const uint8_t *w, const int32_t bits, int32_t first, int32_t count, const el_powers *p,
                              el_real *to)
{
    const uint32_t mask = (1u << bits) - 1u;
    for (; count > 0 && (first & 7) != 0; count--) {
        *to++ = p->of[el_shift_code(w, bits, first++)];
    }
    for (const uint8_t *at = w + (first >> 3) * bits; count >= 8; count -= 8, at += bits, first += 8, to += 8) {
        const uint32_t word = el_eight_codes(at, bits);
        to[0] = p->of[word & mask];
        to[1] = p->of[word >> bits & mask];
        to[2] = p->of[word >> 2 * bits & mask];
        to[3] = p->of[word >> 3 * bits & mask];
        to[4] = p->of[word >> 4 * bits & mask];
        to[5] = p->of[word >> 5 * bits & mask];
        to[6] = p->of[word >> 6 * bits & mask];
        to[7] = p->of[word >> 7 * bits & mask];
    }
    for (; count > 0; count--) {
        *to++ = p->of[el_shift_code(w, bits, first++)];
    }
}

/* to = weights [first, first + count) of a packed tensor */
static inline void el_decode(const uint8_t *w, int32_t bits, int32_t first, int32_t count, const el_powers *p,
                             el_real *to)
{
    if (bits == 2) {
        el_decode_some(w, 2, first, count, p, to);
    } else if (bits == 3) {
        el_decode_some(w, 3, first, count, p, to);
    } else {
        el_decode_some(w, 4, first, count, p, to);
    }
}

#endif
