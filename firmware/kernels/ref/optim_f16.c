/* Update rules for weights in halves. */
#include "el/f16.h"

#define EL_STEP(RULE) el_##RULE##_step_f16__ref
typedef el_f16 el_weight;

static inline float get(const el_weight *from)
{
    return el_f16_load(from);
}

static inline void put(el_weight *to, float value)
{
    el_f16_store(to, value);
}

static inline void put_at_random(el_weight *to, float value, uint32_t random)
{
    *to = el_f16_from_bits(el_to_half_at_random(value, random));
}

#include "steps_f16.h"
