/* A flash that loses power: persistence over a simulated flash whose every operation is cut, in every way, in each of
   several saves, and again while the board recovers. The program is built for one geometry (board.h, el_persist) and
   prints how many cases it went through; the first one that goes wrong ends it with a sentence and exit code 1. */
#include "cut_flash.h"
#include "el/hal.h"
#include "el/persist.h"

enum { PARAMS = 37, STATE = 19, REPLAY = 11, KEPT = 5, SAVES = 4 };

/* A model whose weights, state and all the rest follow from the number of its steps. */

static uint32_t params[PARAMS], state[STATE], replay[REPLAY], kept[KEPT];
static const el_extras extras = {.kept = {kept, sizeof kept}};
const el_model_info el_model = {
    .hash = {1, 2, 3, 4, 5, 6, 7, 8},
    .params = {params, sizeof params},
    .state = {state, sizeof state},
    .replay = {replay, sizeof replay},
    .extras = &extras,
};
el_run el_state_of_run;

static const el_region *const memory[] = {&el_model.params, &el_model.state, &el_model.replay, &extras.kept};

static void step(void)
{
    for (uint32_t m = 0; m < 4; m++) {
        uint32_t *words = memory[m]->data;
        for (uint32_t i = 0; i < memory[m]->bytes / 4; i++) {
            words[i] = words[i] * 2654435761u + i + m + 1;
        }
    }
    el_state_of_run.step++;
    el_state_of_run.samples += 3;
    el_state_of_run.optim.bias1 = 0.5f * el_state_of_run.optim.bias1 + 0.5f;
    /* Goes up and down, so that the best is not the latest. */
    el_state_of_run.mean_loss = (float)((el_state_of_run.step * 7u) % 11u) + 1.0f;
}

void el_run_init(void)
{
    memset(&el_state_of_run, 0, sizeof el_state_of_run);
    for (uint32_t m = 0; m < 4; m++) {
        memset(memory[m]->data, 0, memory[m]->bytes);
    }
}

/* RAM as so many steps make it; what a restored board is compared with. */
static int is_step(uint32_t wanted)
{
    static uint8_t image[4][sizeof params];
    const el_run run = el_state_of_run;
    int same;
    if (wanted > 5 * SAVES) {
        return 0;
    }
    for (uint32_t m = 0; m < 4; m++) {
        memcpy(image[m], memory[m]->data, memory[m]->bytes);
    }
    el_run_init();
    while (el_state_of_run.step < wanted) {
        step();
    }
    same = memcmp(&run, &el_state_of_run, sizeof run) == 0;
    for (uint32_t m = 0; m < 4; m++) {
        if (m != 2 || el_persist.replay) {
            same = same && memcmp(image[m], memory[m]->data, memory[m]->bytes) == 0;
        }
        memcpy(memory[m]->data, image[m], memory[m]->bytes);
    }
    el_state_of_run = run;
    return same;
}

uint32_t el_hal_read(uint8_t *to, uint32_t max)
{
    (void)to;
    (void)max;
    fail("there is no link");
    return 0;
}

void el_hal_write(const uint8_t *from, uint32_t count)
{
    (void)from;
    (void)count;
    fail("there is no link");
}

static void boot(void)
{
    el_run_init();
    for (uint32_t m = 0; m < 4; m++) { /* what main() does not bring back must not be there by luck */
        memset(memory[m]->data, 0xA5, memory[m]->bytes);
    }
    el_run_init();
    el_persist_boot();
    if (!is_step(el_state_of_run.step)) {
        fail("the board boots with something that is no state of the run");
    }
}

static float loss_at(uint32_t steps)
{
    return (float)((steps * 7u) % 11u) + 1.0f;
}

/* The steps of the saves so far, and which the best of them is; step 0 is the state as built. */
typedef struct {
    uint32_t latest;
    uint32_t best;
} history;

static history after(history h, uint32_t saved)
{
    const int better = h.best == 0 || loss_at(saved) <= loss_at(h.best);
    return (history){saved, better ? saved : h.best};
}

/* After a cut the board has the old or the new, whole, and so has its best. Gives which. */
static int check(history old, history new)
{
    boot();
    const uint32_t is = el_state_of_run.step;
    if (is != old.latest && is != new.latest) {
        fail("the board boots with neither the old nor the new state");
    }
    if (el_persist_saved.step != is || ((el_persist_saved.flags & EL_IS_RESTORED) != 0) != (is != 0)) {
        fail("what the board says of its store is not so");
    }
    const history now = is == new.latest ? new : old;
    if (el_persist.slots > 2 && now.best != 0) {
        if (el_persist_restore(EL_BEST) != EL_DONE || el_state_of_run.step != now.best || !is_step(now.best)) {
            fail("the best is gone");
        }
        if (el_persist_restore(EL_LATEST) != EL_DONE || el_state_of_run.step != is || !is_step(is)) {
            fail("the latest is gone");
        }
    }
    return is == new.latest;
}

/* Train a little and save, and before that, where it is `fresh`, boot; 1 if the power held. */
static int train_and_save(int cut, int fresh)
{
    left = cut;
    if (setjmp(dark) != 0) {
        left = NEVER;
        return 0;
    }
    if (fresh) {
        boot();
    }
    step();
    if (el_persist_save(0, el_state_of_run.mean_loss) != EL_DONE) {
        fail("a save fails although the flash does not");
    }
    left = NEVER;
    return 1;
}

/* Power fails at operation `second` of the save after the first cut; a save without a cut ends it. */
static void recover(history old, history new, int second, int strict)
{
    const chip torn = now_in;
    history now = check(old, new) ? new : old;
    const history then = after(now, now.latest + 1);
    now_in = torn;
    if (!train_and_save(second, 1)) {
        cases++;
        if (strict) {
            now = check(now, then) ? then : now;
        } else { /* a cell that reads as it likes may take a save back, but what there is is whole */
            boot();
            now = (history){el_state_of_run.step, 0};
            if (now.latest == 0 && old.latest != 0) {
                fail("nothing is left");
            }
        }
    } else {
        now = then;
    }
    (void)train_and_save(NEVER, 0);
    const uint32_t steps = el_state_of_run.step;
    boot();
    if (el_state_of_run.step != steps) {
        fail("a save after the cut is not there");
    }
}

/* Cells that lose what they held: whichever bit of the latest save it is, the one before it is taken, and both damaged
   leave the board as built. Another plan's saves are no saves. */
static void rot(uint32_t latest)
{
    const chip good = now_in;
    const uint32_t slot = EL_STORE_PAGE * el_persist.slot_pages;
    const uint32_t all = (uint32_t)(sizeof el_state_of_run + sizeof params + sizeof state + sizeof kept) +
                         (el_persist.replay ? (uint32_t)sizeof replay : 0);
    uint32_t begin = 0;
    el_record r;
    for (uint32_t at = 0; at < FLASH; at += slot) {
        memcpy(&r, flash + at, sizeof r);
        begin = r.magic == EL_RECORD_MAGIC && r.step == latest ? at : begin;
    }
    for (uint32_t i = 0; i < sizeof r + all; i++) {
        const uint32_t at = begin + i + (i < sizeof r ? 0 : EL_RECORD_SEAL);
        now_in = good;
        flash[at] ^= (uint8_t)(1u << roll() % 8u);
        boot();
        cases++;
        if (el_state_of_run.step != latest - 1) {
            fail("a damaged save is taken, or the one before it is not");
        }
        if ((el_persist_saved.flags & EL_WAS_DAMAGED) == 0 && i >= sizeof r.magic) {
            fail("damage goes unnoticed");
        }
    }
    now_in = good;
    for (uint32_t at = 0; at < FLASH; at += slot) {
        flash[at + EL_RECORD_SEAL + sizeof r + all - 1] ^= 0x10;
    }
    boot();
    if (el_state_of_run.step != 0 || (el_persist_saved.flags & EL_IS_RESTORED) != 0) {
        fail("a damaged save is taken");
    }
    now_in = good;
    for (uint32_t at = 0; at < FLASH; at += slot) {
        memcpy(&r, flash + at, sizeof r);
        r.hash[3] ^= 1;
        r.check = el_crc32(0xFFFFFFFFu, (const uint8_t *)&r, sizeof r - sizeof r.check);
        memcpy(flash + at, &r, sizeof r);
    }
    boot();
    if (el_state_of_run.step != 0 || (el_persist_saved.flags & EL_WAS_FOREIGN) == 0) {
        fail("another plan's save is taken");
    }
    if (!train_and_save(NEVER, 0)) {
        fail("there is no room beside another plan's saves");
    }
    now_in = good;
    boot();
    if (el_persist_save(EL_SAVE_FORGET, 0.0f) != EL_DONE || el_persist_restore(EL_BEST) != EL_FAILED) {
        fail("what should be forgotten is not");
    }
    boot();
    if (el_state_of_run.step != 0) {
        fail("what was forgotten comes back");
    }
    now_in = good;
}

/* Slots take turns: with the best in one of them for good, the others share the saves. */
static void wear(void)
{
    const uint32_t turns = el_persist.slots > 2 ? el_persist.slots - 1 : el_persist.slots;
    const uint32_t saves = 20 * turns;
    if (el_persist_save(EL_SAVE_HELD_OUT, 0.5f) != EL_DONE) {
        fail("a save fails although the flash does not");
    }
    memset(erases, 0, sizeof erases);
    for (uint32_t i = 0; i < saves; i++) {
        (void)train_and_save(NEVER, 0);
    }
    for (uint32_t page = 0; page < EL_STORE_PAGES; page++) {
        if (erases[page] > saves / turns) {
            fail("a page is erased more often than its turn comes");
        }
    }
}

int main(void)
{
    static chip before, torn;
    history now = {0, 0};
    left = NEVER;
    memset(flash, EL_STORE_ERASED, FLASH);
    boot();
    if (el_persist_saved.flags != el_persist.flags || el_persist_restore(EL_LATEST) != EL_FAILED) {
        fail("an empty flash is not empty");
    }
    for (int save = 0; save < SAVES; save++) {
        const history next = after(now, now.latest + 1);
        before = now_in;
        operations = 0;
        (void)train_and_save(NEVER, 0);
        const int count = (int)operations;
        for (int first = 0; first < count; first++) {
            for (mode = 0; mode < MODES; mode++) {
                const int how = mode;
                now_in = before;
                boot();
                if (train_and_save(first, 0)) {
                    fail("the power held");
                }
                cases++;
                torn = now_in;
                const int strict = how < UNSTABLE_FEW;
                const int step_by = count / 4 + 1;
                for (int second = (int)(roll() % (uint32_t)step_by); second < count + step_by; second += step_by) {
                    mode = strict ? (int)(roll() % UNSTABLE_FEW) : how;
                    recover(now, next, second < count ? second : NEVER, strict);
                    now_in = torn;
                    mode = how;
                }
            }
        }
        now_in = before;
        boot();
        (void)train_and_save(NEVER, 0);
        now = check(now, next) ? next : now;
        if (now.latest != next.latest) {
            fail("a save is not there");
        }
    }
    rot(now.latest);
    wear();
    printf("%lu\n", cases);
    return 0;
}
