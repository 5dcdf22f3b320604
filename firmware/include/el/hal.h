/* What the runtime asks of a board. A board's HAL is a handful of C files named in its TOML; one of them is the
   carrier, and exactly one carrier is compiled into an image. */
#ifndef EL_HAL_H
#define EL_HAL_H

#include <stdint.h>

enum { EL_EXIT_OK = 0, EL_EXIT_FAULT = 3 }; /* exit codes of an image that can exit */

void el_hal_init(void);

/* Wait for bytes and take up to `max` of them; 0 only when the other side is gone for good. */
uint32_t el_hal_read(uint8_t *to, uint32_t max);

void el_hal_write(const uint8_t *from, uint32_t count);

/* A counter that only grows: instructions, or ticks that the host can turn into instructions; 0 if there is none. */
uint64_t el_hal_ticks(void);

/* Ticks a second of that counter where they are clock cycles; 0 where they count instructions, or the host knows. */
uint32_t el_hal_counter_hz(void);

/* Received bytes that the hardware had to drop. */
uint32_t el_hal_overruns(void);

/* The deepest the stack has been, in bytes; 0 where it is not ours to measure. */
uint32_t el_hal_stack_used(void);

__attribute__((noreturn)) void el_hal_exit(int code); /* C++ has no _Noreturn */

#endif
