/* Work that several harts share. A board's HAL implements it; only models that are divided among harts call it. */
#ifndef EL_HARTS_H
#define EL_HARTS_H

#include <stdint.h>

#include "el/model.h"

/* The part of a step that one hart computes. */
typedef void el_part(int32_t hart, el_optim *o);

/* Runs part(0, o) to part(count - 1, o), each on a hart of its own, and returns when all are done. */
void el_harts_run(el_part *part, int32_t count, el_optim *o);

#endif
