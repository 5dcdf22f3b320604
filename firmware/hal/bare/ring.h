/* Received bytes between the interrupt that brings them and the program that wants them. One writes, the other reads,
   and each moves one count only: no lock. The host has no more under way than EL_WINDOW frames, so it never fills. */
#ifndef EL_RING_H
#define EL_RING_H

#include <stdint.h>

#include "el/link.h"

enum { EL_RING_BYTES = 2048 }; /* a power of two */

_Static_assert(EL_RING_BYTES >= EL_WINDOW * EL_WIRE_MAX, "a window of frames fits, with nobody to read them");

typedef struct {
    volatile uint32_t put;   /* bytes ever put */
    volatile uint32_t taken; /* and taken */
    volatile uint8_t bytes[EL_RING_BYTES];
} el_ring;

/* By the interrupt alone; zero where there is no room. */
static inline uint32_t el_ring_put(el_ring *ring, uint8_t byte)
{
    const uint32_t at = ring->put;
    if (at - ring->taken == EL_RING_BYTES) {
        return 0;
    }
    ring->bytes[at % EL_RING_BYTES] = byte;
    ring->put = at + 1;
    return 1;
}

static inline uint32_t el_ring_count(const el_ring *ring)
{
    return ring->put - ring->taken;
}

/* By the program alone: up to `max` bytes. */
static inline uint32_t el_ring_take(el_ring *ring, uint8_t *to, uint32_t max)
{
    const uint32_t have = el_ring_count(ring);
    const uint32_t count = have < max ? have : max;
    uint32_t at = ring->taken;
    for (uint32_t i = 0; i < count; i++, at++) {
        to[i] = ring->bytes[at % EL_RING_BYTES];
    }
    ring->taken = at;
    return count;
}

#endif
