/* The framed link: COBS( type, seq, payload, CRC-32 of all before ) then a zero byte. PROTOCOL.md is the table that
   this header and edgelearn/link.py are tested against. */
#ifndef EL_LINK_H
#define EL_LINK_H

#include <stdint.h>

enum {
    EL_PROTOCOL = 3,      /* version */
    EL_MAX_PAYLOAD = 480, /* bytes; a multiple of 4, so that data chunks end on words */
    EL_WINDOW = 4,        /* frames the host may have under way */
    EL_FRAME_HEAD = 2,    /* type, seq */
    EL_FRAME_CRC = 4,
    EL_FRAME_MAX = EL_FRAME_HEAD + EL_MAX_PAYLOAD + EL_FRAME_CRC,
    EL_WIRE_MAX = EL_FRAME_MAX + EL_FRAME_MAX / 254 + 2 /* COBS and the zero byte */
};

enum { /* frame types: commands, and the answers to them */
       EL_HELLO = 0x01,
       EL_CONFIG = 0x02,
       EL_DATA = 0x03,
       EL_READ = 0x04,
       EL_WRITE = 0x05,
       EL_RESET = 0x06,
       EL_STATUS = 0x07,
       EL_FLUSH = 0x08,
       EL_ECHO = 0x09,
       EL_POLL = 0x0A,
       EL_EXIT = 0x0B,
       EL_RUN = 0x0C,
       EL_SAVE = 0x0D,
       EL_RESTORE = 0x0E,
       EL_SAMPLE = 0x0F,
       EL_ACK = 0x80,
       EL_HELLO_REPLY = 0x81,
       EL_RESULT = 0x83,
       EL_READ_REPLY = 0x84,
       EL_STATUS_REPLY = 0x87,
       EL_ECHO_REPLY = 0x89
};

enum { /* code in an ACK */
       EL_DONE = 0,
       EL_DAMAGED = 1,
       EL_GAP = 2,
       EL_POLLED = 3,
       EL_BAD_COMMAND = 4,
       EL_BAD_ARGUMENT = 5,
       EL_FAILED = 6
};

enum { /* top four bits of DATA's first word */
       EL_OP_NONE = 0,
       EL_OP_TRAIN = 1,
       EL_OP_EVAL = 2,
       EL_OP_INFER = 3,
       EL_OP_OFFER = 4,
       EL_OP_LEARN = 5,
       EL_OP_KEEP = 6 /* in RUN alone */
};

enum { /* READ and WRITE */
       EL_SPACE_PARAMS = 0,
       EL_SPACE_STATE = 1,
       EL_SPACE_OUTPUT = 2,
       EL_SPACE_STORE = 3,
       EL_SPACE_REPLAY = 4,
       EL_SPACE_INPUT = 5,
       EL_SPACE_TARGET = 6,
       EL_SPACE_KEPT = 7
};

enum { /* bits of `features` in a HELLO reply: what the program was built with, and what it found in its flash */
       EL_HAS_STORE = 1,
       EL_HAS_SENSOR = 2,
       EL_HAS_SET = 4,
       EL_IS_RESTORED = 8,
       EL_WAS_FOREIGN = 16,
       EL_WAS_DAMAGED = 32,
       EL_IS_VOLATILE = 64
};

enum { EL_SAVE_HELD_OUT = 1, EL_SAVE_FORGET = 2 }; /* bits in SAVE */
enum { EL_LATEST = 0, EL_BEST = 1 };               /* RESTORE */
enum { EL_SOURCE_SENSOR = 0, EL_SOURCE_SET = 1 };  /* SAMPLE */
#define EL_NO_LABEL 0xFFFFFFFFu                    /* SAMPLE: the board says the label */

enum { EL_RESET_MODEL = 1, EL_RESET_COUNTERS = 2 };                                       /* bits */
enum { EL_SAMPLE_OK = 0, EL_SAMPLE_NOT_FINITE = 1 };                                      /* status in a RESULT */
enum { EL_FLAG_UPDATED = 1, EL_FLAG_CORRECT = 2, EL_FLAG_KEPT = 4, EL_FLAG_SKIPPED = 8 }; /* bits in a RESULT */

typedef struct {
    uint32_t damaged;    /* frames whose CRC, coding or length was wrong */
    uint32_t gaps;       /* good frames out of order */
    uint32_t duplicates; /* good frames that had been executed before */
} el_link_errors;

extern el_link_errors el_link_counts;

/* One received frame; payload is aligned to 4 and stays valid until the next call. */
typedef struct {
    uint8_t type;
    uint8_t seq;
    uint32_t length;
    const uint8_t *payload;
} el_frame;

/* Carry a CRC-32 on, without inverting it; it begins with all ones. */
uint32_t el_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

/* Wait for a frame. 1: `f` is good; 0: one came damaged; -1: the host is gone. */
int el_link_receive(el_frame *f);

/* A frame out: begin, any number of puts, end. */
void el_link_begin(uint8_t type, uint8_t seq);
void el_link_put(const void *bytes, uint32_t count);
void el_link_u32(uint32_t value);
void el_link_f32(float value);
void el_link_end(void);

#endif
