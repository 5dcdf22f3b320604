/* ReLU and its bits: a mask register holds element i in bit i, as masks in memory do. A format gives
 *   EL_GROUP, el_bits, EL_AS_BITS    a group of registers; its unsigned twin
 *   el_mask, EL_LOAD_MASK            a mask for such a group
 *   el_scaled(mask, v, slope, n)     v, times slope where the mask is set, rounded once
 *   el_span(max)                     how many positive numbers are below max */
#ifndef EL_RVV_RELU_H
#define EL_RVV_RELU_H

void EL_KERNEL(relu_fwd)(int32_t count, float slope, float max, const el_t *x, el_t *y, uint8_t *mask)
{
    const el_t top = (el_t)max;
    const uint32_t span = el_span(max);
    while (count > 0) {
        const size_t n = EL_VL_ALL(EL_GROUP, count);
        const EL_V(EL_GROUP) v = EL_VMEM(vle, EL_GROUP)(x, n);
        EL_V(EL_GROUP) r = el_scaled(__riscv_vmflt(v, 0, n), v, slope, n);
        if (max < __builtin_inff()) { /* a NaN is not above it, and stays */
            r = __riscv_vfmerge(r, top, __riscv_vmfgt(v, top, n), n);
        }
        EL_VMEM(vse, EL_GROUP)(y, r, n);
        if (mask != 0) { /* the bits of 0 < v < max, less one, are below those of max, less one */
            __riscv_vsm(mask, __riscv_vmsltu(__riscv_vsub(EL_AS_BITS(v), 1, n), (el_bits)span, n), n);
            if (n % 8 != 0) { /* the last ones: what is beyond them is nothing */
                mask[n / 8] = (uint8_t)(mask[n / 8] & ((1u << n % 8) - 1u));
            }
            mask += n / 8;
        }
        x += n;
        y += n;
        count -= (int32_t)n;
    }
}

void EL_KERNEL(relu_bwd)(int32_t count, float slope, const el_t *dy, const uint8_t *mask, el_t *dx)
{
    while (count > 0) {
        const size_t n = EL_VL_ALL(EL_GROUP, count);
        const EL_V(EL_GROUP) d = EL_VMEM(vle, EL_GROUP)(dy, n);
        const el_mask stops = __riscv_vmnot(EL_LOAD_MASK(mask, n), n);
        EL_VMEM(vse, EL_GROUP)(dx, el_scaled(stops, d, slope, n), n);
        mask += (n + 7) / 8;
        dy += n;
        dx += n;
        count -= (int32_t)n;
    }
}

#endif
