/* Two 16-bit NOR flashes side by side with Intel's command set, as on the virt machine: each command goes to both, and
   a word is programmed at once. */
#include "board.h"
#include "el/flash.h"

enum { BLOCK_ERASE = 0x20, CONFIRM = 0xD0, PROGRAM = 0x40, CLEAR_STATUS = 0x50, READ_ARRAY = 0xFF };
enum { READY = 0x80, TROUBLE = 0x7A }; /* bits of the status: erase, program, voltage, suspend and protection */
enum { PATIENCE = 100000000 };         /* readings of the status */

static volatile uint32_t *word_at(uint32_t at)
{
    return (volatile uint32_t *)(EL_STORE_ORIGIN + at);
}

static void command(volatile uint32_t *where, uint32_t code)
{
    *where = code << 16 | code;
}

/* Until both are ready; back to reading. 1: without trouble. */
static int finish(volatile uint32_t *where)
{
    uint32_t status = 0;
    for (uint32_t i = 0; i < PATIENCE && (status & (READY << 16 | READY)) != (READY << 16 | READY); i++) {
        status = *where;
    }
    command(where, CLEAR_STATUS);
    command(where, READ_ARRAY);
    return (status & (READY << 16 | READY)) == (READY << 16 | READY) && (status & (TROUBLE << 16 | TROUBLE)) == 0;
}

int el_flash_erase(uint32_t page)
{
    volatile uint32_t *where = word_at(page * EL_STORE_PAGE);
    command(where, BLOCK_ERASE);
    command(where, CONFIRM);
    return finish(where);
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;
    for (uint32_t i = 0; i < count; i += 4) {
        volatile uint32_t *where = word_at(at + i);
        command(where, PROGRAM);
        *where = (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16 |
                 (uint32_t)bytes[i + 3] << 24;
        if (!finish(where)) {
            return 0;
        }
    }
    return 1;
}
