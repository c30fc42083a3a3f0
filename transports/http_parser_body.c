/* http_parser_body.c -- bodies: of known length, or out of chunks.
 *
 * Chunks are moved together as they come; when the input ends inside a chunk's framing, that rest
 * is moved down behind the body, so that the buffer never holds more than head, body and one line.
 */
#include "transports/http_parser_private.h"

/* One quoted string that begins at s[at]; returns what follows it, or 0 if it has no end. */
static size_t
skip_quoted(struct slice s, size_t at)
{
    for (at++; at < s.len; at++) {
        if (s.data[at] == '"') {
            return at + 1;
        }
        if (s.data[at] == '\\') {
            at++;
        }
    }
    return 0;
}

/* *( ";" NAME [ "=" ( TOKEN / QUOTED ) ] ), without blanks. */
static bool
extensions_ok(struct slice s)
{
    size_t at = 0;

    while (at < s.len) {
        size_t end;

        if (s.data[at] != ';') {
            return false;
        }
        end = http_run(s.data, at + 1, s.len, HTTP_TOKEN);
        if (end == at + 1) {
            return false;
        }
        at = end;
        if (at < s.len && s.data[at] == '=') {
            at++;
            if (at < s.len && s.data[at] == '"') {
                end = skip_quoted(s, at);
            } else {
                end = http_run(s.data, at, s.len, HTTP_TOKEN);
            }
            if (end <= at) {
                return false;
            }
            at = end;
        }
    }
    return true;
}

/* HEX [ extensions ] */
static bool
read_chunk_line(struct http_parser *p)
{
    struct slice line = parser_line(p);
    size_t digits = http_run(line.data, 0, line.len, HTTP_HEX);
    uint64_t size = 0;

    if (digits == 0 || (digits < line.len && line.data[digits] != ';')) {
        return parser_refuse(p, HTTP_REFUSED_CHUNK_SIZE);
    }
    for (size_t i = 0; i < digits; i++) {
        char c = http_lower(line.data[i]);

        if (size >> 60) {
            return parser_refuse(p, HTTP_REFUSED_CHUNK_SIZE);
        }
        size = size << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!extensions_ok((struct slice){line.data + digits, line.len - digits})) {
        return parser_refuse(p, HTTP_REFUSED_EXTENSION);
    }
    p->extension_bytes += (uint32_t)(line.len - digits);
    if (p->extension_bytes > HTTP_EXTENSIONS_MAX) {
        return parser_refuse(p, HTTP_REFUSED_EXTENSIONS_LARGE);
    }
    if (size > p->limits->body - p->body.len) {
        return parser_refuse(p, HTTP_REFUSED_BODY_LARGE);
    }
    p->chunk_left = size;
    p->state = size ? STATE_CHUNK_DATA : STATE_TRAILERS;
    return true;
}

static enum line
parse_chunk_line(struct http_parser *p, size_t len)
{
    enum line line = parser_next_line(p, len, HTTP_CHUNK_LINE_MAX, false,
                                      HTTP_REFUSED_EXTENSIONS_LARGE, HTTP_REFUSED_CHUNK_SIZE);

    if (line == LINE_WHOLE) {
        if (!read_chunk_line(p)) {
            return LINE_REFUSED;
        }
        p->line = p->scan;
    }
    return line;
}

/* Moves what there is of a chunk behind the body so far. */
static enum line
take_chunk_data(struct http_parser *p, char *data, size_t len)
{
    size_t there = len - p->scan;
    size_t take = there < p->chunk_left ? there : (size_t)p->chunk_left;
    char *to = data + p->body.at + p->body.len;

    if (to != data + p->scan) {
        memmove(to, data + p->scan, take);
    }
    p->body.len += (uint32_t)take;
    p->chunk_left -= take;
    p->scan += (uint32_t)take;
    p->line = p->scan;
    if (p->chunk_left) {
        return LINE_MORE;
    }
    p->state = STATE_CHUNK_END;
    return LINE_WHOLE;
}

static enum line
parse_chunk_end(struct http_parser *p, size_t len)
{
    static const char end[2] = "\r\n";

    while (p->scan - p->line < 2) {
        if (p->scan == len) {
            return LINE_MORE;
        }
        if (p->data[p->scan] != end[p->scan - p->line]) {
            parser_refuse(p, HTTP_REFUSED_CHUNK_END);
            return LINE_REFUSED;
        }
        p->scan++;
    }
    p->line = p->scan;
    p->state = STATE_CHUNK_LINE;
    return LINE_WHOLE;
}

/* Trailers are held to the rules of headers, and dropped. */
static enum line
parse_trailer(struct http_parser *p, size_t len)
{
    size_t budget = p->limits->headers - p->trailer_bytes;
    enum line line = parser_next_line(p, len, budget > 2 ? budget - 2 : 0, false,
                                      HTTP_REFUSED_HEADERS_LARGE, HTTP_REFUSED_CONTROL);
    struct http_field trailer;

    if (line != LINE_WHOLE) {
        return line;
    }
    if (p->line_len == 0) {
        p->state = STATE_OVER;
        return LINE_WHOLE;
    }
    if (++p->trailers > p->limits->count) {
        parser_refuse(p, HTTP_REFUSED_HEADERS_MANY);
        return LINE_REFUSED;
    }
    p->trailer_bytes += p->line_len + 2;
    if (!parser_split_header(p, &trailer)) {
        return LINE_REFUSED;
    }
    p->line = p->scan;
    return LINE_WHOLE;
}

static enum http_event
parse_chunks(struct http_parser *p, char *data, size_t *len)
{
    enum line line = LINE_WHOLE;

    while (line == LINE_WHOLE && p->state != STATE_OVER) {
        switch (p->state) {
        case STATE_CHUNK_LINE:
            line = parse_chunk_line(p, *len);
            break;
        case STATE_CHUNK_DATA:
            line = take_chunk_data(p, data, *len);
            break;
        case STATE_CHUNK_END:
            line = parse_chunk_end(p, *len);
            break;
        default:
            line = parse_trailer(p, *len);
        }
    }
    if (line == LINE_REFUSED) {
        return HTTP_REFUSED;
    }
    if (line == LINE_MORE) {
        /* What is begun of the framing moves down to where the body ends. */
        uint32_t to = p->body.at + p->body.len, gap = p->line - to;

        memmove(data + to, data + p->line, *len - p->line);
        *len -= gap;
        p->line -= gap;
        p->scan -= gap;
        return HTTP_MORE;
    }
    p->end = p->scan;
    return HTTP_WHOLE;
}

/* Decides how the body is delimited, now that the caller has taken the head. */
static bool
begin_body(struct http_parser *p)
{
    bool wants = p->method == HTTP_METHOD_POST || p->method == HTTP_METHOD_PUT ||
                 p->method == HTTP_METHOD_PATCH;

    if (!p->has_body && wants) {
        return parser_refuse(p, HTTP_REFUSED_LENGTH_MISSING);
    }
    if (p->length > p->limits->body) {
        return parser_refuse(p, HTTP_REFUSED_BODY_LARGE);
    }
    p->state = p->chunked ? STATE_CHUNK_LINE : STATE_SIZED;
    return true;
}

static enum http_event
parse_sized(struct http_parser *p, size_t len)
{
    p->end = p->body.at + (size_t)p->length;
    if (len < p->end) {
        p->scan = (uint32_t)len;
        return HTTP_MORE;
    }
    p->body.len = (uint32_t)p->length;
    p->state = STATE_OVER;
    return HTTP_WHOLE;
}

enum http_event
parser_body(struct http_parser *p, char *data, size_t *len)
{
    if (p->state == STATE_BODY && !begin_body(p)) {
        return HTTP_REFUSED;
    }
    return p->state == STATE_SIZED ? parse_sized(p, *len) : parse_chunks(p, data, len);
}
