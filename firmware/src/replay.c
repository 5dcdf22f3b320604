/* Latent replay: what the frozen layers gave for some samples is kept, so that old classes are trained again beside
   new ones without the samples and without the frozen layers. Which ones are kept is decided by a reservoir that gives
   each class its share (A. Chrysakis, M.-F. Moens, "Online Continual Learning from Imbalanced Data", ICML 2020):
   while the memory has room everything is taken up; then a class that has never been among the largest takes a place
   of the largest one, and another takes a place of its own with the chance that a reservoir of its places gives.
   edgelearn/replay.py takes the same decisions with the same integers. */
#include "el/f16.h"
#include "el/quant.h"
#include "el/rt.h"

void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);

static const uint32_t bytes_of[] = {
    [EL_LATENT_INTEGERS] = 1, [EL_LATENT_S8] = 1, [EL_LATENT_F16] = 2, [EL_LATENT_F32] = 4};

static uint32_t bytes_kept(const el_latent *t)
{
    return (t->count * bytes_of[t->kept] + 3u) & ~3u;
}

/* The memory: head, a record a class, a scale a rounded tensor, then slots of latents and label. */

static el_replay_head *head(void)
{
    return el_model.replay.data;
}

static el_replay_class *class_of(uint32_t label)
{
    return (el_replay_class *)(void *)((uint8_t *)el_model.replay.data + sizeof(el_replay_head)) + label;
}

static const el_replay_scale *first_scale(void)
{
    return (const el_replay_scale *)(const void *)class_of(el_model.classes);
}

uint32_t el_latents_bytes(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < el_model.latent_count; i++) {
        sum += bytes_kept(&el_model.latents[i]);
    }
    return sum;
}

static uint32_t slot_bytes(void)
{
    return el_latents_bytes() + 4u; /* and the label */
}

static uint32_t slots_at(void)
{
    uint32_t at = (uint32_t)(sizeof(el_replay_head) + el_model.classes * sizeof(el_replay_class));
    for (uint32_t i = 0; i < el_model.latent_count; i++) {
        at += el_model.latents[i].kept == EL_LATENT_S8 ? (uint32_t)sizeof(el_replay_scale) : 0;
    }
    return at;
}

static uint8_t *slot(uint32_t index)
{
    return (uint8_t *)el_model.replay.data + slots_at() + index * slot_bytes();
}

static uint32_t *label_of(uint32_t index)
{
    return (uint32_t *)(void *)(slot(index) + slot_bytes() - 4u);
}

/* One tensor of the cut into its place in a slot, and back. */

static float get(const el_latent *t, uint32_t i)
{
    return t->half ? el_from_half(((const uint16_t *)t->data)[i]) : ((const float *)t->data)[i];
}

static void put(const el_latent *t, uint32_t i, float value)
{
    if (t->half) {
        ((uint16_t *)t->data)[i] = el_to_half(value);
    } else {
        ((float *)t->data)[i] = value;
    }
}

static void keep(const el_latent *t, const el_replay_scale *s, uint8_t *to)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->kept == EL_LATENT_S8) {
            ((int8_t *)to)[i] = el_round_s8(get(t, i) / s->scale, s->zero, 0);
        } else if (t->kept == EL_LATENT_F16) {
            ((uint16_t *)(void *)to)[i] = el_to_half(get(t, i));
        }
    }
    if (t->kept == EL_LATENT_INTEGERS || t->kept == EL_LATENT_F32) {
        memcpy(to, t->data, t->count * bytes_of[t->kept]);
    }
}

static void recall(const el_latent *t, const el_replay_scale *s, const uint8_t *from)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->kept == EL_LATENT_S8) {
            put(t, i, s->scale * (float)(((const int8_t *)from)[i] - s->zero));
        } else if (t->kept == EL_LATENT_F16) {
            put(t, i, el_from_half(((const uint16_t *)(const void *)from)[i]));
        }
    }
    if (t->kept == EL_LATENT_INTEGERS || t->kept == EL_LATENT_F32) {
        memcpy(t->data, from, t->count * bytes_of[t->kept]);
    }
}

void el_latents_keep(uint8_t *to)
{
    const el_replay_scale *s = first_scale();
    for (uint32_t i = 0; i < el_model.latent_count; i++) {
        const el_latent *t = &el_model.latents[i];
        keep(t, s, to);
        s += t->kept == EL_LATENT_S8 ? 1 : 0;
        to += bytes_kept(t);
    }
}

void el_latents_recall(const uint8_t *from)
{
    const el_replay_scale *s = first_scale();
    for (uint32_t i = 0; i < el_model.latent_count; i++) {
        const el_latent *t = &el_model.latents[i];
        recall(t, s, from);
        s += t->kept == EL_LATENT_S8 ? 1 : 0;
        from += bytes_kept(t);
    }
}

/* Chance: Marsaglia's xorshift with the shifts 13, 17, 5, scaled to 0 .. count-1 by the high word of a product. */
static uint32_t below(uint32_t count)
{
    uint32_t x = head()->random ? head()->random : 0x9E3779B9u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    head()->random = x;
    return (uint32_t)((uint64_t)x * count >> 32);
}

/* One of the slots that hold a class, any with the same chance. */
static uint32_t any_of(uint32_t label)
{
    uint32_t left = below(class_of(label)->held);
    uint32_t index = 0;
    while (*label_of(index) != label || left > 0) {
        left -= *label_of(index) == label ? 1u : 0u;
        index++;
    }
    return index;
}

/* The first of the largest classes; all of them are marked as having been that. */
static uint32_t largest_class(void)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < el_model.classes; c++) {
        best = class_of(c)->held > class_of(best)->held ? c : best;
    }
    for (uint32_t c = best; c < el_model.classes; c++) {
        class_of(c)->full |= class_of(c)->held == class_of(best)->held ? 1u : 0u;
    }
    return best;
}

/* Where the running sample goes, or EL_NO_SLOT. */
static uint32_t place_for(uint32_t label)
{
    el_replay_head *h = head();
    const el_replay_class *own = class_of(label);

    if (h->kept < el_model.replay_slots) {
        return h->kept++;
    }
    const uint32_t largest = largest_class();
    if (own->full) {
        return below(own->seen) < own->held ? any_of(label) : EL_NO_SLOT;
    }
    return any_of(largest);
}

/* Whether nothing in the cut is NaN or infinite, by the bits. */
static int is_sound(void)
{
    for (uint32_t i = 0; i < el_model.latent_count; i++) {
        const el_latent *t = &el_model.latents[i];
        const uint32_t *bits = t->data;
        const uint16_t *halves = t->data;
        for (uint32_t k = 0; t->kept != EL_LATENT_INTEGERS && k < t->count; k++) {
            const uint32_t exponent = t->half ? ~(uint32_t)halves[k] & 0x7C00u : ~bits[k] & 0x7F800000u;
            if (exponent == 0) {
                return 0;
            }
        }
    }
    return 1;
}

uint32_t el_replay_offer(uint32_t label)
{
    if (el_model.replay_slots == 0 || label >= el_model.classes || !is_sound()) {
        return EL_NO_SLOT;
    }
    const uint32_t before = head()->kept;
    class_of(label)->seen++;
    const uint32_t index = place_for(label);
    if (index == EL_NO_SLOT) {
        return index;
    }
    if (index < before) {
        class_of(*label_of(index))->held--;
    }
    class_of(label)->held++;
    el_latents_keep(slot(index));
    *label_of(index) = label;
    return index;
}

uint32_t el_replay_ratio(void)
{
    return el_model.replay_slots == 0 ? 0 : head()->ratio;
}

int el_replay_recall(uint32_t besides)
{
    const uint32_t kept = el_model.replay_slots == 0 ? 0 : head()->kept;
    const uint32_t skipped = besides < kept ? 1 : 0;

    if (kept <= skipped) {
        return 0;
    }
    uint32_t index = below(kept - skipped);
    index += skipped && index >= besides ? 1u : 0u;
    el_latents_recall(slot(index));
    *(uint32_t *)el_model.target.data = *label_of(index);
    head()->replayed++;
    el_model.head();
    return 1;
}
