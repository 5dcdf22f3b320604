/* ReLU and its mask: comparisons give predicates, and the sum of 1, 2, 4, ... over the lanes that hold is their bits.
 * "Less" of this instruction set holds for NaN too, and has to be asked of the other lanes only. */
#ifndef EL_MVE_ACTIVATION_H
#define EL_MVE_ACTIVATION_H

/* y of one vector, and the bits of 0 < x < max. `under` is the least element that is not below max, `top` max itself,
 * rounded. */
EL_INLINE uint32_t el_rectify(float slope, el_t under, el_t top, el_bit_lanes bits, const el_t *x, el_t *y, el_n n)
{
    const el_v v = el_load(x, n);
    const el_n low = EL_MVE(vcmpltq_m_n)(v, 0, EL_MVE(vcmpeqq)(v, v));
    el_v r = slope == 0.0f ? EL_MVE(vmulq_m_n)(v, v, 0, low) : EL_MVE(vpselq)(el_mul_float(v, slope), v, low);
    r = EL_MVE(vdupq_m_n)(r, top, EL_MVE(vcmpgtq_n)(v, top));
    const el_n inside = EL_MVE(vcmpltq_m_n)(v, under, EL_MVE(vcmpgtq_m_n)(v, 0, n));
    el_store(y, r, n);
    return el_bits_of(bits, inside);
}

/* The same of a full vector, whose bits are added to `byte`, where a product in lanes is a product rounded once. In
 * assembly, because compilers move predicates through core registers. */
EL_INLINE uint32_t el_rectify_whole(el_t slope, el_t under, el_t top, el_bit_lanes bits, const el_t **x, el_t **y,
                                    uint32_t byte)
{
    el_v v;
    el_n predicate; /* tells the compiler that it is overwritten */
    __asm__ volatile(EL_VLDR " %q[v], [%[x]], #16\n"
                             "vptt.f" EL_WIDTH " gt, %q[v], zr\n"
                             "vcmpt.f" EL_WIDTH " lt, %q[v], %[under]\n"
                             "vaddvat.u" EL_WIDTH " %[byte], %q[bits]\n"
                             "vptt.f" EL_WIDTH " eq, %q[v], %q[v]\n"
                             "vcmpt.f" EL_WIDTH " lt, %q[v], zr\n"
                             "vmult.f" EL_WIDTH " %q[v], %q[v], %[slope]\n"
                             "vpt.f" EL_WIDTH " gt, %q[v], %[top]\n"
                             "vdupt." EL_WIDTH " %q[v], %[top]\n" EL_VSTR " %q[v], [%[y]], #16\n"
                     : [v] "=&w"(v), [x] "+r"(*x), [y] "+r"(*y), [byte] "+Te"(byte), [p] "=&Up"(predicate)
                     : [under] "r"(el_word_of(&under)), [top] "r"(el_word_of(&top)), [slope] "r"(el_word_of(&slope)),
                       [bits] "w"(bits)
                     : "memory");
    (void)predicate;
    return byte;
}

/* Eight elements at a time where max is infinite: lanes above zero stay, all others are multiplied. "Less or equal"
 * holds for NaN. */
#define EL_ABOVE(sum, bits)                                                                                            \
    EL_VLDR " q0, [%[x]], #16\n"                                                                                       \
            "vptee.f" EL_WIDTH " le, q0, zr\n"                                                                         \
            "vmult.f" EL_WIDTH " q0, q0, %[slope]\n"                                                                   \
            "vcmpe.f" EL_WIDTH " lt, q0, %[under]\n" sum "e.u" EL_WIDTH " %[byte], %q[" bits "]\n" EL_VSTR             \
            " q0, [%[y]], #16\n"
#define EL_RECTIFY(STORE)                                                                                              \
    __asm__ volatile("wls lr, %[n], 2f\n"                                                                              \
                     "1:\n" EL_FOR_EACH_OF_EIGHT(EL_ABOVE) STORE "le lr, 1b\n"                                         \
                                                                 "2:\n"                                                \
                     : [x] "+&r"(x), [y] "+&r"(y), [mask] "+&r"(mask), [byte] "=&Te"(byte), [p] "=&Up"(predicate)      \
                     : [n] "r"(eights), [slope] "r"(el_word_of(&factor)), [under] "r"(el_word_of(&under)),             \
                       [bits] "w"(bits), [more] "w"(more)                                                              \
                     : "q0", "lr", "cc", "memory")

EL_INLINE void el_rectify_eights(uint32_t eights, float slope, const el_t *x, el_t *y, uint8_t *mask)
{
    const el_t factor = (el_t)slope;
    const el_t under = (el_t)__builtin_inff();
    const el_bit_lanes bits = el_bit_lanes_of();
    const el_bit_lanes more = EL_INDEX(vshlq_n)(bits, EL_LANES % 8);
    uint32_t byte;
    el_n predicate;
    if (mask != 0) {
        EL_RECTIFY("strb %[byte], [%[mask]], #1\n");
    } else {
        EL_RECTIFY("");
    }
    (void)predicate;
}

EL_INLINE void el_rectify_all(int32_t count, float slope, el_t under, el_t top, const el_t *x, el_t *y, uint8_t *mask)
{
    const el_bit_lanes bits = el_bit_lanes_of();
    const el_bit_lanes more = EL_INDEX(vshlq_n)(bits, EL_LANES % 8);
    const int fast = EL_LANES < 8 || slope == 0.0f;
    int32_t left = count;
    for (; fast && left >= 8; left -= 8) {
        uint32_t byte = el_rectify_whole((el_t)slope, under, top, bits, &x, &y, 0);
        if (EL_LANES < 8) {
            byte = el_rectify_whole((el_t)slope, under, top, more, &x, &y, byte);
        }
        if (mask != 0) {
            *mask++ = (uint8_t)byte;
        }
    }
    while (left > 0) {
        uint32_t byte = 0;
        for (int32_t i = 0; i < 8 && i < left; i += EL_LANES) {
            byte |= el_rectify(slope, under, top, bits, x + i, y + i, el_some(left - i)) << i;
        }
        if (mask != 0) {
            *mask++ = (uint8_t)byte;
        }
        left -= 8;
        x += 8;
        y += 8;
    }
}

void EL_KERNEL(relu_fwd)(int32_t count, float slope, float max, const el_t *x, el_t *y, uint8_t *mask)
{
    if (max == __builtin_inff() && (EL_LANES < 8 || slope == 0.0f)) {
        const int32_t most = count & ~7;
        el_rectify_eights((uint32_t)most / 8, slope, x, y, mask);
        count -= most;
        x += most;
        y += most;
        mask = mask != 0 ? mask + most / 8 : 0;
    }
    if (slope == 0.0f) {
        el_rectify_all(count, 0.0f, el_least_from(max), (el_t)max, x, y, mask);
    } else {
        el_rectify_all(count, slope, el_least_from(max), (el_t)max, x, y, mask);
    }
}

/* dx of the lanes whose bits are in `byte` is dy, of others slope * dy. */
EL_INLINE void el_pass(float slope, el_bit_lanes bits, uint32_t byte, const el_t *dy, el_t *dx, el_n n)
{
    const el_v v = el_load(dy, n);
    const el_n others = el_lanes_without(bits, byte);
    if (slope == 0.0f) {
        el_store(dx, EL_MVE(vmulq_m_n)(v, v, 0, others), n);
    } else {
        el_store(dx, EL_MVE(vpselq)(el_mul_float(v, slope), v, others), n);
    }
}

/* The same of eight elements at a time, where products in lanes are rounded once. */
#define EL_KEEP(sum, bits)                                                                                             \
    EL_VLDR " q0, [%[dy]], #16\n"                                                                                      \
            "vand q1, q2, %q[" bits "]\n"                                                                              \
            "vpt.i" EL_WIDTH " eq, q1, zr\n"                                                                           \
            "vmult.f" EL_WIDTH " q0, q0, %[slope]\n" EL_VSTR " q0, [%[dx]], #16\n"

EL_INLINE void el_pass_all(int32_t count, float slope, const el_t *dy, const uint8_t *mask, el_t *dx)
{
    const el_bit_lanes bits = el_bit_lanes_of();
    if (EL_LANES < 8 || slope == 0.0f) {
        const el_bit_lanes more = EL_INDEX(vshlq_n)(bits, EL_LANES % 8);
        const el_t factor = (el_t)slope;
        uint32_t byte;
        el_n predicate;
        __asm__ volatile(
            "wls lr, %[n], 2f\n"
            "1: ldrb %[byte], [%[mask]], #1\n"
            "vdup." EL_WIDTH " q2, %[byte]\n" EL_FOR_EACH_OF_EIGHT(EL_KEEP) "le lr, 1b\n"
                                                                            "2:\n"
            : [dy] "+&r"(dy), [dx] "+&r"(dx), [mask] "+&r"(mask), [byte] "=&r"(byte), [p] "=&Up"(predicate)
            : [n] "r"((uint32_t)count / 8), [slope] "r"(el_word_of(&factor)), [bits] "w"(bits), [more] "w"(more)
            : "q0", "q1", "q2", "lr", "memory");
        (void)predicate;
        count %= 8;
    }
    for (; count >= 8; count -= 8, dy += 8, dx += 8) {
        const uint32_t byte = *mask++;
        el_pass(slope, bits, byte, dy, dx, EL_ALL);
        if (EL_LANES < 8) {
            el_pass(slope, bits, byte >> EL_LANES, dy + EL_LANES, dx + EL_LANES, EL_ALL);
        }
    }
    for (int32_t i = 0; i < count; i += EL_LANES) {
        el_pass(slope, bits, (uint32_t)*mask >> i, dy + i, dx + i, el_some(count - i));
    }
}

void EL_KERNEL(relu_bwd)(int32_t count, float slope, const el_t *dy, const uint8_t *mask, el_t *dx)
{
    if (slope == 0.0f) {
        el_pass_all(count, 0.0f, dy, mask, dx);
    } else {
        el_pass_all(count, slope, dy, mask, dx);
    }
}

#endif
