/* What the probe (driver.c) asks of the place it runs on: a process, or a bare core under QEMU with semihosting. */
#ifndef PROBE_H
#define PROBE_H

#include "el/hal.h"
#include "el/mark.h"

#include <stdint.h>

void probe_read(void *to, uint32_t bytes); /* exits when the host has gone */
void probe_write(const void *from, uint32_t bytes);
void *probe_alloc(uint32_t bytes); /* exact size, so that a sanitizer sees every step over the edge */
void probe_free_all(void);
_Noreturn void probe_exit(int code);

/* A call between marks, for the plugin, and between readings of the board's counter, for -icount. What the readings
 * themselves cost is what a call of nothing takes. */
extern uint64_t probe_ticks;
#define PROBE_COUNTED(call)                                                                                            \
    do {                                                                                                               \
        probe_ticks = el_hal_ticks();                                                                                  \
        EL_MARK(1);                                                                                                    \
        call;                                                                                                          \
        EL_MARK(0);                                                                                                    \
        probe_ticks = el_hal_ticks() - probe_ticks;                                                                    \
    } while (0)

/* Generated: calls kernel `id` with the given arguments. */
typedef union {
    int32_t i;
    float f;
    void *p;
} probe_arg;
void probe_call(uint32_t id, const probe_arg *a);

#endif
