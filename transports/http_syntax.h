/* http_syntax.h -- the small grammar of HTTP/1.1: character classes, tokens, lists, authorities.
 *
 * What RFC 9110 and 9112 define below the level of a request, for the parser and for the checks
 * that read header values.  Everything here is pure: any bytes, any thread. */
#ifndef TANDEM_HTTP_SYNTAX_H
#define TANDEM_HTTP_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

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
struct slice http_trim(struct slice s);

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

/* Finds the length of the run of bytes of 'classes' that begins at data[at]; returns its end, at
 * most 'end'. */
size_t http_run(const char *data, size_t at, size_t end, unsigned classes);

#endif
