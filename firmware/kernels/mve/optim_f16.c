/* The update by gradients in halves, and whether they are finite. */
#include "f16.h"

enum { EXPONENT = 0x7C00 }; /* all of it set: infinite or no number */

/* The exponents of a vector, the largest of which says it. */
EL_INLINE uint16x8_t el_exponents(const el_f16 *g, el_n n)
{
    return vandq_u16(vreinterpretq_u16_f16(el_load(g, n)), vdupq_n_u16(EXPONENT));
}

void el_finite_step_f16__mve(int32_t count, const el_f16 *g, float *scaling)
{
    uint16x8_t most = vdupq_n_u16(0);
    int32_t left = count;
    for (; left >= EL_LANES; left -= EL_LANES, g += EL_LANES) {
        most = vmaxq_u16(most, el_exponents(g, EL_ALL));
    }
    if (left > 0) {
        most = vmaxq_u16(most, el_exponents(g, el_some(left)));
    }
    if (vmaxvq_u16(0, most) == EXPONENT) {
        scaling[EL_OVERFLOW] = 1.0f;
    }
}

EL_INLINE float32x4_t el_descend(const el_optim *o, float32x4_t g, float32x4_t w)
{
    return vfmaq_n_f32(w, vfmaq_n_f32(vmulq_n_f32(g, o->grad_scale), w, o->weight_decay), -o->lr);
}

/* The updated weights, in floats. */
EL_INLINE el_sum el_descended(const el_optim *o, const el_f16 *g, const el_f16 *w, el_n n)
{
    const el_sum d = el_sum_of(el_load(g, n));
    const el_sum v = el_sum_of(el_load(w, n));
    return (el_sum){el_descend(o, d.even, v.even), el_descend(o, d.odd, v.odd)};
}

EL_INLINE void el_sgd_strip(int32_t at, el_n n, const el_optim *o, const el_f16 *g, el_f16 *w)
{
    el_store(w + at, el_sum_narrow(el_descended(o, g + at, w + at, n)), n);
}

/* The bits of kernels/ref/steps_f16.h: an element's number, times a constant, is what they are made of. */
#define EL_UPDATE_FACTOR 0x9E3779B9u
#define EL_SALT_FACTOR 0x85EBCA6Bu
#define EL_NUMBER_FACTOR 0xC2B2AE35u

EL_INLINE uint32x4_t el_random_bits(uint32x4_t x)
{
    x = vmulq_n_u32(veorq_u32(x, vshrq_n_u32(x, 16)), 0x7FEB352Du);
    x = vmulq_n_u32(veorq_u32(x, vshrq_n_u32(x, 15)), 0x846CA68Bu);
    return veorq_u32(x, vshrq_n_u32(x, 16));
}

/* Half steps: floats of 0x38800000 to 0x477FDFFF and their negatives are normal halves, of which el_to_half_at_random()
 * (el/f16.h) takes the upper bits after it has added 13 random ones. Here the sign stays where it is, so that the half
 * is in the upper half of a word. */
#define EL_NORMAL 0x38800000u
#define EL_NORMALS (0x477FE000u - EL_NORMAL)
#define EL_EXPONENTS 0x38000000u /* between those of floats and halves */

EL_INLINE uint32x4_t el_rounded(uint32x4_t value, uint32x4_t random)
{
    const uint32x4_t sum = vaddq_u32(vaddq_n_u32(value, -EL_EXPONENTS), vandq_u32(random, vdupq_n_u32(0x1FFF)));
    return vsriq_n_u32(value, vshlq_n_u32(sum, 4), 1);
}

/* Twice how far a value is beyond the least normal half, which no other than a normal one is by less than a limit. */
EL_INLINE uint32x4_t el_beyond(uint32x4_t value)
{
    return vaddq_n_u32(vshlq_n_u32(value, 1), -2u * EL_NORMAL);
}

/* Up to eight elements one by one: some is not a normal half. */
__attribute__((noinline)) static void el_round_each(int32_t count, uint32x4_t even, uint32x4_t odd, uint32x4_t some,
                                                    uint32x4_t others, el_f16 *w)
{
    uint32_t value[2][4], random[2][4];
    vst1q_u32(value[0], even);
    vst1q_u32(value[1], odd);
    vst1q_u32(random[0], some);
    vst1q_u32(random[1], others);
    for (int32_t i = 0; i < count && i < EL_LANES; i++) {
        const el_f32_bits v = {.u = value[i % 2][i / 2]};
        w[i] = el_f16_from_bits(el_to_half_at_random(v.f, random[i % 2][i / 2]));
    }
}

static void el_sgd_at_random(int32_t count, int32_t salt, const el_optim *settings, const el_f16 *g,
                             const float *scaling, el_f16 *w)
{
    const el_optim o = *settings;
    const uint32_t first = (uint32_t)scaling[EL_UPDATES] * EL_UPDATE_FACTOR ^ (uint32_t)salt * EL_SALT_FACTOR;
    uint32x4_t x = vaddq_n_u32(vmulq_n_u32(vidupq_n_u32(0, 2), EL_NUMBER_FACTOR), first);
    for (; count > 0; count -= EL_LANES, g += EL_LANES, w += EL_LANES) {
        const el_n n = el_some(count);
        const el_sum sum = el_descended(&o, g, w, n);
        const uint32x4_t even = vreinterpretq_u32_f32(sum.even);
        const uint32x4_t odd = vreinterpretq_u32_f32(sum.odd);
        const uint32x4_t some = el_random_bits(x);
        const uint32x4_t others = el_random_bits(vaddq_n_u32(x, EL_NUMBER_FACTOR));
        x = vaddq_n_u32(x, EL_LANES * EL_NUMBER_FACTOR);
        if (vcmpcsq_n_u32(vmaxq_u32(el_beyond(even), el_beyond(odd)), 2u * EL_NORMALS) != 0) {
            el_round_each(count, even, odd, some, others, w);
        } else {
            const uint32x4_t both = vsriq_n_u32(el_rounded(odd, others), el_rounded(even, some), 16);
            el_store(w, vreinterpretq_f16_u32(both), n);
        }
    }
}

void el_sgd_step_f16__mve(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                          el_f16 *w)
{
    const el_optim settings = *o;
    if (scaling[EL_OVERFLOW] != 0.0f) {
        return;
    }
    if (salt != 0) {
        el_sgd_at_random(count, salt, &settings, g, scaling, w);
    } else {
        EL_STRIPS(count, el_sgd_strip, &settings, g, w);
    }
}
