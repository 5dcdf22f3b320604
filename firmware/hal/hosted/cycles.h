/* Cycle counters under a framework, which owns interrupts and timers: the chip's counter and another clock together. */
#ifndef EL_HOSTED_CYCLES_H
#define EL_HOSTED_CYCLES_H

#include <stdint.h>

/* The low 32 bits of the cycles that the core has counted; started by the first call. */
uint32_t el_cycles(void);

/* The count of 64 bits that ends in `low` and is nearest to what another clock expects. */
static inline uint64_t el_cycles_extend(uint64_t expected, uint32_t low)
{
    const int32_t off = (int32_t)(low - (uint32_t)expected);
    return off < 0 && (uint64_t)(-(int64_t)off) > expected ? low : expected + (uint64_t)(int64_t)off;
}

#endif
