/* Flash of STM32F4 and F7 (RM0090 3.6, RM0390 3.5, RM0410 3.3): sectors, words of 32 bits. There is one bank: the core
   stands still from the start of an erase to its end, as its next instruction is in there too. */
#include "stm32/chip.h"
#include "stm32/flash.h"

enum { PROGRAM = 1 << 0, ERASE = 1 << 1, SECTOR = 1 << 3, BY_32 = 2 << 8, START = 1 << 16 }; /* FLASH_CR */
enum { ERRORS = 0x1F2, BUSY = 1 << 16 };                                                     /* FLASH_SR */

const el_flash_controller el_flash = {
    .key = (volatile uint32_t *)(EL_FLASH_BASE + 0x04),
    .status = (volatile uint32_t *)(EL_FLASH_BASE + 0x0C),
    .clear = (volatile uint32_t *)(EL_FLASH_BASE + 0x0C),
    .control = (volatile uint32_t *)(EL_FLASH_BASE + 0x10),
    .busy = BUSY,
    .errors = ERRORS,
    .locked = 0x80000000u,
    .program = BY_32 | PROGRAM,
    .erase = BY_32 | ERASE | EL_STORE_SECTOR * SECTOR,
    .page = SECTOR,
    .start = START,
};
