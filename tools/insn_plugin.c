/* A QEMU TCG plugin that counts executed guest instructions between the marks of firmware/include/el/mark.h.
 *
 * Exact and repeatable: every instruction adds one, whatever block it was translated in. At exit it writes one line
 * "<id> <instructions>" per interval, in the order of execution; the mark itself is not counted.
 * Arguments: isa=arm|riscv, out=<file>.
 *
 * Distributions ship no qemu-plugin.h, so the functions used are declared here, as documented in QEMU's
 * docs/devel/tcg-plugins. One binary serves QEMU 6.0 and everything after it: functions that only some versions have
 * are weak, and what is there when the plugin is loaded decides which API version it claims.
 *   1 (QEMU 6.0 to 8.2): inline operations add to a variable of ours; insn_data returns a pointer.
 *   2 (9.0): inline operations add to a scoreboard, an array of QEMU's with one entry for each core.
 *   3 (9.1 and later): insn_data copies.
 *   5 (10.1 and later): nothing that is used here changed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define SOME_VERSIONS __attribute__((weak, visibility("default")))

typedef uint64_t plugin_id;
struct plugin_tb;
struct plugin_insn;
struct plugin_scoreboard;
struct plugin_info {
    const char *target;
    struct {
        int min;
        int current;
    } version; /* API versions of this QEMU; more follows that nobody reads here */
};
typedef struct {
    struct plugin_scoreboard *board;
    size_t offset;
} plugin_u64;
enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                            void *data);
size_t qemu_plugin_tb_n_insns(const struct plugin_tb *tb);
struct plugin_insn *qemu_plugin_tb_get_insn(const struct plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct plugin_insn *insn);
/* Version 3. The older one takes the first argument only and returns a pointer; see insn_bytes(). */
size_t qemu_plugin_insn_data(const struct plugin_insn *insn, void *to, size_t size);
/* Version 1 */
SOME_VERSIONS void qemu_plugin_register_vcpu_insn_exec_inline(struct plugin_insn *insn, int op, void *counter,
                                                              uint64_t add);
/* Version 2 */
SOME_VERSIONS struct plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element);
SOME_VERSIONS uint64_t qemu_plugin_u64_sum(plugin_u64 counter);
SOME_VERSIONS void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct plugin_insn *insn, int op,
                                                                       plugin_u64 counter, uint64_t add);
/* Version 5 */
SOME_VERSIONS int qemu_plugin_write_memory_vaddr(uint64_t address, void *bytes);

EXPORT int qemu_plugin_version = 1;

static uint64_t plain; /* the counter up to version 1 */
static plugin_u64 scored;
static uint64_t since;
static int current;
static int riscv;
static int copies;
static FILE *out;

/* Before QEMU looks at the version. */
__attribute__((constructor)) static void claim_version(void)
{
    if (qemu_plugin_write_memory_vaddr != NULL) {
        qemu_plugin_version = 5;
    } else if (qemu_plugin_scoreboard_new != NULL) {
        qemu_plugin_version = 2;
    }
}

static void insn_bytes(const struct plugin_insn *insn, unsigned char *to, size_t size)
{
    if (copies) {
        qemu_plugin_insn_data(insn, to, size);
    } else {
        const void *(*pointer)(const struct plugin_insn *) =
            (const void *(*)(const struct plugin_insn *))(void (*)(void))qemu_plugin_insn_data;
        memcpy(to, pointer(insn), size);
    }
}

/* The id of a mark, or -1 for every other instruction. At the end of a page QEMU 7.2 peeks at the next instruction and
 * then counts its bytes to this one: only the first bytes are sure. */
static int mark_of(const struct plugin_insn *insn)
{
    unsigned char p[4];
    const size_t size = qemu_plugin_insn_size(insn);
    if (!riscv && size >= 2) {
        insn_bytes(insn, p, 2);
        const unsigned half = p[0] | (unsigned)p[1] << 8;
        return (half & 0xff0fu) == 0xbf00u && half >= 0xbfa0u ? (int)((half - 0xbfa0u) >> 4) : -1;
    }
    if (riscv && size >= 4) {
        insn_bytes(insn, p, 4);
        const uint32_t word = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        const int id = (int)(word >> 20) - 0x7c0;
        return (word & 0x000fffffu) == 0x00002013u && id >= 0 && id < 6 ? id : -1;
    }
    return -1;
}

static void on_mark(unsigned cpu, void *data)
{
    (void)cpu;
    const uint64_t executed = scored.board != NULL ? qemu_plugin_u64_sum(scored) : plain;
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
        } else if (scored.board != NULL) {
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD_U64, scored, 1);
        } else {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &plain, 1);
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
    copies = info->version.current >= 3;
    if (qemu_plugin_scoreboard_new != NULL) {
        scored.board = qemu_plugin_scoreboard_new(sizeof(uint64_t));
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
