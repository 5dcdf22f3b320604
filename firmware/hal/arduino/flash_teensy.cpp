// Flash of Teensy 4.x, by functions that its core has for the emulated EEPROM and for LittleFS. They run from RAM, with
// interrupts off, wait for the flash, and drop what the cache has of it. No header declares them.
#include <Arduino.h>

extern "C" {
#include "el/flash.h"
}

#include "arduino/flash_pages.h"
#include "board.h"

extern "C" {

void eepromemu_flash_write(void *addr, const void *data, uint32_t len);
void eepromemu_flash_erase_sector(void *addr);

static_assert(EL_STORE_PAGE == 4096, "a sector");

// The core's functions know of no errors: who reads finds them.
int el_flash_erase(uint32_t page)
{
    eepromemu_flash_erase_sector(reinterpret_cast<void *>(EL_STORE_ORIGIN + page * EL_STORE_PAGE));
    return 1;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    el_flash_pages(EL_STORE_ORIGIN + at, from, count,
                   [](uint32_t start, const uint8_t *page, uint32_t begin, uint32_t part) {
                       eepromemu_flash_write(reinterpret_cast<void *>(start + begin), page + begin, part);
                   });
    return 1;
}
}
