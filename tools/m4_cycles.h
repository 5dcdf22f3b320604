/* Modelled cycles of a Cortex-M4F for Thumb instructions, by the tables of its Technical Reference Manual (Arm DDI
 * 0439, "Cortex-M4 instructions" and "FPU instruction set"), without wait states of memories.
 *
 * Where the table gives a range: a taken branch refills the pipeline in two cycles; backward and unconditional branches
 * count as taken, forward conditional ones as not; a division takes its twelve. Loads and stores of one register count
 * two cycles, a store to a fixed offset one; that neighbouring ones may overlap is left out. The result of arithmetic
 * in the FPU that the next instruction reads costs a cycle more. */
#ifndef M4_CYCLES_H
#define M4_CYCLES_H

enum { M4_TAKEN = 3, M4_DIVIDE = 12, M4_FPU_DIVIDE = 14, M4_FUSED = 3 };

/* The FPU's result of the instruction before, a bit for each of s0 to s31. */
typedef struct {
    unsigned fresh;
} m4_state;

static unsigned m4_count(unsigned bits)
{
    unsigned n = 0;
    for (; bits != 0; bits &= bits - 1) {
        n++;
    }
    return n;
}

static unsigned m4_short(unsigned h)
{
    if ((h & 0xf000u) == 0xd000u) { /* B<c>, SVC */
        return (h & 0x0e00u) != 0x0e00u && (h & 0x80u) != 0 ? M4_TAKEN : 1;
    }
    if ((h & 0xf800u) == 0xe000u || (h & 0xff00u) == 0x4700u || (h & 0xff87u) == 0x4687u) {
        return M4_TAKEN; /* B, BX, BLX, MOV pc */
    }
    if ((h & 0xf600u) == 0xb400u) { /* PUSH, POP */
        return 1 + m4_count(h & 0x1ffu) + ((h & 0xff00u) == 0xbd00u ? M4_TAKEN - 1 : 0);
    }
    if ((h & 0xf000u) == 0xc000u) { /* LDM, STM */
        return 1 + m4_count(h & 0xffu);
    }
    if ((h & 0xf800u) == 0x4800u || (h & 0xf000u) == 0x5000u) { /* from the literal pool, with an offset register */
        return 2;
    }
    if ((h & 0xe000u) == 0x6000u || (h & 0xe000u) == 0x8000u) { /* with a fixed offset */
        return (h & 0x0800u) != 0 ? 2 : 1;
    }
    return 1;
}

static unsigned m4_bit(unsigned high, unsigned low)
{
    return 1u << ((high & 15u) << 1 | (low & 1u));
}

/* Arithmetic of the FPU; *reads and *writes: registers. */
static unsigned m4_fpu(unsigned h, unsigned l, unsigned *reads, unsigned *writes)
{
    const unsigned operation = h >> 4 & 0xbu;
    const unsigned d = m4_bit(l >> 12, h >> 6);
    const unsigned n = m4_bit(h, l >> 7);
    const unsigned m = m4_bit(l, l >> 5);
    if ((l & 0x10u) != 0) { /* between the core and the FPU */
        *reads = (h & 0x10u) != 0 ? n : 0;
        return 1;
    }
    *writes = d;
    if (operation == 0xbu) { /* one operand */
        const int compares = (h & 0xeu) == 0x4u;
        *reads = (l & 0x40u) != 0 ? m | (compares ? d : 0) : 0;
        *writes = compares ? 0 : d;
        return (h & 0xfu) == 1u && (l & 0xc0u) == 0xc0u ? M4_FPU_DIVIDE : 1; /* VSQRT */
    }
    const int accumulates = operation < 2u || operation == 9u || operation == 10u;
    *reads = n | m | (accumulates ? d : 0);
    return accumulates ? M4_FUSED : operation == 8u ? M4_FPU_DIVIDE : 1;
}

/* Loads and stores of the FPU */
static unsigned m4_fpu_memory(unsigned h, unsigned l, unsigned *reads)
{
    if ((h & 0xffe0u) == 0xec40u) {
        return 2; /* two registers between the core and the FPU */
    }
    const unsigned words = (h & 0x120u) == 0x100u ? 1 : l & 0xffu;
    if ((h & 0x10u) == 0) {
        for (unsigned i = 0; i < words; i++) {
            *reads |= m4_bit(l >> 12, h >> 6) << i;
        }
    }
    return 1 + words;
}

static unsigned m4_branch(unsigned h, unsigned l)
{
    if ((l & 0x5000u) == 0) { /* conditional, or a hint or a special register */
        return (h & 0x380u) != 0x380u && (h & 0x400u) != 0 ? M4_TAKEN : 1;
    }
    return M4_TAKEN;
}

static unsigned m4_long(unsigned h, unsigned l)
{
    if ((h & 0xfe40u) == 0xe800u) { /* LDM, STM */
        return 1 + m4_count(l) + ((h & 0x10u) != 0 && (l & 0x8000u) != 0 ? M4_TAKEN - 1 : 0);
    }
    if ((h & 0xfff0u) == 0xe8d0u && (l & 0xffe0u) == 0xf000u) { /* TBB, TBH */
        return 1 + M4_TAKEN;
    }
    if ((h & 0xfe40u) == 0xe840u) { /* LDRD, STRD */
        return 3;
    }
    if ((h & 0xf800u) == 0xf000u && (l & 0x8000u) != 0) {
        return m4_branch(h, l);
    }
    if ((h & 0xfe00u) == 0xf800u) { /* one register */
        const int store_at_offset = (h & 0x10u) == 0 && ((h & 0x80u) != 0 || (l & 0x800u) != 0);
        return (store_at_offset ? 1 : 2) + ((h & 0x10u) != 0 && l >> 12 == 15u ? M4_TAKEN - 1 : 0);
    }
    return (h & 0xffd0u) == 0xfb90u ? M4_DIVIDE : 1;
}

/* Cycles of the instruction with these halfwords; `l` is zero where there is one. */
static unsigned m4_cycles(m4_state *state, unsigned h, unsigned l)
{
    const int fpu = (l & 0x0e00u) == 0x0a00u;
    unsigned reads = 0;
    unsigned writes = 0;
    unsigned cycles;
    if (h < 0xe800u) {
        cycles = m4_short(h);
    } else if (fpu && (h & 0xff00u) == 0xee00u) {
        cycles = m4_fpu(h, l, &reads, &writes);
    } else if (fpu && (h & 0xfe00u) == 0xec00u) {
        cycles = m4_fpu_memory(h, l, &reads);
    } else {
        cycles = m4_long(h, l);
    }
    cycles += (state->fresh & reads) != 0;
    state->fresh = writes;
    return cycles;
}

#endif
