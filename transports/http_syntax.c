/* http_syntax.c -- the small grammar of HTTP/1.1. */
#include "transports/http_syntax.h"

#include <stdint.h>

/* Sixteen characters a line, the sums of their classes; a test derives it anew from the RFCs. */
/* clang-format off */
const unsigned char http_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x60, 0x67, 0x60, 0x61, 0x67, 0x63, 0x67, 0x67, 0x66, 0x66, 0x67, 0x67, 0x62, 0x67, 0x67, 0x62,
    0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x62, 0x66, 0x60, 0x66, 0x60, 0x62,
    0x62, 0x6f, 0x6f, 0x6f, 0x6f, 0x6f, 0x6f, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67,
    0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x60, 0x60, 0x60, 0x61, 0x67,
    0x61, 0x6f, 0x6f, 0x6f, 0x6f, 0x6f, 0x6f, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67,
    0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x60, 0x61, 0x60, 0x67, 0,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
};
/* clang-format on */

bool
http_same(struct slice a, struct slice b)
{
    if (slice_equal(a, b)) { /* As most are written: the 16 looks of a request take 500 less so. */
        return true;
    }
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (http_lower(a.data[i]) != http_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool
http_token(struct slice s)
{
    return s.len > 0 && http_run(s.data, 0, s.len, HTTP_TOKEN) == s.len;
}

bool
http_list_next(struct slice *list, struct slice *element)
{
    while (list->len) {
        const char *comma = memchr(list->data, ',', list->len);
        size_t len = comma ? (size_t)(comma - list->data) : list->len;

        *element = http_trim((struct slice){list->data, len});
        len += comma ? 1 : 0;
        list->data += len;
        list->len -= len;
        if (element->len) {
            return true;
        }
    }
    return false;
}

bool
http_list_has(struct slice list, struct slice token)
{
    struct slice element;

    while (http_list_next(&list, &element)) {
        const char *parameters = memchr(element.data, ';', element.len);

        if (parameters) {
            element = http_trim((struct slice){element.data, (size_t)(parameters - element.data)});
        }
        if (http_same(element, token)) {
            return true;
        }
    }
    return false;
}

/* Whether the parameters of an element of Accept give it the weight 0: "q=0", "q=0.000". */
static bool
weighs_nothing(struct slice parameters)
{
    const char *semicolon;

    do {
        struct slice one = parameters;

        semicolon = memchr(parameters.data, ';', parameters.len);
        if (semicolon) {
            one.len = (size_t)(semicolon - parameters.data);
            parameters.data += one.len + 1;
            parameters.len -= one.len + 1;
        }
        one = http_trim(one);
        if (one.len >= 3 && http_same((struct slice){one.data, 2}, SLICE("q="))) {
            for (size_t i = 2; i < one.len; i++) {
                if (one.data[i] != '0' && one.data[i] != '.') {
                    return false;
                }
            }
            return true;
        }
    } while (semicolon);
    return false;
}

/* How closely 'name' names 'type'; see struct http_wish. */
static unsigned
fit_of(struct slice name, struct slice type)
{
    size_t kind;

    if (http_same(name, type)) {
        return HTTP_FIT_ITSELF;
    }
    kind = (size_t)((const char *)memchr(type.data, '/', type.len) - type.data) + 1;
    if (name.len == kind + 1 && name.data[kind] == '*' &&
        http_same((struct slice){name.data, kind}, (struct slice){type.data, kind})) {
        return 2;
    }
    return slice_is(name, "*/*") ? 1 : 0;
}

void
http_wish_read(struct slice accept, struct slice type, struct http_wish *wish)
{
    struct slice element;

    while (http_list_next(&accept, &element)) {
        const char *semicolon = memchr(element.data, ';', element.len);
        struct slice parameters = SLICE_NONE;
        unsigned fit;

        if (semicolon) {
            size_t len = (size_t)(semicolon - element.data);

            parameters = (struct slice){semicolon + 1, element.len - len - 1};
            element = http_trim((struct slice){element.data, len});
        }
        fit = fit_of(element, type);
        if (fit > wish->fit) {
            wish->fit = fit;
            wish->taken = !semicolon || !weighs_nothing(parameters);
        }
    }
}

/* RFC 3986 lets a registered name be of any length; the names of DNS end at 255. */
#define HOST_MAX 255

bool
http_authority(struct slice s, struct slice *host, unsigned *port)
{
    size_t at = 0;
    unsigned number = 0;

    if (s.len && s.data[0] == '[') {
        at = 1;
        while (at < s.len &&
               (http_is(s.data[at], HTTP_HEX) || s.data[at] == ':' || s.data[at] == '.')) {
            at++;
        }
        if (at < 3 || at == s.len || s.data[at] != ']') {
            return false;
        }
        at++;
    } else {
        at = http_run(s.data, 0, s.len, HTTP_HOST);
    }
    if (at == 0 || at > HOST_MAX) {
        return false;
    }
    *host = (struct slice){s.data, at};
    *port = 0;
    if (at == s.len) {
        return true;
    }
    if (s.data[at] != ':' || s.len - at < 2 || s.len - at > 6) {
        return false;
    }
    for (at++; at < s.len; at++) {
        if (!http_is(s.data[at], HTTP_DIGIT)) {
            return false;
        }
        number = number * 10 + (unsigned)(s.data[at] - '0');
    }
    *port = number;
    return number > 0 && number <= 65535;
}

bool
http_percent_ok(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '%') {
            continue;
        }
        if (s.len - i < 3 || !http_is(s.data[i + 1], HTTP_HEX) ||
            !http_is(s.data[i + 2], HTTP_HEX)) {
            return false;
        }
        i += 2;
    }
    return true;
}

static unsigned
hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : http_lower(c) - 'a' + 10);
}

/* 's' is known to have whole escapes only, as all that the parser lets pass. */
static void
add_decoded(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '%' && s.len - i > 2) {
            buf_addc(out, (char)(hex_value(s.data[i + 1]) << 4 | hex_value(s.data[i + 2])));
            i += 2;
        } else {
            buf_addc(out, s.data[i]);
        }
    }
}

unsigned
http_query_find(struct slice query, const char *name, struct buf *value)
{
    size_t len = strlen(name);
    unsigned found = 0;

    while (query.len) {
        const char *and = memchr(query.data, '&', query.len);
        size_t part = and? (size_t)(and-query.data) : query.len;

        if (part > len && query.data[len] == '=' && memcmp(query.data, name, len) == 0) {
            if (!found++) {
                add_decoded(value, (struct slice){query.data + len + 1, part - len - 1});
            }
        }
        part += and != NULL;
        query = (struct slice){query.data + part, query.len - part};
    }
    return found;
}
