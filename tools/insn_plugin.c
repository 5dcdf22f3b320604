/* A QEMU TCG plugin that counts executed guest instructions between the marks of firmware/include/el/mark.h.
 *
 * Exact and repeatable: every instruction adds one, whatever block it was translated in. At exit it writes one line
 * "<id> <instructions>" per interval, in the order of execution; the mark itself is not counted.
 * Arguments: isa=arm|riscv, out=<file>. Plugin API version 1, QEMU 6.0 to 8.2. Distributions ship no qemu-plugin.h,
 * so the functions used are declared here, as documented in QEMU's docs/devel/tcg-plugins. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct plugin_info;
struct plugin_tb;
struct plugin_insn;
enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct plugin_insn *insn, int op, void *counter, uint64_t add);
void qemu_plugin_register_vcpu_insn_exec_cb(struct plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                            void *data);
size_t qemu_plugin_tb_n_insns(const struct plugin_tb *tb);
struct plugin_insn *qemu_plugin_tb_get_insn(const struct plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

static uint64_t executed;
static uint64_t since;
static int current;
static int riscv;
static FILE *out;

/* The id of a mark, or -1 for every other instruction. */
static int mark_of(const struct plugin_insn *insn)
{
    const unsigned char *p = qemu_plugin_insn_data(insn);
    const size_t size = qemu_plugin_insn_size(insn);
    if (!riscv && size == 2) {
        const unsigned half = p[0] | (unsigned)p[1] << 8;
        return (half & 0xff0fu) == 0xbf00u && half >= 0xbfa0u ? (int)((half - 0xbfa0u) >> 4) : -1;
    }
    if (riscv && size == 4) {
        const uint32_t word = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        const int id = (int)(word >> 20) - 0x7c0;
        return (word & 0x000fffffu) == 0x00002013u && id >= 0 && id < 6 ? id : -1;
    }
    return -1;
}

static void on_mark(unsigned cpu, void *data)
{
    (void)cpu;
    if (current != 0) {
        fprintf(out, "%d %llu\n", current, (unsigned long long)(executed - since));
    }
    current = (int)(intptr_t)data;
    since = executed;
}

static void on_translate(plugin_id id, struct plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const int mark = mark_of(insn);
        if (mark >= 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, CB_NO_REGS, (void *)(intptr_t)mark);
        } else {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &executed, 1);
        }
    }
}

static void on_end(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "isa=riscv") == 0) {
            riscv = 1;
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (out == NULL) {
        fprintf(stderr, "insn_plugin: cannot write its out= file\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
