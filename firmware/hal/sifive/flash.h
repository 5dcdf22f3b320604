/* What flash.S and flash.c have in common; no C, so that both can read it. */
#ifndef EL_SIFIVE_FLASH_H
#define EL_SIFIVE_FLASH_H

#define EL_FLASH_CODE_BYTES 160 /* the instructions, and what is left over */

#endif
