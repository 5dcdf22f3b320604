/* Samples: how one arrives, how one is kept, and how it becomes the model's input. */
#include "el/f16.h"
#include "el/rt.h"

void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);

static uint32_t count_of_halves(void)
{
    return el_model.input.bytes / 4u;
}

/* Whether halves arrive for an input of floats; anything else lies there as it travels. */
static int widens(void)
{
    return el_model.sample_format == EL_SAMPLE_F16 && !el_model.half_input;
}

uint32_t el_sample_bytes(void)
{
    const uint32_t bytes = widens() ? 2u * count_of_halves() : el_model.input.bytes;
    return (bytes + 3u) & ~3u;
}

uint32_t el_slot_bytes(void)
{
    return (el_model.stores_latents ? el_latents_bytes() : el_sample_bytes()) + el_model.target.bytes;
}

/* Bytes of a sample as it travels, from byte `at` on, into the input. */
static void put_input(uint32_t at, const uint8_t *bytes, uint32_t count)
{
    if (!widens()) {
        const uint32_t left = at < el_model.input.bytes ? el_model.input.bytes - at : 0; /* behind it is padding */
        memcpy((uint8_t *)el_model.input.data + at, bytes, count < left ? count : left);
        return;
    }
    float *x = el_model.input.data;
    for (uint32_t i = 0; i + 1u < count; i += 2) {
        const uint32_t index = (at + i) / 2u;
        if (index < count_of_halves()) { /* the last two bytes may be padding */
            x[index] = el_from_half((uint16_t)(bytes[i] | (uint32_t)bytes[i + 1u] << 8));
        }
    }
}

int el_sample_put(uint32_t at, const uint8_t *bytes, uint32_t count)
{
    const uint32_t inputs = el_sample_bytes();
    const uint32_t all = inputs + el_model.target.bytes;

    if (at > all || count > all - at || ((at | count) & 1u) != 0) {
        return 0;
    }
    const uint32_t first = at >= inputs ? 0 : (count < inputs - at ? count : inputs - at);
    if (first > 0) {
        put_input(at, bytes, first);
    }
    if (count > first) {
        memcpy((uint8_t *)el_model.target.data + (at + first - inputs), bytes + first, count - first);
    }
    return 1;
}

/* The place of a slot in the store, or NULL. */
static uint8_t *slot_at(uint32_t slot)
{
    const uint32_t size = el_slot_bytes();
    return slot < el_model.store.bytes / size ? (uint8_t *)el_model.store.data + slot * size : 0;
}

int el_sample_load(uint32_t slot)
{
    const uint8_t *from = slot_at(slot);

    if (from == 0) {
        return 0;
    }
    if (!el_model.stores_latents) {
        return el_sample_put(0, from, el_slot_bytes());
    }
    el_latents_recall(from);
    memcpy(el_model.target.data, from + el_latents_bytes(), el_model.target.bytes);
    return 1;
}

int el_sample_keep(uint32_t slot)
{
    uint8_t *to = slot_at(slot);

    if (to == 0 || !el_model.stores_latents) {
        return 0;
    }
    el_model.prefix();
    el_latents_keep(to);
    memcpy(to + el_latents_bytes(), el_model.target.data, el_model.target.bytes);
    return 1;
}
