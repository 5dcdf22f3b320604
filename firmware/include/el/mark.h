/* Marks in the instruction stream: one instruction that does nothing on silicon and that tools/insn_plugin.c sees.
 * From a mark on, executed instructions are counted for its id (1..5) until the next mark; id 0 counts for nobody. */
#ifndef EL_MARK_H
#define EL_MARK_H

#define EL_MARK_TEXT_(x) #x
#define EL_MARK_TEXT(x) EL_MARK_TEXT_(x)

#if defined(__thumb__)
/* hints 10..15 are unallocated and execute as NOP (Armv7-M and Armv8-M Architecture Reference Manuals) */
#define EL_MARK(id) __asm__ volatile(".inst.n 0xbfa0 + 16 * " EL_MARK_TEXT(id)::: "memory")
#elif defined(__riscv)
/* slti with rd = x0 is a HINT; the immediates from 0x7c0 are ours */
#define EL_MARK(id) __asm__ volatile("slti x0, x0, 0x7c0 + " EL_MARK_TEXT(id)::: "memory")
#else
#define EL_MARK(id) ((void)0)
#endif

#endif
