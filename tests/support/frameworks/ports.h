/* Functions of a framework whose calls leave the program: what they are asked for comes out of registers, and a model
   of the chip answers (tests/support/flashes.py). */
#ifndef PORTS_H
#define PORTS_H

#include <stdint.h>

enum {
    PORTS_ERASE = 1,
    PORTS_PROGRAM,
    PORTS_READ,
    PORTS_FIND,
    PORTS_INTERRUPTS_OFF,
    PORTS_INTERRUPTS_ON,
    PORTS_OTHER_CORE_IDLES,
    PORTS_OTHER_CORE_RUNS
};

static inline uint32_t ports_ask(uint32_t what, uint32_t first, uint32_t second, uint32_t third)
{
    volatile uint32_t *const port = (volatile uint32_t *)0x5F000000u;
    port[1] = first;
    port[2] = second;
    port[3] = third;
    port[0] = what;
    return port[0];
}

#endif
