/* Flash of STM32H7 (RM0433 4.3): sectors of 128 KB, flash words of 256 bits with an error correction of their own. The
   store is in the second bank, so that the program runs on in the first. */
#include "el/flash.h"
#include "stm32/chip.h"
#include "stm32/flash.h"

enum { LOCKED = 1 << 0, PROGRAM = 1 << 1, ERASE = 1 << 2, BY_64 = 3 << 4, START = 1 << 7, SECTOR = 1 << 8 }; /* CR2 */
enum { ERRORS = 0x7EE0000, BUSY = 7 }; /* SR2; busy: at work, or with something in its buffer or queue */
enum { SECOND_BANK = EL_FLASH_ORIGIN + 0x100000 };
enum { FORGIVE = 1 << 8 }; /* CCR.BFHFNMIGN: with FAULTMASK set a load that goes wrong is no fault */

_Static_assert(EL_STORE_ORIGIN >= SECOND_BANK && EL_STORE_PAGE == 0x20000, "sectors of the second bank");

const el_flash_controller el_flash = {
    .key = (volatile uint32_t *)(EL_FLASH_BASE + 0x104),
    .control = (volatile uint32_t *)(EL_FLASH_BASE + 0x10C),
    .status = (volatile uint32_t *)(EL_FLASH_BASE + 0x110),
    .clear = (volatile uint32_t *)(EL_FLASH_BASE + 0x114),
    .busy = BUSY,
    .errors = ERRORS,
    .locked = LOCKED,
    .program = BY_64 | PROGRAM,
    .erase = BY_64 | ERASE | (EL_STORE_ORIGIN - SECOND_BANK) / EL_STORE_PAGE * SECTOR,
    .page = SECTOR,
    .start = START,
};

static void set_forgiving(uint32_t bits)
{
    volatile uint32_t *const control = el_register(0xE000ED14u);
    __asm volatile("dsb" ::: "memory");
    *control = (*control & ~(uint32_t)FORGIVE) | bits;
    __asm volatile("dsb\n\tisb" ::: "memory");
}

/* A flash word whose programming was cut may have two wrong bits; to read it is a bus fault, but not here. The reader
   goes on with what it got, and finds by its CRC that it is worth nothing. */
void el_flash_read(uint32_t at, void *to, uint32_t count)
{
    const volatile uint8_t *const from = (const volatile uint8_t *)el_register(EL_STORE_ORIGIN + at);
    uint8_t *bytes = to;

    __asm volatile("cpsid f" ::: "memory");
    set_forgiving(FORGIVE);
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = from[i];
    }
    set_forgiving(0);
    __asm volatile("cpsie f" ::: "memory");
    *el_flash.clear = ERRORS;
}
