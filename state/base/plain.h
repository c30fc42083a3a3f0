/* plain.h -- the plain stretches of JSON strings, which are most of all text: ASCII that stands in
 * a string as it is, neither quote nor backslash nor control character (DEL is one).
 *
 * DESIGN.  They are looked at 16 bytes at a time, 8 where there is no SSE2.  One comparison finds
 * control characters and bytes above ASCII alike, because the latter are negative as signed bytes;
 * shifted by one it takes DEL in.  No load reaches past the end.  Pure: any thread. */
#ifndef TANDEM_PLAIN_H
#define TANDEM_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
#include <emmintrin.h>
#endif

static inline bool
plain_is(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
/* Bit i is set where byte i is not plain. */
static inline unsigned
plain_odd(__m128i chunk)
{
    __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')),
                               _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\')));
    __m128i next = _mm_add_epi8(chunk, _mm_set1_epi8(1)); /* DEL and above: negative. */

    odd = _mm_or_si128(odd, _mm_cmplt_epi8(next, _mm_set1_epi8(0x21)));
    return (unsigned)_mm_movemask_epi8(odd);
}

#endif

enum plain_stop {
    PLAIN_ODD,     /* At what is not plain. */
    PLAIN_ESCAPES, /* At backslashes. */
    PLAIN_MARKS,   /* At backslashes and quotes. */
};

/* A walk from one byte that is not plain to the next, over text that has many: 16 bytes are looked
 * at once, whatever is found in them, and what is found does not hold up the next 16. */
struct plain_walk {
    const unsigned char *chunk, *end; /* The bytes that are being looked at. */
    unsigned odd;                     /* Of them, those that it stops at. */
    enum plain_stop stop;
};

static inline bool
plain_stops(unsigned char c, enum plain_stop stop)
{
    return stop == PLAIN_ODD ? !plain_is(c) : c == '\\' || (stop == PLAIN_MARKS && c == '"');
}

static inline unsigned
plain_look(const unsigned char *p, const unsigned char *end, enum plain_stop stop)
{
    unsigned odd = 0;

#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
    if (end - p >= 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i found = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\'));

        if (stop == PLAIN_MARKS) {
            found = _mm_or_si128(found, _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')));
        }
        return stop == PLAIN_ODD ? plain_odd(chunk) : (unsigned)_mm_movemask_epi8(found);
    }
#endif
    for (unsigned i = 0; i < 16 && p + i < end; i++) {
        odd |= (unsigned)plain_stops(p[i], stop) << i;
    }
    return odd;
}

static inline void
plain_walk_init(struct plain_walk *w, const unsigned char *p, const unsigned char *end,
                enum plain_stop stop)
{
    *w = (struct plain_walk){p, end, plain_look(p, end, stop), stop};
}

/* The first byte from 'from' on that it stops at, or the end.  'from' never goes back. */
static inline const unsigned char *
plain_next(struct plain_walk *w, const unsigned char *from)
{
    for (;;) {
        size_t passed = (size_t)(from - w->chunk);

        if (from > w->chunk) {
            w->odd &= passed < 16 ? ~0u << passed : 0;
        }
        if (w->odd) {
            return w->chunk + __builtin_ctz(w->odd);
        }
        if (w->end - w->chunk <= 16) {
            return w->end;
        }
        w->chunk += 16;
        w->odd = plain_look(w->chunk, w->end, w->stop);
    }
}

/* Where a text is being read, and where what is made of it goes.  To be passed by value: what lies
 * in memory, for a function to change, is written and read again at each step. */
struct plain_places {
    const unsigned char *from;
    char *to;
};

/* Copies what lies between 'p' and 'next' to 'to', which has room for 16 bytes more, and returns
 * where it goes on.  'end' is that of the text. */
static inline char *
plain_copy(char *to, const unsigned char *p, const unsigned char *next, const unsigned char *end)
{
#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
    while (p < next && end - p >= 16) {
        _mm_storeu_si128((__m128i *)(void *)to, _mm_loadu_si128((const __m128i *)(const void *)p));
        if (next - p <= 16) {
            return to + (next - p);
        }
        to += 16;
        p += 16;
    }
#endif
    (void)end;
    while (p < next) {
        *to++ = (char)*p++;
    }
    return to;
}

/* The first byte that is not plain, or the end. */
static inline const unsigned char *
plain_skip(const unsigned char *p, const unsigned char *end)
{
#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
    while (end - p >= 16) {
        unsigned odd = plain_odd(_mm_loadu_si128((const __m128i *)(const void *)p));

        if (odd) {
            return p + __builtin_ctz(odd);
        }
        p += 16;
    }
#else
    const uint64_t ones = ~(uint64_t)0 / 0xFF, tops = ones * 0x80;

    while (end - p >= 8) {
        uint64_t chunk, quote, backslash, del;

        memcpy(&chunk, p, sizeof chunk);
        quote = chunk ^ ones * '"';
        backslash = chunk ^ ones * '\\';
        del = chunk ^ ones * 0x7F;
        /* Borrows may mark a byte after the first odd one, never hide the first one. */
        if (((chunk - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones) | chunk) &
            tops) {
            break;
        }
        p += 8;
    }
#endif
    while (p < end && plain_is(*p)) {
        p++;
    }
    return p;
}

#endif
