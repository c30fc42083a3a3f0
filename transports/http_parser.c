/* http_parser.c -- HTTP/1.1 requests out of bytes.
 *
 * DESIGN.  The head is read line by line.  The bytes of a line are looked at as they come, so a
 * forbidden one is refused at once, and a line is understood when its end has come; where the
 * segments were cut can so make no difference.  All places are offsets from the request's first
 * byte, since the buffer may move.  Chunks are moved together as they come; when the input ends
 * inside a chunk's framing, that rest is moved down behind the body, so that the buffer never holds
 * more than head, body and one line. */
#include "transports/http_parser_private.h"

#include <assert.h>

static const struct http_refusal_info refusals[] = {
#define ROW(NAME, STATUS, WORD, TEXT) [HTTP_REFUSED_##NAME] = {STATUS, WORD, TEXT},
    HTTP_REFUSALS(ROW)
#undef ROW
};

const struct slice parser_methods[] = {
#define ROW(NAME) [HTTP_METHOD_##NAME] = {#NAME, sizeof #NAME - 1},
    HTTP_METHODS(ROW)
#undef ROW
};

const struct header_row parser_headers[] = {
#define ROW(NAME, TEXT, LETTER, TIMES) [HTTP_HEADER_##NAME] = {{TEXT, sizeof TEXT - 1}, TIMES},
    HTTP_HEADERS(ROW)
#undef ROW
};
_Static_assert(HTTP_HEADER_COUNT <= 32, "the bits of 'repeated'");

const struct http_refusal_info *
http_refusal_info(enum http_refusal refusal)
{
    assert(refusal > HTTP_OK && refusal < HTTP_REFUSAL_COUNT);
    return &refusals[refusal];
}

const char *
http_method_name(enum http_method method)
{
    return parser_methods[method].data;
}

const char *
http_header_name(enum http_header header)
{
    return parser_headers[header].name.data;
}

void
http_parser_init(struct http_parser *p, const struct http_limits *limits)
{
    assert(limits->count <= HTTP_HEADERS_TOP && limits->line <= 64 * 1024 &&
           limits->headers <= 64 * 1024 && limits->body <= 1 << 30);
    memset(p, 0, offsetof(struct http_parser, fields));
    p->limits = limits;
    p->state = STATE_LINE;
}

bool
parser_refuse(struct http_parser *p, enum http_refusal why)
{
    p->refusal = why;
    p->keep_alive = false;
    p->state = STATE_OVER;
    return false;
}

enum line
parser_stop_line(struct http_parser *p, size_t len, size_t at, bool visible,
                 enum http_refusal too_long, enum http_refusal bad)
{
    p->scan = (uint32_t)at;
    if (at == len || (p->data[at] == '\r' && at + 1 == len)) {
        return LINE_MORE;
    }
    if (p->data[at] == '\r') {
        parser_refuse(p, HTTP_REFUSED_BARE_CR);
    } else if (p->data[at] == '\n') {
        parser_refuse(p, HTTP_REFUSED_BARE_LF);
    } else {
        bool allowed = http_is(p->data[at], visible ? HTTP_VISIBLE : HTTP_FIELD);

        parser_refuse(p, allowed ? too_long : bad);
    }
    return LINE_REFUSED;
}

enum http_event
http_parse(struct http_parser *p, char *data, size_t *len)
{
    assert(p->state != STATE_OVER && *len >= p->scan && *len <= UINT32_MAX);
    p->data = data;
    return p->state <= STATE_HEADERS ? parser_head(p, *len) : parser_body(p, data, len);
}

bool
http_parser_begun(const struct http_parser *p)
{
    return p->state != STATE_LINE || p->scan > p->line;
}

void
http_parser_copy(struct http_parser *to, const struct http_parser *from)
{
    memcpy(to, from, offsetof(struct http_parser, fields) + from->count * sizeof from->fields[0]);
}

size_t
http_parser_missing(const struct http_parser *p)
{
    return p->state == STATE_SIZED ? p->end - p->scan : 0;
}

/* ---- What was read ---- */

struct slice
http_path(const struct http_parser *p)
{
    return p->path.len || !p->authority.len ? parser_slice(p, p->path) : SLICE("/");
}

struct slice
http_query(const struct http_parser *p)
{
    return p->query.at ? parser_slice(p, p->query) : SLICE_NONE;
}

struct slice
http_target_authority(const struct http_parser *p)
{
    return p->authority.len ? parser_slice(p, p->authority) : SLICE_NONE;
}

struct slice
http_host(const struct http_parser *p, unsigned *port)
{
    *port = p->port;
    return p->host.len ? parser_slice(p, p->host) : SLICE_NONE;
}

struct slice
http_body(const struct http_parser *p)
{
    return parser_slice(p, p->body);
}

bool
http_header_next(const struct http_parser *p, unsigned *i, struct slice *name, struct slice *value)
{
    if (*i >= p->count) {
        return false;
    }
    *name = parser_slice(p, p->fields[*i].name);
    *value = parser_slice(p, p->fields[*i].value);
    ++*i;
    return true;
}

bool
http_header_each(const struct http_parser *p, enum http_header header, unsigned *i,
                 struct slice *value)
{
    unsigned at = *i ? *i : p->known[header] ? p->known[header] - 1u : p->count;

    while (at < p->count && p->fields[at].header != header) {
        at++;
    }
    if (at == p->count) {
        return false;
    }
    *value = parser_slice(p, p->fields[at].value);
    *i = at + 1;
    return true;
}

bool
http_header_find(const struct http_parser *p, struct slice name, struct slice *value)
{
    struct slice other, found;

    for (unsigned i = 0; http_header_next(p, &i, &other, &found);) {
        if (http_same(other, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}

bool
http_header_has(const struct http_parser *p, enum http_header header, struct slice token)
{
    struct slice value;

    for (unsigned i = 0; http_header_each(p, header, &i, &value);) {
        if (http_list_has(value, token)) {
            return true;
        }
    }
    return false;
}
