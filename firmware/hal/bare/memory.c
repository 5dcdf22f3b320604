/* The four functions a C compiler may call by itself, so that no libc is linked. Word by word where both sides are
   aligned alike, four words a turn. */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *a, const void *b, size_t count);

static int alike(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & 3u) == 0;
}

static int odd(const void *p)
{
    return ((uintptr_t)p & 3u) != 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (alike(d, s)) {
        for (; odd(d) && count > 0; count--) {
            *d++ = *s++;
        }
        word *dw = (word *)(void *)d;
        const word *sw = (const word *)(const void *)s;
        for (; count >= 16; count -= 16, dw += 4, sw += 4) {
            dw[0] = sw[0];
            dw[1] = sw[1];
            dw[2] = sw[2];
            dw[3] = sw[3];
        }
        for (; count >= 4; count -= 4) {
            *dw++ = *sw++;
        }
        d = (uint8_t *)dw;
        s = (const uint8_t *)sw;
    }
    for (; count > 0; count--) {
        *d++ = *s++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *d = (uint8_t *)to + count;
    const uint8_t *s = (const uint8_t *)from + count;

    if ((uintptr_t)to - (uintptr_t)from >= count) { /* upwards is safe: no overlap, or the source lies above */
        d = to;
        s = from;
        if (alike(d, s)) {
            for (; odd(d) && count > 0; count--) {
                *d++ = *s++;
            }
            for (; count >= 4; count -= 4, d += 4, s += 4) {
                *(word *)(void *)d = *(const word *)(const void *)s;
            }
        }
        for (; count > 0; count--) {
            *d++ = *s++;
        }
        return to;
    }
    if (alike(d, s)) {
        for (; odd(d) && count > 0; count--) {
            *--d = *--s;
        }
        for (; count >= 4; count -= 4) {
            d -= 4;
            s -= 4;
            *(word *)(void *)d = *(const word *)(const void *)s;
        }
    }
    for (; count > 0; count--) {
        *--d = *--s;
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *d = to;
    const uint8_t byte = (uint8_t)value;

    for (; odd(d) && count > 0; count--) {
        *d++ = byte;
    }
    word *w = (word *)(void *)d;
    const word four = byte * 0x01010101u;
    for (; count >= 16; count -= 16, w += 4) {
        w[0] = four;
        w[1] = four;
        w[2] = four;
        w[3] = four;
    }
    for (; count >= 4; count -= 4) {
        *w++ = four;
    }
    d = (uint8_t *)w;
    for (; count > 0; count--) {
        *d++ = byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
    const uint8_t *p = a;
    const uint8_t *q = b;

    if (alike(p, q)) {
        for (; odd(p) && count > 0 && *p == *q; count--) {
            p++;
            q++;
        }
        if (!odd(p)) {
            for (; count >= 4 && *(const word *)(const void *)p == *(const word *)(const void *)q; count -= 4) {
                p += 4;
                q += 4;
            }
        }
    }
    for (; count > 0; count--, p++, q++) {
        if (*p != *q) {
            return *p < *q ? -1 : 1;
        }
    }
    return 0;
}
