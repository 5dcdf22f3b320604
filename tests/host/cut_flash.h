/* A flash of board.h's geometry that is cut off in the middle of an operation, and remembers what that does to a chip:
   `left` operations go well, then `mode` says how the next one ends, and the program goes on at `dark`. Whatever is not
   allowed of a driver's user ends the program with a sentence and exit code 1. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "el/flash.h"

enum { FLASH = EL_STORE_PAGE * EL_STORE_PAGES, NEVER = 1 << 30 };

/* How the operation at hand ends when power fails: as if it had not begun, as if it had been finished, up to some byte,
   with some of its bits, or so that bits read one way or the other from now on. */
enum { NOTHING, ALL, PREFIX, BITS, UNSTABLE_FEW, UNSTABLE_MANY, UNSTABLE_ONE, MODES };

/* The chip. */
typedef struct {
    uint8_t bytes[FLASH];
    uint8_t used[FLASH]; /* whether a byte was programmed since its page was erased */
    uint32_t at;         /* where bits are unstable, and what they are on their way from and to */
    uint32_t count;
    uint32_t odds; /* of 1024, that one reads as if the operation had been finished */
    uint8_t before[EL_STORE_PAGE];
    uint8_t after[EL_STORE_PAGE];
} chip;

static chip now_in;
static uint32_t erases[EL_STORE_PAGES];
static uint8_t *const flash = now_in.bytes;

static jmp_buf dark;
static int left; /* operations until the power fails */
static int mode;
static uint32_t operations;
static unsigned long cases;
static uint32_t dice = 1;

static uint32_t roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice;
}

static void fail(const char *what)
{
    printf("case %lu: %s\n", cases, what);
    exit(1);
}

static uint8_t mix(uint8_t before, uint8_t after, uint32_t odds)
{
    uint8_t out = 0;
    for (uint32_t bit = 0; bit < 8; bit++) {
        out = (uint8_t)(out | ((roll() % 1024 < odds ? after : before) & 1u << bit));
    }
    return out;
}

/* What is left of an operation on `count` bytes at `at` that should have made them `after`. */
static void tear(uint32_t at, const uint8_t *after, uint32_t count)
{
    const uint32_t end = mode == NOTHING ? 0 : mode == PREFIX ? roll() % (count + 1) : count;
    for (uint32_t i = 0; i < now_in.count; i++) { /* what had been unstable settles one way or the other */
        flash[now_in.at + i] = mix(now_in.before[i], now_in.after[i], now_in.odds);
    }
    now_in.count = 0;
    if (mode >= UNSTABLE_FEW) {
        now_in.at = at;
        now_in.count = count;
        memcpy(now_in.before, flash + at, count);
        memcpy(now_in.after, after, count);
        now_in.odds = mode == UNSTABLE_FEW ? 50 : mode == UNSTABLE_MANY ? 970 : 1024;
        if (mode == UNSTABLE_ONE) { /* all is done, but for one bit that can't decide */
            now_in.at = at + roll() % count;
            now_in.count = 1;
            now_in.after[0] = after[now_in.at - at];
            now_in.before[0] = (uint8_t)(now_in.after[0] ^ 1u << roll() % 8u);
            now_in.odds = 512;
            memcpy(flash + at, after, count);
        }
        return;
    }
    for (uint32_t i = 0; i < end; i++) {
        flash[at + i] = mode == BITS ? mix(flash[at + i], after[i], 512) : after[i];
    }
}

/* One operation; whatever it touches is stable again. */
static void operate(uint32_t at, const uint8_t *after, uint32_t count)
{
    operations++;
    if (left-- == 0) {
        tear(at, after, count);
        longjmp(dark, 1);
    }
    memcpy(flash + at, after, count);
    if (now_in.count > 0 && now_in.at >= at && now_in.at < at + count) {
        now_in.count = 0;
    }
}

int el_flash_erase(uint32_t page)
{
    uint8_t blank[EL_STORE_PAGE];
    if (page >= EL_STORE_PAGES) {
        fail("a page that is not there is erased");
    }
    memset(blank, EL_STORE_ERASED, sizeof blank);
    erases[page]++;
    memset(now_in.used + page * EL_STORE_PAGE, 0, EL_STORE_PAGE);
    operate(page * EL_STORE_PAGE, blank, EL_STORE_PAGE);
    return 1;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;
    if (at % EL_STORE_UNIT != 0 || count % EL_STORE_UNIT != 0 || at > FLASH || count > FLASH - at) {
        fail("what is programmed is not whole units of the store");
    }
    for (uint32_t i = 0; i < count; i += EL_STORE_UNIT) {
        uint8_t after[EL_STORE_UNIT];
        uint8_t *used = now_in.used + at + i;
        for (uint32_t k = 0; k < EL_STORE_UNIT; k++) {
            if (used[k]) {
                fail("a unit is programmed twice");
            }
            used[k] = 1;
            /* A program takes bits away from what an erase gave; it can't bring them back. */
            const uint8_t is = flash[at + i + k];
            after[k] = EL_STORE_ERASED ? is & bytes[i + k] : is | bytes[i + k];
        }
        operate(at + i, after, EL_STORE_UNIT);
    }
    return 1;
}

void el_flash_read(uint32_t at, void *to, uint32_t count)
{
    uint8_t *bytes = to;
    if (at > FLASH || count > FLASH - at) {
        fail("a read leaves the store");
    }
    memcpy(bytes, flash + at, count);
    for (uint32_t i = 0; i < now_in.count; i++) {
        const uint32_t place = now_in.at + i;
        if (place >= at && place < at + count) {
            bytes[place - at] = mix(now_in.before[i], now_in.after[i], now_in.odds);
        }
    }
}
