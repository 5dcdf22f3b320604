/* A QEMU TCG plugin that counts executed guest instructions between the marks of firmware/include/el/mark.h.
 *
 * Exact and repeatable: every instruction adds one, whatever block it was translated in. At exit it writes one line
 * "<id> <instructions>" per interval, in the order of execution; the mark itself is not counted.
 * Arguments: isa=arm|riscv, out=<file>, for RISC-V's vectors beats=arithmetic|all, and cycles=m4 to count
 * modelled cycles of a Cortex-M4 in place of instructions (m4_cycles.h). harts=apart is for cores that run at the same
 * time: each has marks and counts of its own, and there is one line "<core> <instructions>" a core, the sum of what it
 * executed between marks of ids other than 0; QEMU 9.0 and later.
 *
 * beats: an instruction on a group of m vector registers counts m times, as often as VLEN bits go through the unit; one
 * whose result or operand is twice as wide counts 2 m times. "arithmetic" counts loads and stores once each, "all"
 * weighs them likewise. The size of groups is in vtype: vsetvli and vsetivli say it themselves, they end a translated
 * block, and QEMU keeps a translation for each size apart, so that what is in force when a block is translated is so
 * whenever it runs.
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

#include "m4_cycles.h"

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
SOME_VERSIONS uint64_t qemu_plugin_u64_get(plugin_u64 counter, unsigned cpu);
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
static enum { INSTRUCTIONS, ARITHMETIC, ALL, M4 } weighs;
static unsigned group_eighths = 8; /* registers of a group, in eighths: LMUL */
static unsigned element = 8;       /* bits: SEW */
static FILE *out;

enum { CORES = 64 };
static int apart;
static struct {
    uint64_t since, counted;
    int id;
} cores[CORES]; /* each is written by its own thread only */

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

static uint32_t word_of(const struct plugin_insn *insn)
{
    unsigned char p[4];
    if (qemu_plugin_insn_size(insn) < 4) {
        return 0;
    }
    insn_bytes(insn, p, 4);
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum { LOAD_FP = 0x07, STORE_FP = 0x27, OP_V = 0x57 };
enum { OPIVV, OPFVV, OPMVV, OPIVI, OPIVX, OPFVF, OPMVX, OPCFG }; /* funct3 of OP-V */

static int sets_vtype(uint32_t word)
{
    return (word & 0x7fu) == OP_V && (word >> 12 & 7u) == OPCFG;
}

static void on_vtype(unsigned cpu, void *data)
{
    const uint32_t word = (uint32_t)(uintptr_t)data;
    (void)cpu;
    if (word >> 30 == 2u) {
        fprintf(stderr, "insn_plugin: vsetvl takes vtype from a register, which is not seen here\n");
        exit(1);
    }
    const unsigned vtype = word >> 20;
    group_eighths = 1u << ((vtype + 3u) & 7u); /* 5, 6, 7 are an eighth, a quarter, a half */
    element = 8u << (vtype >> 3 & 7u);
}

/* Whole registers, at least one. */
static unsigned registers(unsigned eighths)
{
    return eighths < 8 ? 1 : eighths / 8;
}

static unsigned memory_beats(uint32_t word)
{
    static const unsigned bits[8] = {8, 0, 0, 0, 0, 16, 32, 64};
    const unsigned width = bits[word >> 12 & 7u];
    const unsigned fields = (word >> 29) + 1u;
    const int unit = (word >> 26 & 3u) == 0;
    if (weighs != ALL || width == 0) {
        return 1;
    }
    if (unit && (word >> 20 & 31u) == 8u) {
        return fields; /* whole registers */
    }
    return fields * registers((word >> 26 & 1u) != 0 ? group_eighths : group_eighths * width / element);
}

static unsigned arithmetic_beats(uint32_t word)
{
    const unsigned form = word >> 12 & 7u;
    const unsigned function = word >> 26;
    const unsigned source = word >> 15 & 31u;
    const int is_float = form == OPFVV || form == OPFVF;
    const int is_multiply = form == OPMVV || form == OPMVX;
    if (form == OPIVI && function == 0x27u) {
        return source + 1u; /* moves of whole registers */
    }
    if ((is_float || is_multiply) && function == 0x10u) {
        return 1; /* one element, or the count of a mask */
    }
    if (form == OPMVV && function >= 0x18u && function < 0x20u) {
        return 1; /* logic of masks */
    }
    const int reduces = form == OPFVV && (function == 0x31u || function == 0x33u);
    const int converts = form == OPFVV && function == 0x12u && source >= 8u;
    const int narrows = !is_float && !is_multiply && function >= 0x2cu && function < 0x30u;
    const int widens = (is_float || is_multiply) && function >= 0x30u && !reduces;
    return registers(converts || narrows || widens ? 2 * group_eighths : group_eighths);
}

/* What an instruction counts; `state` is of the block that it is in. */
static unsigned weight_of(const struct plugin_insn *insn, uint32_t word, m4_state *state)
{
    if (weighs == M4) {
        unsigned char p[4] = {0, 0, 0, 0};
        const size_t size = qemu_plugin_insn_size(insn);
        insn_bytes(insn, p, size < 4 ? 2 : 4);
        return m4_cycles(state, p[0] | (unsigned)p[1] << 8, p[2] | (unsigned)p[3] << 8);
    }
    switch (weighs == INSTRUCTIONS || sets_vtype(word) ? 0u : word & 0x7fu) {
    case OP_V:
        return arithmetic_beats(word);
    case LOAD_FP:
    case STORE_FP:
        return memory_beats(word);
    default:
        return 1;
    }
}

static void on_own_mark(unsigned cpu, void *data)
{
    if (cpu >= CORES) {
        fprintf(stderr, "insn_plugin: more than %d cores\n", CORES);
        exit(1);
    }
    const uint64_t executed = qemu_plugin_u64_get(scored, cpu);
    if (cores[cpu].id != 0) {
        cores[cpu].counted += executed - cores[cpu].since;
    }
    cores[cpu].id = (int)(intptr_t)data;
    cores[cpu].since = executed;
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
    m4_state state = {0};
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const int mark = mark_of(insn);
        const int vectors = weighs == ARITHMETIC || weighs == ALL;
        const uint32_t word = vectors ? word_of(insn) : 0;
        const unsigned weight = weight_of(insn, word, &state);
        if (vectors && sets_vtype(word)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_vtype, CB_NO_REGS, (void *)(uintptr_t)word);
        }
        if (mark >= 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, apart ? on_own_mark : on_mark, CB_NO_REGS,
                                                   (void *)(intptr_t)mark);
        } else if (scored.board != NULL) {
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD_U64, scored, weight);
        } else {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &plain, weight);
        }
    }
}

static void on_end(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    for (unsigned cpu = 0; cpu < CORES; cpu++) {
        if (cores[cpu].counted != 0) {
            fprintf(out, "%u %llu\n", cpu, (unsigned long long)cores[cpu].counted);
        }
    }
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "isa=riscv") == 0) {
            riscv = 1;
        } else if (strcmp(argv[i], "beats=arithmetic") == 0) {
            weighs = ARITHMETIC;
        } else if (strcmp(argv[i], "beats=all") == 0) {
            weighs = ALL;
        } else if (strcmp(argv[i], "harts=apart") == 0) {
            apart = 1;
        } else if (strcmp(argv[i], "cycles=m4") == 0) {
            weighs = M4;
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (out == NULL) {
        fprintf(stderr, "insn_plugin: cannot write its out= file\n");
        return -1;
    }
    if (apart && (qemu_plugin_scoreboard_new == NULL || qemu_plugin_u64_get == NULL)) {
        fprintf(stderr, "insn_plugin: this QEMU has no counter for each core\n");
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
