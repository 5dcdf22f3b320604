/* Saves and restores; see el/persist.h. Between two calls all that is known of the flash is which slots hold a whole
   record of this plan; what is in them is read again where it is needed. */
#include "el/persist.h"

#include "board.h"
#include "el/flash.h"

void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);
int memcmp(const void *a, const void *b, __SIZE_TYPE__ count);

enum {
    NONE = EL_SLOTS_MAX,
    CHUNK = 256, /* bytes that are written or read at once: whole units of every flash */
    PAYLOAD = sizeof(el_record) + EL_RECORD_SEAL
};

_Static_assert(CHUNK % EL_STORE_UNIT == 0 && sizeof(el_record) % EL_STORE_UNIT == 0, "whole units");

el_saved el_persist_saved;

static struct {
    uint32_t valid; /* a bit a slot */
    uint32_t latest;
    uint32_t best;
    uint32_t step; /* of the last save, or of the start */
} store;

static int is_valid(uint32_t slot)
{
    return (store.valid >> slot & 1u) != 0;
}

static uint32_t begin_of(uint32_t slot)
{
    return slot * el_persist.slot_pages * EL_STORE_PAGE;
}

/* What a record holds behind its header. */
static uint32_t regions(el_region *out)
{
    uint32_t count = 0;
    out[count++] = (el_region){&el_state_of_run, sizeof el_state_of_run};
    out[count++] = el_model.params;
    out[count++] = el_model.state;
    if (el_persist.replay) {
        out[count++] = el_model.replay;
    }
    out[count++] = el_model.extras->kept;
    return count;
}

static uint32_t payload_bytes(void)
{
    el_region parts[EL_REGIONS_MAX];
    uint32_t bytes = 0;
    for (uint32_t i = regions(parts); i > 0; i--) {
        bytes += parts[i - 1].bytes;
    }
    return bytes;
}

/* Headers */

static uint32_t check_of(const el_record *r)
{
    return el_crc32(0xFFFFFFFFu, (const uint8_t *)r, sizeof *r - sizeof r->check);
}

static int read_header(uint32_t slot, el_record *r)
{
    el_flash_read(begin_of(slot), r, sizeof *r);
    return r->magic == EL_RECORD_MAGIC && r->check == check_of(r);
}

static int is_erased(uint32_t at, uint32_t count)
{
    uint8_t byte;
    for (uint32_t i = 0; i < count; i++) {
        el_flash_read(at + i, &byte, 1);
        if (byte != EL_STORE_ERASED) {
            return 0;
        }
    }
    return 1;
}

static int is_sealed(uint32_t slot)
{
    return !is_erased(begin_of(slot) + (uint32_t)sizeof(el_record), EL_RECORD_SEAL);
}

static int is_of_this_plan(const el_record *r)
{
    return r->version == EL_RECORD_VERSION && memcmp(r->hash, el_model.hash, sizeof r->hash) == 0 &&
           r->bytes == payload_bytes();
}

static uint32_t sum_in_flash(uint32_t slot, uint32_t bytes)
{
    uint8_t buffer[CHUNK];
    uint32_t sum = 0xFFFFFFFFu;
    for (uint32_t at = 0; at < bytes; at += CHUNK) {
        const uint32_t count = bytes - at < CHUNK ? bytes - at : CHUNK;
        el_flash_read(begin_of(slot) + PAYLOAD + at, buffer, count);
        sum = el_crc32(sum, buffer, count);
    }
    return sum;
}

/* Which slot is which */

/* A loss on held-out samples counts for more than one in training, a smaller for more than a larger, a later save for
   more than an earlier one. */
static int is_better(const el_record *a, const el_record *b)
{
    if (a->held_out != b->held_out) {
        return a->held_out > b->held_out;
    }
    return a->score < b->score || (a->score == b->score && a->sequence > b->sequence);
}

/* Find the latest and the best among the valid slots. */
static void look(void)
{
    el_record latest = {0};
    el_record best = {0};
    store.latest = NONE;
    store.best = NONE;
    for (uint32_t slot = 0; slot < el_persist.slots; slot++) {
        el_record r;
        if (!is_valid(slot) || !read_header(slot, &r)) {
            continue;
        }
        if (store.latest == NONE || r.sequence > latest.sequence) {
            store.latest = slot;
            latest = r;
        }
        if (store.best == NONE || is_better(&r, &best)) {
            store.best = slot;
            best = r;
        }
    }
    el_persist_saved.step = latest.step;
    el_persist_saved.best_step = best.step;
    el_persist_saved.best_score = best.score;
}

/* The slot that the next save goes to: in turn, but for the latest and, where there are three, the best. */
static uint32_t next_slot(void)
{
    uint32_t slot = store.latest == NONE ? el_persist.slots - 1u : store.latest;
    do {
        slot = slot + 1u < el_persist.slots ? slot + 1u : 0;
    } while (slot == store.latest || (slot == store.best && el_persist.slots > 2u));
    return slot;
}

/* Writing */

/* Words on their way into flash, so many at once. */
typedef struct {
    uint32_t at; /* in flash */
    uint32_t filled;
    uint32_t sum;
    int good;
    _Alignas(4) uint8_t buffer[CHUNK];
} writer;

static void drain(writer *w)
{
    uint32_t end = w->filled;
    w->sum = el_crc32(w->sum, w->buffer, w->filled);
    for (; end % EL_STORE_UNIT != 0; end++) {
        w->buffer[end] = EL_STORE_ERASED;
    }
    w->good = w->good && (end == 0 || el_flash_program(w->at, w->buffer, end));
    w->at += end;
    w->filled = 0;
}

static void put(writer *w, const uint8_t *from, uint32_t count)
{
    while (count > 0 && w->good) {
        const uint32_t room = CHUNK - w->filled;
        const uint32_t part = count < room ? count : room;
        memcpy(w->buffer + w->filled, from, part);
        w->filled += part;
        from += part;
        count -= part;
        if (w->filled == CHUNK) {
            drain(w);
        }
    }
}

static int erase_slot(uint32_t slot)
{
    const uint32_t first = slot * el_persist.slot_pages;
    int good = 1;
    for (uint32_t page = 0; page < el_persist.slot_pages && good; page++) {
        good = el_flash_erase(first + page);
    }
    return good;
}

/* Everything behind the header; 1 if flash then holds it, and its sum. */
static int write_payload(uint32_t slot, el_record *r)
{
    el_region parts[EL_REGIONS_MAX];
    const uint32_t count = regions(parts);
    writer w = {.at = begin_of(slot) + PAYLOAD, .sum = 0xFFFFFFFFu, .good = 1};

    for (uint32_t i = 0; i < count; i++) {
        put(&w, parts[i].data, parts[i].bytes);
    }
    drain(&w);
    r->sum = w.sum;
    return w.good && sum_in_flash(slot, r->bytes) == w.sum;
}

/* Header and seal: from here on the record counts. */
static int commit(uint32_t slot, el_record *r)
{
    const uint32_t at = begin_of(slot);
    uint32_t seal[EL_RECORD_SEAL / 4];
    el_record written;

    r->check = check_of(r);
    if (!el_flash_program(at, r, sizeof *r) || !read_header(slot, &written) ||
        memcmp(&written, r, sizeof written) != 0) {
        return 0;
    }
    for (uint32_t i = 0; i < EL_RECORD_SEAL / 4; i++) {
        seal[i] = EL_STORE_ERASED ? 0 : 0xFFFFFFFFu;
    }
    return el_flash_program(at + (uint32_t)sizeof *r, seal, sizeof seal) && is_sealed(slot);
}

static uint8_t forget(void)
{
    uint8_t code = EL_DONE;
    el_record r;
    /* From the slot behind the latest on, so that the latest goes last: whoever is cut off has it still. */
    for (uint32_t i = 1; i <= el_persist.slots; i++) {
        const uint32_t slot = ((store.latest == NONE ? 0 : store.latest) + i) % el_persist.slots;
        if (read_header(slot, &r) && !el_flash_erase(slot * el_persist.slot_pages)) {
            code = EL_FAILED;
        } else {
            store.valid &= ~(1u << slot);
        }
    }
    look();
    return code;
}

/* By its bits, so that no compiler setting can reason the test away. */
static int is_finite(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

static uint8_t save(uint32_t held_out, float score)
{
    const el_run *run = &el_state_of_run;
    el_record r = {
        .magic = EL_RECORD_MAGIC,
        .version = EL_RECORD_VERSION,
        .sequence = el_persist_saved.saves + 1u,
        .bytes = payload_bytes(),
        .held_out = held_out,
        .score = score,
        .step = run->step,
        .samples = run->samples,
    };
    memcpy(r.hash, el_model.hash, sizeof r.hash);
    const uint32_t slot = next_slot();
    store.valid &= ~(1u << slot);
    const int good = erase_slot(slot) && write_payload(slot, &r) && commit(slot, &r);
    if (good) {
        store.valid |= 1u << slot;
        store.step = run->step;
        el_persist_saved.saves = r.sequence;
    }
    look();
    return good ? EL_DONE : EL_FAILED;
}

uint8_t el_persist_save(uint32_t what, float score)
{
    if (what > (EL_SAVE_HELD_OUT | EL_SAVE_FORGET)) {
        return EL_BAD_ARGUMENT;
    }
    if (what & EL_SAVE_FORGET) {
        return forget();
    }
    return is_finite(score) ? save(what & EL_SAVE_HELD_OUT, score) : save(0, el_state_of_run.mean_loss);
}

/* Reading */

/* A record into RAM; 0 if what came is not what was saved: RAM then holds rubbish. */
static int load(uint32_t slot)
{
    el_region parts[EL_REGIONS_MAX];
    const uint32_t count = regions(parts);
    uint32_t at = begin_of(slot) + PAYLOAD;
    uint32_t sum = 0xFFFFFFFFu;
    el_record r;

    if (!read_header(slot, &r) || !is_of_this_plan(&r)) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        el_flash_read(at, parts[i].data, parts[i].bytes);
        sum = el_crc32(sum, parts[i].data, parts[i].bytes);
        at += parts[i].bytes;
    }
    return sum == r.sum;
}

/* Whether a slot without a good header looks as if a save had been broken off or damaged. */
static int is_torn(uint32_t slot, const el_record *r)
{
    const uint32_t at = begin_of(slot);
    return r->magic == EL_RECORD_MAGIC ||
           (is_erased(at, sizeof *r) && !is_erased(at + PAYLOAD, EL_STORE_UNIT)); /* else nothing of ours */
}

/* Whether a slot holds a whole record of this plan, and what else there is to say of it. */
static int examine(uint32_t slot)
{
    el_record r;
    if (!read_header(slot, &r)) {
        el_persist_saved.flags |= is_torn(slot, &r) ? EL_WAS_DAMAGED : 0;
        return 0;
    }
    if (!is_of_this_plan(&r)) {
        el_persist_saved.flags |= EL_WAS_FOREIGN;
        return 0;
    }
    if (r.sequence > el_persist_saved.saves) { /* also that of a save which will not count */
        el_persist_saved.saves = r.sequence;
    }
    if (sum_in_flash(slot, r.bytes) != r.sum) {
        el_persist_saved.flags |= EL_WAS_DAMAGED;
        return 0;
    }
    return 1;
}

/* A record without a seal that had to be taken, as there was no other: once more, and with a seal. */
static void save_again(void)
{
    el_record r;
    if (!is_sealed(store.latest)) {
        const int good = read_header(store.latest, &r);
        (void)save(good ? r.held_out : 0, good ? r.score : el_state_of_run.mean_loss);
    }
}

void el_persist_boot(void)
{
    el_persist_saved = (el_saved){.flags = el_persist.flags};
    uint32_t whole = 0;
    store.valid = 0;
    for (uint32_t slot = 0; slot < el_persist.slots; slot++) {
        if (examine(slot)) {
            whole |= 1u << slot;
            store.valid |= is_sealed(slot) ? 1u << slot : 0;
        }
    }
    if (whole != store.valid) {
        el_persist_saved.flags |= EL_WAS_DAMAGED;
    }
    store.valid = store.valid != 0 ? store.valid : whole;
    look();
    while (store.latest != NONE && !load(store.latest)) { /* flash that reads differently the second time */
        el_persist_saved.flags |= EL_WAS_DAMAGED;
        store.valid &= ~(1u << store.latest);
        el_run_init();
        look();
    }
    store.step = el_state_of_run.step;
    if (store.latest != NONE) {
        el_persist_saved.flags |= EL_IS_RESTORED;
        save_again();
    }
}

uint8_t el_persist_restore(uint32_t which)
{
    const uint32_t slot = which == EL_LATEST ? store.latest : store.best;
    el_record r;
    if (which > EL_BEST) {
        return EL_BAD_ARGUMENT;
    }
    if (slot == NONE || !read_header(slot, &r) || sum_in_flash(slot, r.bytes) != r.sum) {
        return EL_FAILED;
    }
    if (!load(slot)) { /* flash that reads differently the second time */
        el_run_init();
        return EL_FAILED;
    }
    store.step = el_state_of_run.step;
    return EL_DONE;
}

void el_persist_updated(void)
{
    const uint32_t step = el_state_of_run.step;
    if (el_persist.every > 0 && step - store.step >= el_persist.every) {
        (void)el_persist_save(0, el_state_of_run.mean_loss);
        store.step = step; /* also where it failed: not again with every step */
    }
}
