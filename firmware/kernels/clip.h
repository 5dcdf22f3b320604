/* What of a pool's window lies inside the map. */
#ifndef EL_CLIP_H
#define EL_CLIP_H

#include "el/ops.h"

#include "inline.h"

/* The part [*from, *to) of a window's k elements along one axis that lies inside the map. */
static inline void el_clip(int32_t start, int32_t k, int32_t size, int32_t *from, int32_t *to)
{
    *from = start < 0 ? -start : 0;
    *to = start + k > size ? size - start : k;
}

/* 1 / number of elements that an output averages over, of which so many lie inside the map */
static inline float el_share(const el_window *s, int32_t inside)
{
    return 1.0f / (float)(s->count_pad != 0 ? s->k_h * s->k_w : inside);
}

#endif
