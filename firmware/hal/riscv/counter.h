/* Counters of 64 bits in two halves. */
#ifndef EL_RISCV_COUNTER_H
#define EL_RISCV_COUNTER_H

#include <stdint.h>

/* Defines a function that reads such a counter: mcycle, minstret. */
#define EL_COUNTER(function, name)                                                                                     \
    uint64_t function(void)                                                                                            \
    {                                                                                                                  \
        uint32_t high;                                                                                                 \
        uint32_t low;                                                                                                  \
        uint32_t again;                                                                                                \
        do {                                                                                                           \
            __asm volatile("csrr %0, " #name "h" : "=r"(high));                                                        \
            __asm volatile("csrr %0, " #name : "=r"(low));                                                             \
            __asm volatile("csrr %0, " #name "h" : "=r"(again));                                                       \
        } while (high != again);                                                                                       \
        return (uint64_t)high << 32 | low;                                                                             \
    }

#endif
