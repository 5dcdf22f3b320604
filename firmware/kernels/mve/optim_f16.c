/* The update by gradients in halves, and whether they are finite. */
#include "random_f16.h"

enum { EXPONENT = 0x7C00 }; /* all of it set: infinite or no number */

/* The exponents of a vector, the largest of which says it. */
EL_INLINE uint16x8_t el_exponents(const el_f16 *g, el_n n)
{
    return vandq_u16(vreinterpretq_u16_f16(el_load(g, n)), vdupq_n_u16(EXPONENT));
}

#define EL_MOST(v) "vand " v ", " v ", %q[exponent]\nvmax.u16 %q[most], %q[most], " v "\n"

void el_finite_step_f16__mve(int32_t count, const el_f16 *g, float *scaling)
{
    enum { MANY = 4 * EL_LANES }; /* what one instruction loads, where words begin */
    const int32_t times = ((uintptr_t)g & 3u) == 0 ? count / MANY : 0;
    uint16x8_t most = vdupq_n_u16(0);
    int32_t left = count - times * MANY;
    __asm__ volatile("wls lr, %[n], 2f\n"
                     "1: vldm %[g]!, {d0-d7}\n" EL_MOST("q0") EL_MOST("q1") EL_MOST("q2") EL_MOST("q3") "le lr, 1b\n"
                                                                                                        "2:\n"
                     : [g] "+&r"(g), [most] "+&w"(most)
                     : [n] "r"(times), [exponent] "w"(vdupq_n_u16(EXPONENT))
                     : "q0", "q1", "q2", "q3", "lr", "memory");
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

/* Up to eight weights, whatever they are: x is what their random bits are made of, for even lanes. */
static void el_sgd_each(int32_t count, const el_optim *o, uint32x4_t x, const el_f16 *g, el_f16 *w)
{
    el_store_each_at_random(count, el_descended(o, g, w, el_some(count)), x, w);
}

/* The random bits of `from`, those that count, by way of `by`; and a value's half in the upper half of its word, `y`
 * being twice how far it is beyond the least normal half: it is less by that. */
#define EL_MIX(from, to, by)                                                                                           \
    "vshr.u32 " by ", " from ", #16\n"                                                                                 \
    "veor " to ", " from ", " by "\n"                                                                                  \
    "vmul.i32 " to ", " to ", %[first]\n"                                                                              \
    "vshr.u32 " by ", " to ", #15\n"                                                                                   \
    "veor " to ", " to ", " by "\n"                                                                                    \
    "vmul.i32 " to ", " to ", %[second]\n"                                                                             \
    "vshr.u32 " by ", " to ", #16\n"                                                                                   \
    "veor " to ", " to ", " by "\n"                                                                                    \
    "vand " to ", " to ", %q[low]\n"
#define EL_ROUND(value, y, random)                                                                                     \
    "vmla.u32 " y ", " random ", %[two]\n"                                                                             \
    "vshl.i32 " y ", " y ", #3\n"                                                                                      \
    "vsri.32 " value ", " y ", #1\n"

/* w += factor * g for `eights` times eight weights, as far as all of them are normal halves. Returns how many times are
 * left, the next of which is not. */
EL_INLINE int32_t el_sgd_normal(int32_t eights, float factor, uint32x4_t *x, const el_f16 **g, el_f16 **w)
{
    const el_f16 *from = *g;
    el_f16 *to = *w;
    uint32x4_t bits = *x;
    uint32_t special;
    el_n predicate; /* tells the compiler that it is overwritten */
    register int32_t left __asm__("lr") = eights;
    __asm__ volatile(
        "wls lr, lr, 2f\n"
        "1:\n"
        "vldrh.16 q0, [%[from]], #16\n"
        "vldrh.16 q1, [%[to]]\n" EL_EVEN_OF(2, 0) EL_ODD_OF(0, 0) EL_EVEN_OF(3, 1)
            EL_ODD_OF(1, 1) "vfma.f32 q3, q2, %[factor]\n"
                            "vfma.f32 q1, q0, %[factor]\n"
                            "vshl.i32 q4, q3, #1\n"
                            "vadd.i32 q4, q4, %[normal]\n"
                            "vshl.i32 q5, q1, #1\n"
                            "vadd.i32 q5, q5, %[normal]\n"
                            "vmax.u32 q0, q4, q5\n"
                            "vcmp.u32 cs, q0, %[limit]\n"
                            "vmrs %[special], p0\n"
                            "cmp %[special], #0\n"
                            "bne 3f\n" EL_MIX("%q[x]", "q0", "q2")
                                EL_ROUND("q3", "q4", "q0") "vadd.i32 q0, %q[x], %[number]\n" EL_MIX("q0", "q0", "q2")
                                    EL_ROUND("q1", "q5", "q0") "vadd.i32 %q[x], %q[x], %[numbers]\n"
                                                               "vsri.32 q1, q3, #16\n"
                                                               "vadd.i16 q1, q1, %[least]\n"
                                                               "vstrh.16 q1, [%[to]], #16\n"
                                                               "le lr, 1b\n"
                                                               "2: mov lr, #0\n"
                                                               "3:\n"
        : [from] "+&r"(from), [to] "+&r"(to), [x] "+&w"(bits), [special] "=&r"(special), "+r"(left), "=&Up"(predicate)
        : [factor] "r"(el_float_bits(factor)), [first] "r"(0x7FEB352Du), [second] "r"(0x846CA68Bu), [two] "r"(2),
          [number] "r"(EL_NUMBER_FACTOR), [numbers] "r"(EL_LANES * EL_NUMBER_FACTOR), [normal] "r"(-2u * EL_NORMAL),
          [limit] "r"(2u * EL_NORMALS), [least] "r"(EL_LEAST_NORMAL), [low] "w"(vdupq_n_u32(0x1FFF))
        : "q0", "q1", "q2", "q3", "q4", "q5", "cc", "memory");
    (void)predicate;
    *g = left != 0 ? from - EL_LANES : from;
    *w = to;
    *x = bits;
    return left;
}

static void el_sgd_at_random(int32_t count, int32_t salt, const el_optim *o, const el_f16 *g, const float *scaling,
                             el_f16 *w)
{
    uint32x4_t x = el_first_bits(scaling, salt);
    while (count > 0) {
        if (o->weight_decay == 0.0f) {
            const int32_t left = el_sgd_normal(count / EL_LANES, -o->lr * o->grad_scale, &x, &g, &w);
            count = count % EL_LANES + left * EL_LANES;
        }
        if (count == 0) {
            return;
        }
        el_sgd_each(count, o, x, g, w);
        x = vaddq_n_u32(x, EL_LANES * EL_NUMBER_FACTOR);
        count -= EL_LANES;
        g += EL_LANES;
        w += EL_LANES;
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
