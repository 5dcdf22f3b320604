/* The probe on a bare core in an emulator: start-up, and what the board's HAL has to make a core fit for C, to call the
 * host and to count. */
#include "bare/semihost.h"
#include "probe.h"

extern char __pool_start[], __pool_end[], __stack_top[], __bss_start[], __bss_end[];
int main(void);

static uint32_t in_handle, out_handle;
static char *next;
static uint8_t in_buffer[4096];
static uint32_t in_have, in_at;

void probe_exit(int code)
{
    const uint32_t block[2] = {EL_APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        el_semihost(EL_SYS_EXIT_EXTENDED, block);
    }
}

/* How many bytes came; nothing more will come after none. */
static uint32_t receive(void *to, uint32_t most)
{
    const uint32_t block[3] = {in_handle, (uint32_t)(uintptr_t)to, most};
    const uint32_t got = most - el_semihost(EL_SYS_READ, block);
    if (got == 0) {
        probe_exit(0);
    }
    return got;
}

void probe_read(void *to, uint32_t bytes)
{
    uint8_t *p = to;
    while (bytes != 0) {
        if (in_at < in_have) {
            *p++ = in_buffer[in_at++];
            bytes--;
        } else if (bytes >= sizeof in_buffer) { /* large arrays go where they belong at once */
            const uint32_t got = receive(p, bytes);
            p += got;
            bytes -= got;
        } else {
            in_have = receive(in_buffer, sizeof in_buffer);
            in_at = 0;
        }
    }
}

void probe_write(const void *from, uint32_t bytes)
{
    const uint32_t block[3] = {out_handle, (uint32_t)(uintptr_t)from, bytes};
    el_semihost(EL_SYS_WRITE, block);
}

void *probe_alloc(uint32_t bytes)
{
    char *p = next;
    next += (bytes + 15u) & ~15u;
    if (next > __pool_end) {
        probe_exit(3);
    }
    return p;
}

void probe_free_all(void)
{
    next = __pool_start;
}

/* Called with the stack set and the FPU on. */
_Noreturn void probe_start(void);
_Noreturn void probe_start(void)
{
    for (char *p = __bss_start; p < __bss_end; p++) {
        *(volatile char *)p = 0;
    }
    const uint32_t in[3] = {(uint32_t)(uintptr_t) ":tt", 0, 3};
    const uint32_t out[3] = {(uint32_t)(uintptr_t) ":tt", 4, 3};
    in_handle = el_semihost(EL_SYS_OPEN, in);
    out_handle = el_semihost(EL_SYS_OPEN, out);
    next = __pool_start;
    probe_exit(main());
}

/* Compilers may turn loops and struct copies into these. */
void *memset(void *to, int value, uintptr_t n);
void *memcpy(void *restrict to, const void *restrict from, uintptr_t n);
void *memset(void *to, int value, uintptr_t n)
{
    for (volatile uint8_t *p = to; n-- != 0;) {
        *p++ = (uint8_t)value;
    }
    return to;
}
void *memcpy(void *restrict to, const void *restrict from, uintptr_t n)
{
    volatile uint8_t *p = to;
    for (const uint8_t *q = from; n-- != 0;) {
        *p++ = *q++;
    }
    return to;
}

#if defined(__arm__)
__asm__(".syntax unified\n"
        ".section .start, \"a\"\n"
        ".word __stack_top, probe_entry, probe_fault, probe_fault, probe_fault, probe_fault, "
        "probe_fault\n"
        ".text\n.thumb\n.thumb_func\nprobe_entry:\n"
        "ldr r0, =0xe000ed88\n ldr r1, [r0]\n orr r1, r1, #0xf00000\n str r1, [r0]\n dsb\n isb\n"
        "bl probe_start\n"
        ".thumb_func\nprobe_fault:\n movs r0, #9\n bl probe_exit\n");
#else
__asm__(".section .start, \"ax\"\n"
        ".global _start\n_start:\n"
        "la sp, __stack_top\n la t0, probe_fault\n csrw mtvec, t0\n"
        "call el_fpu_enable\n"
        "call probe_start\n"
        ".balign 256\nprobe_fault:\n li a0, 9\n call probe_exit\n"); /* some cores want traps aligned so */
#endif
