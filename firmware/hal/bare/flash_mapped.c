/* Reads a flash that is mapped into memory. */
#include "board.h"
#include "el/flash.h"

void el_flash_read(uint32_t at, void *to, uint32_t count)
{
    const volatile uint8_t *from = (const volatile uint8_t *)EL_STORE_ORIGIN + at;
    uint8_t *bytes = to;
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = from[i];
    }
}
