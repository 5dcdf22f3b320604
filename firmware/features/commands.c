/* Commands of what a program has beside its model: into flash, out of it, and on samples of the board's own. */
#include "el/rt.h"

void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);

static uint32_t word(const el_frame *f, uint32_t index)
{
    uint32_t value;
    memcpy(&value, f->payload + 4u * index, 4);
    return value;
}

static uint8_t save(const el_frame *f)
{
    float score;
    if (f->length != 8) {
        return EL_BAD_ARGUMENT;
    }
    memcpy(&score, f->payload + 4, 4);
    return el_model.extras->save(word(f, 0), score);
}

uint8_t el_extras_command(const el_frame *f, uint32_t *op)
{
    const el_extras *extras = el_model.extras;
    if (f->type == EL_SAVE && extras->save != 0) {
        return save(f);
    }
    if (f->type == EL_RESTORE && extras->restore != 0) {
        return f->length == 4 ? extras->restore(word(f, 0)) : EL_BAD_ARGUMENT;
    }
    if (f->type == EL_SAMPLE && extras->sample != 0) {
        if (f->length != 12 || !el_is_operation(word(f, 0))) {
            return EL_BAD_ARGUMENT;
        }
        *op = word(f, 0);
        return extras->sample(*op, word(f, 1), word(f, 2));
    }
    return EL_BAD_COMMAND;
}
