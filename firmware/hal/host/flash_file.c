/* A file in the place of a flash: the one that EL_STORE_FILE names, or none that outlives the process. It behaves as a
   flash: a program takes bits away from what an erase gave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "el/flash.h"

static FILE *file;
static uint8_t blank[256];

/* Opened at first use; a file that is shorter than the store is filled up with erased bytes. */
static FILE *opened(void)
{
    const char *name = getenv("EL_STORE_FILE");
    if (file != NULL) {
        return file;
    }
    file = name == NULL ? tmpfile() : fopen(name, "r+b");
    if (file == NULL && name != NULL) {
        file = fopen(name, "w+b");
    }
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    (void)setvbuf(file, NULL, _IONBF, 0);
    memset(blank, EL_STORE_ERASED, sizeof blank);
    for (long size = ftell(file); size < (long)(EL_STORE_PAGE * EL_STORE_PAGES); size += (long)sizeof blank) {
        (void)fwrite(blank, 1, sizeof blank, file);
    }
    return file;
}

static int transfer(uint32_t at, uint8_t *bytes, uint32_t count, int writes)
{
    FILE *store = opened();
    if (store == NULL || fseek(store, (long)at, SEEK_SET) != 0) {
        return 0;
    }
    return (writes ? fwrite(bytes, 1, count, store) : fread(bytes, 1, count, store)) == count;
}

int el_flash_erase(uint32_t page)
{
    int good = 1;
    for (uint32_t at = 0; at < EL_STORE_PAGE && good; at += sizeof blank) {
        good = transfer(page * EL_STORE_PAGE + at, blank, sizeof blank, 1);
    }
    return good;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte;
        if (!transfer(at + i, &byte, 1, 0)) {
            return 0;
        }
        byte &= bytes[i];
        if (!transfer(at + i, &byte, 1, 1)) {
            return 0;
        }
    }
    return 1;
}

void el_flash_read(uint32_t at, void *to, uint32_t count)
{
    if (!transfer(at, to, count, 0)) {
        memset(to, EL_STORE_ERASED, count);
    }
}
