/* Erases and programs the SPI flash that the program runs from (IS25LP032), by the FE310's first SPI controller
   (manual, chapter 19). While a command is under way the flash can't be read, so its code is copied to the stack, and
   no interrupt may come. The flash has no error bits: what it holds afterwards tells whether a command was obeyed. */
#include "sifive/flash.h"

#include "el/flash.h"
#include "sifive/chip.h"

void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count);

enum { ERASE = 0x20, PROGRAM = 0x02 }; /* 4 KB; up to the end of 256 bytes */
enum { HEAD = 4 };                     /* a command and its address */
enum { MAPPED = 0x20000000 };          /* where the flash's first byte is read */
enum { MSTATUS_MIE = 1 << 3 };

/* Cycles of a look at the status, at least: 16 bits, each of 8 cycles of the core. An erase takes up to 0.3 s, and what
   is not done after a second will never be. */
enum { LOOK = 128 };

_Static_assert(EL_STORE_PAGE == 4096 && 256 % EL_STORE_UNIT == 0, "what the commands erase and program");

/* flash.S: sends `count` bytes, a command with its address and its data, behind the command that allows it to write,
   and returns when the flash is ready again: 1; or 0 after `looks` at its status, or where the controller does not
   answer. To be called where it was copied to, with interrupts off. */
typedef int allowed_command(volatile uint32_t *spi, const uint8_t *bytes, uint32_t count, uint32_t looks);
extern const uint32_t el_flash_code[EL_FLASH_CODE_BYTES / 4];

/* What has to be in RAM. */
typedef struct {
    uint32_t code[EL_FLASH_CODE_BYTES / 4];
    uint8_t bytes[HEAD + EL_STORE_UNIT];
} command;

static void prepare(command *c)
{
    memcpy(c->code, el_flash_code, sizeof c->code);
    __asm volatile("fence.i" ::"r"(c) : "memory");
}

/* Carry out a command with `count` bytes of data, which are in place. */
static int carry_out(command *c, uint8_t code, uint32_t at, uint32_t count)
{
    const uint32_t address = EL_STORE_ORIGIN - MAPPED + at;
    uint32_t status;
    c->bytes[0] = code;
    c->bytes[1] = (uint8_t)(address >> 16);
    c->bytes[2] = (uint8_t)(address >> 8);
    c->bytes[3] = (uint8_t)address;
    __asm volatile("csrrc %0, mstatus, %1" : "=r"(status) : "r"(MSTATUS_MIE) : "memory");
    const int done = ((allowed_command *)(uintptr_t)c->code)(el_register(EL_FLASH_SPI_BASE), c->bytes, HEAD + count,
                                                             el_core_hz() / LOOK);
    __asm volatile("csrs mstatus, %0" ::"r"(status & MSTATUS_MIE) : "memory");
    return done;
}

int el_flash_erase(uint32_t page)
{
    const volatile uint32_t *const words = el_register(EL_STORE_ORIGIN + page * EL_STORE_PAGE);
    command c;
    prepare(&c);
    int done = carry_out(&c, ERASE, page * EL_STORE_PAGE, 0);
    for (uint32_t i = 0; done && i < EL_STORE_PAGE / 4; i++) {
        done = words[i] == 0xFFFFFFFFu;
    }
    return done;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;
    int done = 1;
    command c;
    prepare(&c);
    for (uint32_t end = at + count; done && at < end; at += EL_STORE_UNIT) {
        memcpy(c.bytes + HEAD, bytes, EL_STORE_UNIT);
        done = carry_out(&c, PROGRAM, at, EL_STORE_UNIT);
        for (uint32_t i = 0; done && i < EL_STORE_UNIT; i++) {
            done = ((const volatile uint8_t *)EL_STORE_ORIGIN)[at + i] == bytes[i];
        }
        bytes += EL_STORE_UNIT;
    }
    return done;
}
