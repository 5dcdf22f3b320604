/* What differs between the flash controllers of STM32, for flash.c, which is the same for all. */
#ifndef EL_STM32_FLASH_H
#define EL_STM32_FLASH_H

#include <stdint.h>

typedef struct {
    volatile uint32_t *key;
    volatile uint32_t *control;
    volatile uint32_t *status;
    volatile uint32_t *clear; /* errors are cleared by writing them here */
    /* bits of status */
    uint32_t busy;
    uint32_t errors;
    /* values of control */
    uint32_t locked;
    uint32_t program;
    uint32_t erase; /* the store's first page */
    uint32_t page;  /* to be added for each page after it */
    uint32_t start;
} el_flash_controller;

extern const el_flash_controller el_flash;

enum { EL_FLASH_ORIGIN = 0x08000000 };

#endif
