/* One command to the flash that the program itself lies in, by the SPI controller of SiFive's chips. From fctrl = 0 to
   fctrl = 1 the flash is not in the address space: this runs as a copy in RAM, and reads nothing but registers and RAM.
   Every byte that is sent brings one back, so that the last one has left before the flash is deselected.

   a0: the controller; a1: bytes; a2: how many; a3: looks at the status; result in a0: 1 if the flash got ready.
   t0: where a4 was to be exchanged; a5, a6: the settings of before; a7: the result to be. */
#include "sifive/flash.h"

/* of the controller */
#define CSMODE 0x18
#define FMT 0x40
#define TXDATA 0x48
#define RXDATA 0x4C
#define FCTRL 0x60
#define AUTO 0 /* csmode: selected for each byte alone */
#define HOLD 2 /* csmode: selected until csmode changes */
#define BYTES (8 << 16) /* fmt: 8 bits, the highest first, on one line, and what comes back is kept */
#define DEPTH 8 /* of the queue of what came back */
#define PATIENCE 4096 /* looks for a byte, which takes 64 cycles */
/* of the flash */
#define WRITE_ENABLE 0x06
#define READ_STATUS 0x05
#define BUSY 1 /* status */

    .section .rodata.el_flash_code, "a"
    .globl el_flash_code
    .type el_flash_code, @object
    .balign 4
    .option push
    .option norelax /* the size is known here */
el_flash_code:
    lw a5, FMT(a0)
    lw a6, CSMODE(a0)
    li a7, 0
    fence /* what is being read from the flash has come */
    sw zero, FCTRL(a0)
    li t1, BYTES
    sw t1, FMT(a0)
    sw zero, CSMODE(a0) /* AUTO */
    li t1, DEPTH
empty:
    lw zero, RXDATA(a0)
    addi t1, t1, -1
    bnez t1, empty

    li a4, WRITE_ENABLE
    jal t0, exchange
    li t3, HOLD
    sw t3, CSMODE(a0)
    add a2, a1, a2
send:
    lbu a4, 0(a1)
    jal t0, exchange
    addi a1, a1, 1
    bne a1, a2, send

look:
    sw zero, CSMODE(a0) /* the end of a command, here of the one that now begins to work */
    beqz a3, end
    addi a3, a3, -1
    sw t3, CSMODE(a0)
    li a4, READ_STATUS
    jal t0, exchange
    jal t0, exchange /* anything; its status comes back */
    andi a4, a4, BUSY
    bnez a4, look
    li a7, 1

end:
    sw zero, CSMODE(a0)
    sw a6, CSMODE(a0)
    sw a5, FMT(a0)
    li t1, 1
    sw t1, FCTRL(a0)
    fence /* and it can be read again */
    mv a0, a7
    ret

exchange:
    li t2, PATIENCE
full:
    addi t2, t2, -1
    beqz t2, end
    lw t1, TXDATA(a0)
    bltz t1, full
    sw a4, TXDATA(a0)
wait:
    addi t2, t2, -1
    beqz t2, end
    lw a4, RXDATA(a0)
    bltz a4, wait
    jr t0

    .org el_flash_code + EL_FLASH_CODE_BYTES /* an error if there is more */
    .option pop
    .size el_flash_code, . - el_flash_code
