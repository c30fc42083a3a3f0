/* mem_json.c -- text as a JSON string: buf_add_json(). */
#include "state/base/mem.h"
#include "state/base/plain.h"
#include "state/base/rune.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Characters that a JSON string may not hold, or that would do harm where it is shown or framed. */
static bool
needs_escape(uint32_t rune)
{
    return rune < 0x20 || rune == '"' || rune == '\\' || (rune >= 0x7F && rune < 0xA0) ||
           rune == 0x2028 || rune == 0x2029;
}

/* What is rare of the next.  Cold, or 64 KiB of what is common take 5 us more. */
static struct plain_places __attribute__((cold, noinline))
put_rare(struct plain_places at, const unsigned char *end)
{
    static const char digits[] = "0123456789abcdef";
    struct slice rest = {(const char *)at.from, (size_t)(end - at.from)};
    uint32_t rune = 0;
    size_t n = rune_decode(rest, 0, &rune);

    if (n == 0) {
        memcpy(at.to, REPLACEMENT, sizeof REPLACEMENT - 1);
        return (struct plain_places){at.from + 1, at.to + sizeof REPLACEMENT - 1};
    }
    if (!needs_escape(rune)) {
        memcpy(at.to, at.from, n);
        return (struct plain_places){at.from + n, at.to + n};
    }
    *at.to++ = '\\';
    *at.to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *at.to++ = digits[rune >> shift & 15];
    }
    at.from += n;
    return at;
}

static inline bool
is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Whether a character of two bytes that may stand as it is begins at 'p', where there are two. */
static inline bool
is_two(const unsigned char *p)
{
    return *p >= 0xC2 && *p <= 0xDF && is_tail(p[1]) && (*p != 0xC2 || p[1] >= 0xA0);
}

/* Whether one of three bytes does, where there are three: none that a further rule of UTF-8 is
 * about, nor U+2028 (E2 80 A8) and U+2029. */
static inline bool
is_three(const unsigned char *p)
{
    return *p >= 0xE1 && *p <= 0xEF && *p != 0xED && is_tail(p[1]) && is_tail(p[2]) &&
           (*p != 0xE2 || p[1] != 0x80 || (p[2] & 0xFE) != 0xA8);
}

static const char short_of[256] =
    {['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

/* Writes the character at 'from', which is not plain, as it may stand in a JSON string: 6 bytes at
 * most.  Returns where the next one begins, and goes. */
static struct plain_places
put_odd(struct plain_places at, const unsigned char *end)
{
    if (short_of[*at.from]) {
        at.to[0] = '\\';
        at.to[1] = short_of[*at.from];
        return (struct plain_places){at.from + 1, at.to + 2};
    }
    if (end - at.from >= 2 && is_two(at.from)) {
        memcpy(at.to, at.from, 2);
        return (struct plain_places){at.from + 2, at.to + 2};
    }
    return put_rare(at, end);
}

/* Copies what is plain and writes short escapes, 16 bytes at a time, while they begin before 'stop'
 * and there are twice as many; characters of two and three bytes are copied with what is around
 * them.  Stops at what is none of that.  Room is needed for 16 bytes more.  64 KiB of prose take
 * half the instructions so that they take from one odd byte to the next. */
static inline struct plain_places
escape_simple(struct plain_places at, const unsigned char *stop, const unsigned char *end)
{
    const unsigned char *chunk = at.from;
    unsigned passed = 0; /* Bits of the 16 that belong to a character before them. */

    for (; chunk < stop && end - chunk > 32; chunk += 16) {
        unsigned odd = plain_look(chunk, end, PLAIN_ODD) & ~passed;

        passed = 0;
        while (odd) {
            unsigned i = (unsigned)__builtin_ctz(odd);
            const unsigned char *mark = chunk + i;

            if (!short_of[*mark] && (is_two(mark) || is_three(mark))) {
                unsigned bits = *mark < 0xE0 ? 3 : 7;

                odd &= ~(bits << i);
                passed = bits << i >> 16;
                continue;
            }
            memcpy(at.to, at.from, 16);
            at.to += mark - at.from;
            at.from = mark;
            if (!short_of[*mark]) {
                return at;
            }
            *at.to++ = '\\';
            *at.to++ = short_of[*mark];
            at.from = mark + 1;
            odd &= odd - 1;
        }
        memcpy(at.to, at.from, 16);
        at.to += chunk + 16 - at.from;
        at.from = chunk + 16;
    }
    for (; passed; passed >>= 1) {
        *at.to++ = (char)*at.from++;
    }
    return at;
}

/* Adds a text of plain bytes, for which there must be room, with its quotes.  Most are short names:
 * four of them in a small answer take 560 instructions less so. */
static void
add_plain(struct buf *b, struct slice text)
{
    char *to = b->data + b->len;

    to[0] = '"';
    memcpy(to + 1, text.data, text.len);
    memcpy(to + 1 + text.len, "\"", sizeof "\"");
    b->len += text.len + 2;
}

#define PIECE_SIZE ((size_t)2048)
#define PIECE_STEP                                                                \
    (PIECE_SIZE / 6 - 24) /* Read for one: 17 more at most, 6 bytes each; quotes. \
                           */

/* Where the next piece is made: behind what 'b' holds, if there surely is room for it, else in
 * 'piece', so that a limit of 'b' is held to the byte. */
static inline char *
piece_begin(struct buf *b, char *piece)
{
    bool room = b->data && !b->failed && !b->limit && b->size - b->len > PIECE_SIZE + 16;

    return room ? b->data + b->len : piece;
}

/* Adds the piece from 'begin' to 'end'. */
static inline void
piece_end(struct buf *b, const char *piece, char *begin, char *end)
{
    if (begin == piece) {
        buf_add(b, begin, (size_t)(end - begin));
    } else {
        b->len += (size_t)(end - begin);
        *end = '\0';
    }
}

/* 64 KiB of prose take 11 us; with a decoded character and a formatted escape each they took 330
 * us. */
void
buf_add_json(struct buf *b, struct slice text)
{
    const unsigned char *const end = (const unsigned char *)text.data + text.len;
    struct plain_places at = {(const unsigned char *)text.data, NULL};
    char piece[PIECE_SIZE + 16] NOT_CLEARED;
    char *begin;

    if (text.len && !b->limit && plain_skip(at.from, end) == end) {
        if (buf_reserve(b, text.len + 2)) {
            add_plain(b, text);
        }
        return;
    }
    if (text.len > PIECE_SIZE && !b->limit) {
        buf_reserve(b, text.len + PIECE_SIZE); /* It need not grow from little to much. */
    }
    begin = at.to = piece_begin(b, piece);
    *at.to++ = '"';
    for (;;) {
        size_t left = (size_t)(end - at.from);
        const unsigned char *stop = at.from + (left < PIECE_STEP ? left : PIECE_STEP);

        while (at.from < stop) {
            at = escape_simple(at, stop, end);
            if (at.from < stop) {
                const unsigned char *next = plain_skip(at.from, stop);

                at = (struct plain_places){next, plain_copy(at.to, at.from, next, end)};
                at = next < stop ? put_odd(at, end) : at;
            }
        }
        if (at.from == end) {
            break;
        }
        piece_end(b, piece, begin, at.to);
        begin = at.to = piece_begin(b, piece);
    }
    *at.to++ = '"';
    piece_end(b, piece, begin, at.to);
}
