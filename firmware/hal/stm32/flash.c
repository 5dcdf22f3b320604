/* Erases and programs the flash of an STM32. Each time it is unlocked, used, and locked again. */
#include "stm32/flash.h"

#include "el/flash.h"
#include "stm32/chip.h"

#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu
#define LOOKS 0x10000000u /* 5 s at any clock; the slowest erase takes 4, and there the core stands still meanwhile */

static int is_done(void)
{
    for (uint32_t look = 0; look < LOOKS; look++) {
        const uint32_t status = *el_flash.status;
        if ((status & el_flash.busy) == 0) {
            return (status & el_flash.errors) == 0;
        }
    }
    return 0;
}

/* An error may be left from reset or a cut program, and forbids to go on until it is cleared. */
static int begin(uint32_t control)
{
    if ((*el_flash.control & el_flash.locked) != 0) { /* keys where none is wanted lock it up until the next reset */
        *el_flash.key = KEY_1;
        *el_flash.key = KEY_2;
    }
    *el_flash.clear = el_flash.errors;
    if (!is_done()) {
        return 0;
    }
    *el_flash.control = control;
    return 1;
}

static int end(int done, uint32_t at, uint32_t count)
{
    *el_flash.control = el_flash.locked;
    el_cache_forget(EL_STORE_ORIGIN + at, count);
    return done;
}

static void wait_for_writes(void)
{
    __asm volatile("dsb" ::: "memory");
}

int el_flash_erase(uint32_t page)
{
    const uint32_t control = el_flash.erase + page * el_flash.page;
    int done = begin(control);
    if (done) {
        *el_flash.control = control | el_flash.start;
        wait_for_writes();
        done = is_done();
    }
    return end(done, page * EL_STORE_PAGE, EL_STORE_PAGE);
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint32_t *words = from;
    volatile uint32_t *const to = el_register(EL_STORE_ORIGIN + at);
    int done = begin(el_flash.program);
    for (uint32_t i = 0; done && i < count / 4;) {
        for (const uint32_t unit = i + EL_STORE_UNIT / 4; i < unit; i++) {
            to[i] = words[i];
        }
        wait_for_writes();
        done = is_done();
    }
    return end(done, at, count);
}
