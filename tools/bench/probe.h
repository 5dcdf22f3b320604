/* What the probe (driver.c) asks of the place it runs on: a process, or a bare core under QEMU with semihosting. */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

void probe_read(void *to, uint32_t bytes); /* exits when the host has gone */
void probe_write(const void *from, uint32_t bytes);
void *probe_alloc(uint32_t bytes); /* exact size, so that a sanitizer sees every step over the edge */
void probe_free_all(void);
_Noreturn void probe_exit(int code);

/* Generated: calls kernel `id` with the given arguments. */
typedef union {
    int32_t i;
    float f;
    void *p;
} probe_arg;
void probe_call(uint32_t id, const probe_arg *a);

#endif
