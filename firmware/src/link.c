/* Frames in and out. Received bytes are decoded as they come; a frame to send is encoded as it is put together, so
   each direction needs one buffer of one frame. */
#include "el/link.h"

#include "el/hal.h"

el_link_errors el_link_counts;

static struct {
    uint8_t bytes[512]; /* read from the carrier, not yet decoded */
    uint32_t next;
    uint32_t count;
    uint32_t length; /* of the frame so far; more than EL_FRAME_MAX: too long, wait for the zero byte */
    uint8_t left;    /* bytes until the next COBS code byte */
    uint8_t code;    /* the last one; 0: none yet */
    uint8_t pad[2];  /* puts the payload, after type and seq, on a word */
    uint8_t frame[EL_FRAME_MAX];
} in;

_Static_assert((sizeof in.bytes + 4 * 3 + 4 + EL_FRAME_HEAD) % 4 == 2, "payloads must start on a word");

static struct {
    uint32_t crc;
    uint32_t at;   /* end of the encoded bytes */
    uint32_t code; /* where the running COBS code byte stands */
    uint8_t bytes[EL_WIRE_MAX];
} out;

static uint32_t crc32(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ of_nibble[crc & 15u];
        crc = (crc >> 4) ^ of_nibble[crc & 15u];
    }
    return crc;
}

/* For others; where nobody asks it is not in the program, and `crc32` stays inside its callers. */
uint32_t el_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    return crc32(crc, bytes, count);
}

static void keep(uint8_t byte)
{
    if (in.length < EL_FRAME_MAX) {
        in.frame[in.length] = byte;
    }
    in.length++;
}

/* One byte from the wire. A zero ends a frame and always brings the decoder back to its start. */
static int ends_frame(uint8_t byte)
{
    if (byte == 0) {
        return 1;
    }
    if (in.left > 0) {
        in.left--;
        keep(byte);
        return 0;
    }
    if (in.code != 0 && in.code != 0xFF) {
        keep(0); /* the zero that the last run stood for; the frame's end has none */
    }
    in.code = byte;
    in.left = (uint8_t)(byte - 1u);
    return 0;
}

static int is_good(void)
{
    if (in.left > 0 || in.length < EL_FRAME_HEAD + EL_FRAME_CRC || in.length > EL_FRAME_MAX) {
        return 0;
    }
    /* The CRC over a message and its own CRC is a constant. */
    return crc32(0xFFFFFFFFu, in.frame, in.length) == 0xDEBB20E3u;
}

int el_link_receive(el_frame *f)
{
    in.length = 0;
    in.left = 0;
    in.code = 0;
    for (;;) {
        if (in.next == in.count) {
            in.next = 0;
            in.count = el_hal_read(in.bytes, sizeof in.bytes);
            if (in.count == 0) {
                return -1;
            }
        }
        if (ends_frame(in.bytes[in.next++]) && in.code != 0) { /* zeros between frames say nothing */
            break;
        }
    }
    if (!is_good()) {
        el_link_counts.damaged++;
        return 0;
    }
    f->type = in.frame[0];
    f->seq = in.frame[1];
    f->length = in.length - EL_FRAME_HEAD - EL_FRAME_CRC;
    f->payload = in.frame + EL_FRAME_HEAD;
    return 1;
}

/* A run ends at a zero byte, which it stands for, or when it is full. */
static void encode(uint8_t byte)
{
    if (byte != 0) {
        out.bytes[out.at++] = byte;
    }
    if (byte == 0 || out.at - out.code == 255) {
        out.bytes[out.code] = (uint8_t)(out.at - out.code);
        out.code = out.at++;
    }
}

void el_link_put(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    out.crc = crc32(out.crc, from, count);
    for (uint32_t i = 0; i < count; i++) {
        encode(from[i]);
    }
}

void el_link_begin(uint8_t type, uint8_t seq)
{
    const uint8_t head[EL_FRAME_HEAD] = {type, seq};
    out.crc = 0xFFFFFFFFu;
    out.code = 0;
    out.at = 1;
    el_link_put(head, sizeof head);
}

void el_link_u32(uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    el_link_put(bytes, sizeof bytes);
}

void el_link_f32(float value)
{
    union {
        float f;
        uint32_t u;
    } bits = {value};
    el_link_u32(bits.u);
}

void el_link_end(void)
{
    el_link_u32(~out.crc);
    out.bytes[out.code] = (uint8_t)(out.at - out.code);
    out.bytes[out.at++] = 0;
    el_hal_write(out.bytes, out.at);
}
