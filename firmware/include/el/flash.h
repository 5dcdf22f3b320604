/* What persistence asks of a flash driver. A driver is one or two C files named in a board's [store] and linked only
   into programs that save. It knows addresses from board.h: EL_STORE_ORIGIN, EL_STORE_PAGE (bytes), EL_STORE_PAGES,
   EL_STORE_UNIT (bytes) and EL_STORE_ERASED (0xFF where erased bits read as ones).

   Positions are bytes from the store's begin. What must hold, and all that is relied on:
   - an erase makes all bytes of one page EL_STORE_ERASED; other pages keep what they hold;
   - a unit is programmed once after its page was erased; other units keep what they hold;
   - when power fails the page or the unit at hand may hold anything, and may even read differently from one time to
     the next; nothing else changes;
   - functions return when the flash is done, and what is read then is what the flash holds, not what a cache has.
   A driver unlocks and locks its controller by itself. Where code runs from the flash that is being written and reads
   from it stall, that is all right; where they fault, the driver's functions belong into RAM. */
#ifndef EL_FLASH_H
#define EL_FLASH_H

#include <stdint.h>

enum { EL_FLASH_UNIT_MAX = 64 }; /* bytes: no board has a larger EL_STORE_UNIT */

/* Erase page `page`, below EL_STORE_PAGES. 1: erased; 0: the controller reports an error. */
int el_flash_erase(uint32_t page);

/* Program `count` bytes, a multiple of the unit, at `at`, a multiple of the unit, from words at `from`. 1: done; 0: the
   controller reports an error. */
int el_flash_program(uint32_t at, const void *from, uint32_t count);

/* Copy `count` bytes from `at` on. Where the flash is mapped into memory, hal/bare/flash_mapped.c is this function. */
void el_flash_read(uint32_t at, void *to, uint32_t count);

#endif
