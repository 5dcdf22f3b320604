/* RAM in the place of a flash that the board, or its emulator, does not have. It behaves as one: a program takes bits
   away from what an erase gave. */
#include "board.h"
#include "el/flash.h"

static volatile uint8_t *at_store(uint32_t at)
{
    return (volatile uint8_t *)EL_STORE_ORIGIN + at;
}

int el_flash_erase(uint32_t page)
{
    volatile uint8_t *bytes = at_store(page * EL_STORE_PAGE);
    for (uint32_t i = 0; i < EL_STORE_PAGE; i++) {
        bytes[i] = EL_STORE_ERASED;
    }
    return 1;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    volatile uint8_t *to = at_store(at);
    const uint8_t *bytes = from;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = EL_STORE_ERASED ? to[i] & bytes[i] : to[i] | bytes[i];
    }
    return 1;
}
