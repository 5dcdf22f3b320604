// Flash chips that are programmed a page of 256 bytes at a time, by functions of an Arduino core that want what they
// write in RAM, as nothing can be read from the flash meanwhile.
#ifndef EL_FLASH_PAGES_H
#define EL_FLASH_PAGES_H

#include <Arduino.h>

static const uint32_t EL_FLASH_PAGE = 256;

// write(start, page, begin, count): the page that starts there, from RAM; what is to be written are `count` bytes at
// `begin` in it, and the rest is as erased.
template <typename Write> static void el_flash_pages(uint32_t at, const void *from, uint32_t count, Write write)
{
    const uint8_t *bytes = static_cast<const uint8_t *>(from);
    uint8_t page[EL_FLASH_PAGE];

    while (count > 0) {
        const uint32_t begin = at % EL_FLASH_PAGE;
        const uint32_t room = EL_FLASH_PAGE - begin;
        const uint32_t part = count < room ? count : room;
        memset(page, 0xFF, sizeof page);
        memcpy(page + begin, bytes, part);
        write(at - begin, page, begin, part);
        at += part;
        bytes += part;
        count -= part;
    }
}

#endif
