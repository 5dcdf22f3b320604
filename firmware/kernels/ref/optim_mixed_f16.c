/* Update rules for weights in floats, with gradients in halves: nothing is rounded. */
#include <stdint.h>

#define EL_STEP(RULE) el_##RULE##_mixed_step_f16__ref
typedef float el_weight;

static inline float get(const el_weight *from)
{
    return *from;
}

static inline void put(el_weight *to, float value)
{
    *to = value;
}

static inline void put_at_random(el_weight *to, float value, uint32_t random)
{
    (void)random;
    *to = value;
}

#include "steps_f16.h"
