/* Semihosting: the debugger, or QEMU, does what the operation asks. */
#ifndef EL_SEMIHOST_H
#define EL_SEMIHOST_H

#include <stdint.h>

enum {
    EL_SYS_OPEN = 0x01,
    EL_SYS_WRITE = 0x05,
    EL_SYS_READ = 0x06,
    EL_SYS_EXIT_EXTENDED = 0x20,
    EL_APPLICATION_EXIT = 0x20026
};

/* `block` points to the operation's arguments, one word each. */
uint32_t el_semihost(uint32_t operation, const uint32_t *block);

#endif
