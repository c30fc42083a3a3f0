/* http_syntax.h -- the small grammar of HTTP/1.1: character classes, tokens, lists, authorities.
 *
 * What RFC 9110 and 9112 define below the level of a request, for the parser and for the checks
 * that read header values.  Everything here is pure: any bytes, any thread. */
#ifndef TANDEM_HTTP_SYNTAX_H
#define TANDEM_HTTP_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "state/base/mem.h"

/* clang-format off */
/* Classes of a byte; a byte may be in several. */
enum {
    HTTP_TOKEN = 1,   /* In names and methods: letters, digits, !#$%&'*+-.^_`|~ */
    HTTP_URI = 2,     /* In a path or query, '%' and '?' included. */
    HTTP_HOST = 4,    /* In a registered name or IPv4 address. */
    HTTP_HEX = 8,     /* 0-9, a-f, A-F. */
    HTTP_DIGIT = 16,  /* 0-9. */
    HTTP_VISIBLE = 32, /* 0x21..0x7E, and the space. */
    HTTP_FIELD = 64,  /* In a header's value: the above, tab, 0x80..0xFF. */
};
/* clang-format on */
extern const unsigned char http_classes[256];

static inline bool
http_is(char c, unsigned classes)
{
    return (http_classes[(unsigned char)c] & classes) != 0;
}

/* ASCII only, whatever the locale. */
static inline char
http_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether two texts are the same but for the case of ASCII letters. */
bool http_same(struct slice a, struct slice b);

/* 's' without blanks and tabs at both ends. */
static inline struct slice
http_trim(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* True if 's' is one or more characters of a token. */
bool http_token(struct slice s);

/* Takes the next element off the comma list 'list', trimmed and not empty; false at its end.
 * Quoted strings are not looked into: no list that is read here has any. */
bool http_list_next(struct slice *list, struct slice *element);

/* Whether a comma list of tokens has 'token', in any case; parameters (";q=1") are ignored. */
bool http_list_has(struct slice list, struct slice token);

/* What the values of Accept say of one media type. */
#define HTTP_FIT_ITSELF 3u
struct http_wish {
    unsigned fit; /* How closely it is named: not, by any type, by its kind, itself. */
    bool taken;   /* By the closest of them: one of weight 0 refuses it. */
};

/* Adds what one value of Accept says of 'type' (lower case, with a slash) to 'wish', which begins
 * as zeroes. */
void http_wish_read(struct slice accept, struct slice type, struct http_wish *wish);

/* Reads "host" or "host:port" as a Host header or an absolute target has it, without user name:
 * stores the host (an IPv6 address with its brackets) and the port, 0 if there is none.  False if
 * it is not one.  Names are checked by their characters, addresses not at all: who compares with
 * a list need not know. */
bool http_authority(struct slice s, struct slice *host, unsigned *port);

/* True if every '%' in 's' is followed by two hexadecimal digits. */
bool http_percent_ok(struct slice s);

/* Finds the parameter 'name' in a query ("a=1&b=2") and appends what its first value says,
 * percent-decoded; a '+' is one.  Returns how often it is there. */
unsigned http_query_find(struct slice query, const char *name, struct buf *value);

/* Finds the end of the run of bytes of 'classes' that begins at data[at], at most 'end'. */
static inline size_t
http_run(const char *data, size_t at, size_t end, unsigned classes)
{
    while (at < end && http_is(data[at], classes)) {
        at++;
    }
    return at;
}

/* As http_run() with HTTP_VISIBLE, or else HTTP_FIELD, but sixteen bytes at a time: of these are
 * lines, nearly all of a head.  The two are told apart where this is compiled in. */
static inline size_t
http_line_run(const char *data, size_t at, size_t end, bool visible)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1F)), chunk);
        __m128i del = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(0x7F));
        __m128i tab = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\t'));
        unsigned odd = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(del, visible ? _mm_or_si128(low, chunk) : _mm_andnot_si128(tab, low)));

        if (odd) {
            return at + (unsigned)__builtin_ctz(odd);
        }
    }
#endif
    return http_run(data, at, end, visible ? HTTP_VISIBLE : HTTP_FIELD);
}

#endif
