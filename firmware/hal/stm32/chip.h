/* What the files of an STM32 offer one another. Register layouts are those of ST's reference manuals: RM0090 (F405),
   RM0390 (F446), RM0410 (F767), RM0351 (L475, L476), RM0433 (H743). Which file has what, a board's TOML says. */
#ifndef EL_STM32_CHIP_H
#define EL_STM32_CHIP_H

#include <stdint.h>

#include "bare/silicon.h"
#include "board.h"

void el_caches_on(void);

/* Flash was erased or programmed: what is read of it next comes from there. */
void el_cache_forget(uint32_t address, uint32_t count);

/* The fastest clock that the chip allows. Where a crystal does not start, the chip's own oscillator takes its place;
   where the PLL does not lock, or the flash does not take its wait states, the clock stays what it was at reset. */
void el_clock_up(void);

/* What came of it for the UART's input, in Hz; as el_core_hz it is read from the clock's registers. */
uint32_t el_uart_hz(void);

/* The USART itself, of which there are two generations. Status bits are the same in both. */
enum { EL_USART_ORE = 1 << 3, EL_USART_RXNE = 1 << 5, EL_USART_TC = 1 << 6, EL_USART_TXE = 1 << 7 };

void el_usart_start(uint32_t divider); /* 8N1 both ways, an interrupt for each received byte */
uint32_t el_usart_status(void);
uint8_t el_usart_take(void); /* the received byte; forgets an overrun */
void el_usart_put(uint8_t byte);

#endif
