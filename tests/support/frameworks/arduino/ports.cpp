// The functions of arduino-pico and of Teensy's core that flash drivers call,
// as calls that leave the program.
#include <Arduino.h>

extern "C" {
#include <hardware/flash.h>
}

#include "../ports.h"

static uint32_t address(const void *of)
{
    return (uint32_t)(uintptr_t)of;
}

RP2040 rp2040;

void RP2040::idleOtherCore()
{
    ports_ask(PORTS_OTHER_CORE_IDLES, 0, 0, 0);
}

void RP2040::resumeOtherCore()
{
    ports_ask(PORTS_OTHER_CORE_RUNS, 0, 0, 0);
}

void noInterrupts()
{
    ports_ask(PORTS_INTERRUPTS_OFF, 0, 0, 0);
}

void interrupts()
{
    ports_ask(PORTS_INTERRUPTS_ON, 0, 0, 0);
}

extern "C" {

void flash_range_erase(uint32_t flash_offs, size_t count)
{
    ports_ask(PORTS_ERASE, flash_offs, (uint32_t)count, 0);
}

void flash_range_program(uint32_t flash_offs, const uint8_t *data, size_t count)
{
    ports_ask(PORTS_PROGRAM, flash_offs, (uint32_t)count, address(data));
}

void eepromemu_flash_erase_sector(void *addr);
void eepromemu_flash_write(void *addr, const void *data, uint32_t len);

void eepromemu_flash_erase_sector(void *addr)
{
    ports_ask(PORTS_ERASE, address(addr), 4096, 0);
}

void eepromemu_flash_write(void *addr, const void *data, uint32_t len)
{
    ports_ask(PORTS_PROGRAM, address(addr), len, address(data));
}

void *memcpy(void *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static_cast<volatile uint8_t *>(to)[i] = static_cast<const uint8_t *>(from)[i];
    }
    return to;
}

void *memset(void *to, int byte, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static_cast<volatile uint8_t *>(to)[i] = (uint8_t)byte;
    }
    return to;
}
}
