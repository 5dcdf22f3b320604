/* Flash of STM32L4 (RM0351 3.3): pages of 2 KB, double words with an error correction of their own. The store is in the
   second bank, so that the program runs on in the first. */
#include "stm32/chip.h"
#include "stm32/flash.h"

enum { PROGRAM = 1 << 0, ERASE = 1 << 1, PAGE = 1 << 3, SECOND = 1 << 11, START = 1 << 16 }; /* FLASH_CR */
enum { ERRORS = 0xC3FA, BUSY = 1 << 16 };                                                    /* FLASH_SR */
enum { SECOND_BANK = EL_FLASH_ORIGIN + 0x80000 };

#define NOT_CORRECTABLE 0x80000000u /* FLASH_ECCR; cleared by writing it */

_Static_assert(EL_STORE_ORIGIN >= SECOND_BANK && EL_STORE_PAGE == 2048, "pages of the second bank");

const el_flash_controller el_flash = {
    .key = (volatile uint32_t *)(EL_FLASH_BASE + 0x08),
    .status = (volatile uint32_t *)(EL_FLASH_BASE + 0x10),
    .clear = (volatile uint32_t *)(EL_FLASH_BASE + 0x10),
    .control = (volatile uint32_t *)(EL_FLASH_BASE + 0x14),
    .busy = BUSY,
    .errors = ERRORS,
    .locked = 0x80000000u,
    .program = PROGRAM,
    .erase = ERASE | SECOND | (EL_STORE_ORIGIN - SECOND_BANK) / EL_STORE_PAGE * PAGE,
    .page = PAGE,
    .start = START,
};

/* A double word whose programming was cut may have two wrong bits; to read it is an NMI. The reader goes on with what
   it got, and finds by its CRC that it is worth nothing. */
void el_nmi(void);
void el_nmi(void)
{
    volatile uint32_t *const correction = (volatile uint32_t *)(EL_FLASH_BASE + 0x18);
    if ((*correction & NOT_CORRECTABLE) == 0) {
        el_fault();
    }
    *correction |= NOT_CORRECTABLE;
}
