/* The end of a program that may run on silicon: there the watchdog starts the chip over. An emulator is left with an
   exit code. */
#include "bare/semihost.h"
#include "el/hal.h"
#include "sifive/chip.h"

enum { CONFIG = 0x00, KEY = 0x1C, COMPARE = 0x20 }; /* of the watchdog in the always-on block */
enum { ALWAYS = 1 << 12, RESETS = 1 << 8 };         /* CONFIG */

static void write_unlocked(uint32_t offset, uint32_t value)
{
    *el_register(EL_AON_BASE + KEY) = 0x51F15Eu;
    *el_register(EL_AON_BASE + offset) = value;
}

_Noreturn void el_hal_exit(int code)
{
    const uint32_t block[2] = {EL_APPLICATION_EXIT, (uint32_t)code};

    el_uart_drain();
    for (;;) {
        if (el_has_cycles()) {
            write_unlocked(COMPARE, 1);
            write_unlocked(CONFIG, ALWAYS | RESETS);
        } else {
            (void)el_semihost(EL_SYS_EXIT_EXTENDED, block);
        }
    }
}
