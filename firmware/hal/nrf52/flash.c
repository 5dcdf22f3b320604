/* Flash of the nRF52840 (product specification 1.1, 4.3): pages of 4 KB, words. The core stands still while the flash
   that its next instruction is in is at work. A SoftDevice that is on keeps these registers to itself; the program
   here does not turn it on. */
#include "el/flash.h"
#include "bare/silicon.h"
#include "board.h"

enum { READY = 0x400, CONFIG = 0x504, ERASE_PAGE = 0x508 };
enum { READ_ONLY = 0, WRITE = 1, ERASE = 2 }; /* CONFIG */
enum { LOOKS = 20000000 };                    /* over a second; an erase takes 87 ms, and code in a cache runs on */

static volatile uint32_t *controller(uint32_t offset)
{
    return el_register(EL_NVMC_BASE + offset);
}

static int is_ready(void)
{
    for (uint32_t look = 0; look < LOOKS; look++) {
        if ((*controller(READY) & 1u) != 0) {
            return 1;
        }
    }
    return 0;
}

/* From one thing that is allowed to the next. 1: the flash had got ready before. */
static int allow(uint32_t what)
{
    const int ready = is_ready();
    *controller(CONFIG) = what;
    __asm volatile("dsb" ::: "memory");
    return ready;
}

int el_flash_erase(uint32_t page)
{
    int done = allow(ERASE);
    if (done) {
        *controller(ERASE_PAGE) = EL_STORE_ORIGIN + page * EL_STORE_PAGE;
    }
    return allow(READ_ONLY) && done;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint32_t *const words = from;
    volatile uint32_t *const to = el_register(EL_STORE_ORIGIN + at);
    int done = allow(WRITE);
    for (uint32_t i = 0; done && i < count / 4; i++) {
        to[i] = words[i];
        done = is_ready();
    }
    return allow(READ_ONLY) && done;
}
