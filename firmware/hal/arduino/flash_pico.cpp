// Flash of Pico and Pico 2 under arduino-pico, by the Pico SDK's functions. Code runs from that flash: nobody may fetch
// from it meanwhile, no interrupt and not the other core.
#include <Arduino.h>

extern "C" {
#include <hardware/flash.h>

#include "el/flash.h"
}

#include "arduino/flash_pages.h"
#include "board.h"

static_assert(EL_STORE_PAGE % FLASH_SECTOR_SIZE == 0, "whole sectors");

namespace
{
const uint32_t OFFSET = EL_STORE_ORIGIN - XIP_BASE; // of the store in the flash

class Alone
{
  public:
    Alone()
    {
        noInterrupts();
        rp2040.idleOtherCore();
    }
    ~Alone()
    {
        rp2040.resumeOtherCore();
        interrupts();
    }
};
} // namespace

extern "C" {

// The SDK's functions wait for the flash and know of no errors: who reads finds them.
int el_flash_erase(uint32_t page)
{
    const Alone alone;
    flash_range_erase(OFFSET + page * EL_STORE_PAGE, EL_STORE_PAGE);
    return 1;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    el_flash_pages(OFFSET + at, from, count, [](uint32_t start, const uint8_t *page, uint32_t, uint32_t) {
        const Alone alone;
        flash_range_program(start, page, FLASH_PAGE_SIZE);
    });
    return 1;
}
}
