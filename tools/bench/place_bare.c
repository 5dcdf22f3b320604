/* The probe on a bare core under QEMU: start-up and semihosting, nothing else of a board. */
#include "probe.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20, STOPPED = 0x20026 };

extern char __pool_start[], __pool_end[], __stack_top[], __bss_start[], __bss_end[];
int main(void);
uintptr_t probe_semihost(uintptr_t op, const void *block);

static uintptr_t in_handle, out_handle;
static char *next;
static uint8_t in_buffer[4096];
static uint32_t in_have, in_at;

void probe_exit(int code)
{
    const uintptr_t block[2] = {STOPPED, (uintptr_t)code};
    for (;;) {
        probe_semihost(SYS_EXIT_EXTENDED, block);
    }
}

void probe_read(void *to, uint32_t bytes)
{
    uint8_t *p = to;
    while (bytes-- != 0) {
        if (in_at == in_have) {
            const uintptr_t block[3] = {in_handle, (uintptr_t)in_buffer, sizeof in_buffer};
            in_have = (uint32_t)(sizeof in_buffer - probe_semihost(SYS_READ, block));
            in_at = 0;
            if (in_have == 0) {
                probe_exit(0);
            }
        }
        *p++ = in_buffer[in_at++];
    }
}

void probe_write(const void *from, uint32_t bytes)
{
    const uintptr_t block[3] = {out_handle, (uintptr_t)from, bytes};
    probe_semihost(SYS_WRITE, block);
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
    const uintptr_t in[3] = {(uintptr_t) ":tt", 0, 3};
    const uintptr_t out[3] = {(uintptr_t) ":tt", 4, 3};
    in_handle = probe_semihost(SYS_OPEN, in);
    out_handle = probe_semihost(SYS_OPEN, out);
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
        ".thumb_func\nprobe_fault:\n movs r0, #9\n bl probe_exit\n"
        ".thumb_func\n.global probe_semihost\nprobe_semihost:\n bkpt 0xab\n bx lr\n");
#else
/* The three instructions of a semihosting call must be uncompressed and lie in one page. */
__asm__(".section .start, \"ax\"\n"
        ".global _start\n_start:\n"
        "la sp, __stack_top\n la t0, probe_fault\n csrw mtvec, t0\n"
        "li t0, 0x2200\n csrs mstatus, t0\n" /* FPU and vectors, where they are */
        "call probe_start\n"
        ".balign 4\nprobe_fault:\n li a0, 9\n call probe_exit\n"
        ".option push\n.option norvc\n.balign 16\n"
        ".global probe_semihost\nprobe_semihost:\n slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n ret\n"
        ".option pop\n");
#endif
