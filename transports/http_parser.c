/* http_parser.c -- HTTP/1.1 requests out of bytes.
 *
 * DESIGN.  The head is read line by line.  The bytes of a line are looked at as they come, so a
 * forbidden one is refused at once, and a line is understood when its end has come; where the
 * segments were cut can so make no difference.  All places are offsets from the request's first
 * byte, since the buffer may move.  Chunks are moved together as they come; when the input ends
 * inside a chunk's framing, that rest is moved down behind the body, so that the buffer never holds
 * more than head, body and one line. */
#include "transports/http_parser.h"

#include <assert.h>

enum state {
    STATE_LINE, /* Waits for the request line, or empty lines before it. */
    STATE_HEADERS,
    STATE_BODY, /* The head has been told; how long the body is, is to be looked at. */
    STATE_SIZED,
    STATE_CHUNK_LINE,
    STATE_CHUNK_DATA,
    STATE_CHUNK_END,
    STATE_TRAILERS,
    STATE_OVER,
};

static const struct http_refusal_info refusals[] = {
#define ROW(NAME, STATUS, WORD, TEXT) [HTTP_REFUSED_##NAME] = {STATUS, WORD, TEXT},
    HTTP_REFUSALS(ROW)
#undef ROW
};

static const struct slice method_names[] = {
#define ROW(NAME) [HTTP_METHOD_##NAME] = {#NAME, sizeof #NAME - 1},
    HTTP_METHODS(ROW)
#undef ROW
};

enum times { ONCE, MANY };
static const struct header_row {
    struct slice name;
    enum times times;
} header_rows[] = {
#define ROW(NAME, TEXT, TIMES) [HTTP_HEADER_##NAME] = {{TEXT, sizeof TEXT - 1}, TIMES},
    HTTP_HEADERS(ROW)
#undef ROW
};
_Static_assert(HTTP_HEADER_COUNT <= 32, "the bits of 'repeated'");

/* Length and first letter of each known name, to pass over most of them quickly. */
#define KEY(LEN, FIRST) ((uint16_t)((LEN) << 8 | ((FIRST) | 0x20)))
static const uint16_t header_keys[] = {
#define ROW(NAME, TEXT, TIMES) KEY(sizeof TEXT - 1, TEXT[0]),
    HTTP_HEADERS(ROW)
#undef ROW
};

const struct http_refusal_info *
http_refusal_info(enum http_refusal refusal)
{
    assert(refusal > HTTP_OK && refusal < HTTP_REFUSAL_COUNT);
    return &refusals[refusal];
}

const char *
http_method_name(enum http_method method)
{
    return method_names[method].data;
}

const char *
http_header_name(enum http_header header)
{
    return header_rows[header].name.data;
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

static inline struct slice
at_span(const struct http_parser *p, struct http_span span)
{
    return (struct slice){p->data + span.at, span.len};
}

static inline struct http_span
span_of(const struct http_parser *p, struct slice s)
{
    return (struct http_span){(uint32_t)(s.data - p->data), (uint32_t)s.len};
}

static bool
refuse(struct http_parser *p, enum http_refusal why)
{
    p->refusal = why;
    p->keep_alive = false;
    p->state = STATE_OVER;
    return false;
}

/* ---- Lines ---- */

enum line { LINE_MORE, LINE_WHOLE, LINE_REFUSED };

/* Looks for the end of the line that begins at p->line, which may have 'limit' bytes of 'classes'.
 * Once it is whole, 'line_len' is set and 'scan' is the next line's place. */
static enum line
next_line(struct http_parser *p, size_t len, size_t limit, unsigned classes,
          enum http_refusal too_long, enum http_refusal bad)
{
    size_t stop = p->line + limit < len ? p->line + limit : len;
    size_t at = http_run(p->data, p->scan, stop, classes);

    p->scan = (uint32_t)at;
    if (at == len) {
        return LINE_MORE;
    }
    if (p->data[at] == '\r') {
        if (at + 1 == len) {
            return LINE_MORE;
        }
        if (p->data[at + 1] == '\n') {
            p->line_len = (uint32_t)(at - p->line);
            p->scan = (uint32_t)at + 2;
            return LINE_WHOLE;
        }
        refuse(p, HTTP_REFUSED_BARE_CR);
    } else if (p->data[at] == '\n') {
        refuse(p, HTTP_REFUSED_BARE_LF);
    } else {
        refuse(p, http_is(p->data[at], classes) ? too_long : bad);
    }
    return LINE_REFUSED;
}

static inline struct slice
line_slice(const struct http_parser *p)
{
    return (struct slice){p->data + p->line, p->line_len};
}

/* ---- The request line ---- */

static bool
starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && http_same((struct slice){s.data, prefix.len}, prefix);
}

/* Splits off "http://authority"; what is left begins with '/' or '?', or is empty. */
static bool
take_authority(struct http_parser *p, struct slice *rest)
{
    struct slice authority, host;
    unsigned port;

    if (starts_with(*rest, SLICE("http://"))) {
        rest->data += 7;
        rest->len -= 7;
    } else if (starts_with(*rest, SLICE("https://"))) {
        rest->data += 8;
        rest->len -= 8;
    } else {
        return false;
    }
    authority = *rest;
    for (authority.len = 0; authority.len < rest->len; authority.len++) {
        if (authority.data[authority.len] == '/' || authority.data[authority.len] == '?') {
            break;
        }
    }
    rest->data += authority.len;
    rest->len -= authority.len;
    p->authority = span_of(p, authority);
    return http_authority(authority, &host, &port);
}

static bool
read_target(struct http_parser *p, struct slice target)
{
    const char *question;

    if (slice_is(target, "*")) {
        p->path = span_of(p, target);
        return p->method == HTTP_METHOD_OPTIONS || refuse(p, HTTP_REFUSED_TARGET);
    }
    if (target.data[0] != '/' && !take_authority(p, &target)) {
        return refuse(p, HTTP_REFUSED_TARGET);
    }
    if (http_run(target.data, 0, target.len, HTTP_URI) != target.len || !http_percent_ok(target)) {
        return refuse(p, HTTP_REFUSED_TARGET);
    }
    question = target.len ? memchr(target.data, '?', target.len) : NULL;
    if (question) {
        size_t path_len = (size_t)(question - target.data);

        p->query = span_of(p, (struct slice){question + 1, target.len - path_len - 1});
        target.len = path_len;
    }
    p->path = span_of(p, target);
    return true;
}

static bool
read_version(struct http_parser *p, struct slice version)
{
    static const struct slice form = {"HTTP/", 5};

    if (version.len == 8 && memcmp(version.data, "HTTP/1.", 7) == 0 &&
        (version.data[7] == '1' || version.data[7] == '0')) {
        p->minor = version.data[7] == '1' ? 1 : 0;
        p->keep_alive = p->minor == 1;
        return true;
    }
    if (version.len < 8 || memcmp(version.data, form.data, form.len) != 0 ||
        http_run(version.data, form.len, version.len, HTTP_DIGIT) == form.len) {
        return refuse(p, HTTP_REFUSED_LINE);
    }
    for (size_t i = form.len; i < version.len; i++) {
        if (!http_is(version.data[i], HTTP_DIGIT) && version.data[i] != '.') {
            return refuse(p, HTTP_REFUSED_LINE);
        }
    }
    return refuse(p, version.data[5] == '2' ? HTTP_REFUSED_HTTP2 : HTTP_REFUSED_VERSION);
}

static void
find_method(struct http_parser *p, struct slice name)
{
    for (int m = HTTP_METHOD_NONE + 1; m < HTTP_METHOD_COUNT; m++) {
        if (slice_equal(name, method_names[m])) {
            p->method = (enum http_method)m;
            return;
        }
    }
}

/* METHOD SP TARGET SP VERSION, with single spaces. */
static bool
read_request_line(struct http_parser *p)
{
    struct slice line = line_slice(p), method, target, version;
    const char *space = memchr(line.data, ' ', line.len), *second;

    if (!space) {
        return refuse(p, HTTP_REFUSED_LINE);
    }
    method = (struct slice){line.data, (size_t)(space - line.data)};
    target.data = space + 1;
    second = memchr(target.data, ' ', line.len - method.len - 1);
    if (!second || !http_token(method)) {
        return refuse(p, HTTP_REFUSED_LINE);
    }
    target.len = (size_t)(second - target.data);
    version = (struct slice){second + 1, line.len - method.len - target.len - 2};
    if (target.len == 0) {
        return refuse(p, HTTP_REFUSED_LINE);
    }
    if (!read_version(p, version)) {
        return false;
    }
    find_method(p, method);
    if (p->method == HTTP_METHOD_NONE) {
        return refuse(p, HTTP_REFUSED_METHOD);
    }
    return read_target(p, target);
}

/* ---- Headers ---- */

static bool
read_length(struct http_parser *p, struct slice value)
{
    uint64_t length = 0;

    if (p->chunked) {
        return refuse(p, HTTP_REFUSED_BOTH_LENGTHS);
    }
    if (value.len == 0 || http_run(value.data, 0, value.len, HTTP_DIGIT) != value.len) {
        return refuse(p, HTTP_REFUSED_LENGTH);
    }
    for (size_t i = 0; i < value.len; i++) {
        if (length > (INT64_MAX - 9) / 10) {
            return refuse(p, HTTP_REFUSED_LENGTH);
        }
        length = length * 10 + (unsigned)(value.data[i] - '0');
    }
    p->length = length;
    p->has_body = true;
    return true;
}

static bool
read_coding(struct http_parser *p, struct slice value)
{
    if (p->has_body) {
        return refuse(p, HTTP_REFUSED_BOTH_LENGTHS);
    }
    if (p->minor == 0) {
        return refuse(p, HTTP_REFUSED_CODING_1_0);
    }
    if (!http_same(value, SLICE("chunked"))) {
        return refuse(p, HTTP_REFUSED_CODING);
    }
    p->chunked = p->has_body = true;
    return true;
}

static bool
read_host(struct http_parser *p, struct slice value)
{
    struct slice host;
    unsigned port;

    return http_authority(value, &host, &port) || refuse(p, HTTP_REFUSED_HOST);
}

static bool
read_expectation(struct http_parser *p, struct slice value)
{
    if (p->minor == 0) {
        return true; /* RFC 9110, 10.1.1: to be ignored. */
    }
    p->expects = http_same(value, SLICE("100-continue"));
    return p->expects || refuse(p, HTTP_REFUSED_EXPECTATION);
}

/* What a known header means for the parser itself. */
static bool
read_known(struct http_parser *p, enum http_header header, bool again, struct slice value)
{
    switch (header) {
    case HTTP_HEADER_HOST:
        return again ? refuse(p, HTTP_REFUSED_HOST_REPEATED) : read_host(p, value);
    case HTTP_HEADER_CONTENT_LENGTH:
        return again ? refuse(p, HTTP_REFUSED_LENGTH_TWICE) : read_length(p, value);
    case HTTP_HEADER_TRANSFER_ENCODING:
        return again ? refuse(p, HTTP_REFUSED_CODING) : read_coding(p, value);
    case HTTP_HEADER_EXPECT:
        return read_expectation(p, value);
    default:
        return true;
    }
}

static enum http_header
find_known(struct slice name)
{
    uint16_t key = name.len < 256 ? KEY(name.len, (unsigned char)name.data[0]) : 0;

    for (unsigned h = 0; h < HTTP_HEADER_COUNT; h++) {
        if (header_keys[h] == key && http_same(name, header_rows[h].name)) {
            return (enum http_header)h;
        }
    }
    return HTTP_HEADER_COUNT;
}

/* NAME ":" OWS VALUE OWS */
static bool
split_header(struct http_parser *p, struct slice *name, struct slice *value)
{
    struct slice line = line_slice(p);
    size_t colon = http_run(line.data, 0, line.len, HTTP_TOKEN);

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return refuse(p, HTTP_REFUSED_FOLD);
    }
    if (colon == 0 || colon == line.len || line.data[colon] != ':') {
        bool blank = colon > 0 && colon < line.len &&
                     (line.data[colon] == ' ' || line.data[colon] == '\t') &&
                     memchr(line.data, ':', line.len);

        return refuse(p, blank ? HTTP_REFUSED_SPACE_COLON : HTTP_REFUSED_NAME);
    }
    *name = (struct slice){line.data, colon};
    *value = http_trim((struct slice){line.data + colon + 1, line.len - colon - 1});
    return true;
}

static bool
read_header(struct http_parser *p)
{
    struct slice name, value;
    enum http_header header;
    bool again = false;

    if (!split_header(p, &name, &value)) {
        return false;
    }
    if (p->count == p->limits->count) {
        return refuse(p, HTTP_REFUSED_HEADERS_MANY);
    }
    p->fields[p->count++] = (struct http_field){span_of(p, name), span_of(p, value)};
    header = find_known(name);
    if (header == HTTP_HEADER_COUNT) {
        return true;
    }
    if (p->known[header] == 0) {
        p->known[header] = (unsigned char)p->count;
    } else {
        again = true;
        if (header_rows[header].times == ONCE) {
            p->repeated |= UINT32_C(1) << header;
        }
    }
    return read_known(p, header, again, value);
}

/* All headers are there. */
static bool
end_head(struct http_parser *p)
{
    if (p->minor == 1 && p->known[HTTP_HEADER_HOST] == 0) {
        return refuse(p, HTTP_REFUSED_HOST_MISSING);
    }
    if (p->known[HTTP_HEADER_CONNECTION]) {
        if (http_header_has(p, HTTP_HEADER_CONNECTION, SLICE("close"))) {
            p->keep_alive = false;
        } else if (http_header_has(p, HTTP_HEADER_CONNECTION, SLICE("keep-alive"))) {
            p->keep_alive = true;
        }
        p->upgrade = p->minor == 1 && http_header_has(p, HTTP_HEADER_CONNECTION, SLICE("upgrade"));
    }
    p->expects = p->expects && (p->chunked || p->length > 0);
    p->body.at = p->scan;
    return true;
}

static enum http_event
parse_head(struct http_parser *p, size_t len)
{
    enum line line;

    while (p->state == STATE_LINE) {
        line = next_line(p, len, p->limits->line, HTTP_VISIBLE, HTTP_REFUSED_LINE_LONG,
                         HTTP_REFUSED_CONTROL);
        if (line != LINE_WHOLE) {
            return line == LINE_MORE ? HTTP_MORE : HTTP_REFUSED;
        }
        if (p->line_len == 0) {
            if (++p->blank_lines > HTTP_BLANK_LINES_MAX) {
                refuse(p, HTTP_REFUSED_BLANK_LINES);
                return HTTP_REFUSED;
            }
        } else if (read_request_line(p)) {
            p->state = STATE_HEADERS;
        } else {
            return HTTP_REFUSED;
        }
        p->line = p->scan;
    }
    while (p->state == STATE_HEADERS) {
        size_t budget = p->limits->headers - p->header_bytes;

        line = next_line(p, len, budget > 2 ? budget - 2 : 0, HTTP_FIELD,
                         HTTP_REFUSED_HEADERS_LARGE, HTTP_REFUSED_CONTROL);
        if (line != LINE_WHOLE) {
            return line == LINE_MORE ? HTTP_MORE : HTTP_REFUSED;
        }
        if (p->line_len == 0) {
            p->state = STATE_BODY;
            if (!end_head(p)) {
                return HTTP_REFUSED;
            }
        } else {
            p->header_bytes += p->line_len + 2;
            if (!read_header(p)) {
                return HTTP_REFUSED;
            }
        }
        p->line = p->scan;
    }
    return HTTP_HEAD;
}

/* ---- Bodies ---- */

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
    struct slice line = line_slice(p);
    size_t digits = http_run(line.data, 0, line.len, HTTP_HEX);
    uint64_t size = 0;

    if (digits == 0 || (digits < line.len && line.data[digits] != ';')) {
        return refuse(p, HTTP_REFUSED_CHUNK_SIZE);
    }
    for (size_t i = 0; i < digits; i++) {
        char c = http_lower(line.data[i]);

        if (size >> 60) {
            return refuse(p, HTTP_REFUSED_CHUNK_SIZE);
        }
        size = size << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!extensions_ok((struct slice){line.data + digits, line.len - digits})) {
        return refuse(p, HTTP_REFUSED_EXTENSION);
    }
    p->extension_bytes += (uint32_t)(line.len - digits);
    if (p->extension_bytes > HTTP_EXTENSIONS_MAX) {
        return refuse(p, HTTP_REFUSED_EXTENSIONS_LARGE);
    }
    if (size > p->limits->body - p->body.len) {
        return refuse(p, HTTP_REFUSED_BODY_LARGE);
    }
    p->chunk_left = size;
    p->state = size ? STATE_CHUNK_DATA : STATE_TRAILERS;
    return true;
}

static enum line
parse_chunk_line(struct http_parser *p, size_t len)
{
    enum line line = next_line(p, len, HTTP_CHUNK_LINE_MAX, HTTP_FIELD,
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
            refuse(p, HTTP_REFUSED_CHUNK_END);
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
    enum line line = next_line(p, len, budget > 2 ? budget - 2 : 0, HTTP_FIELD,
                               HTTP_REFUSED_HEADERS_LARGE, HTTP_REFUSED_CONTROL);
    struct slice name, value;

    if (line != LINE_WHOLE) {
        return line;
    }
    if (p->line_len == 0) {
        p->state = STATE_OVER;
        return LINE_WHOLE;
    }
    if (++p->trailers > p->limits->count) {
        refuse(p, HTTP_REFUSED_HEADERS_MANY);
        return LINE_REFUSED;
    }
    p->trailer_bytes += p->line_len + 2;
    if (!split_header(p, &name, &value)) {
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
        return refuse(p, HTTP_REFUSED_LENGTH_MISSING);
    }
    if (p->length > p->limits->body) {
        return refuse(p, HTTP_REFUSED_BODY_LARGE);
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
http_parse(struct http_parser *p, char *data, size_t *len)
{
    assert(p->state != STATE_OVER && *len >= p->scan && *len <= UINT32_MAX);
    p->data = data;
    if (p->state <= STATE_HEADERS) {
        return parse_head(p, *len);
    }
    if (p->state == STATE_BODY && !begin_body(p)) {
        return HTTP_REFUSED;
    }
    return p->state == STATE_SIZED ? parse_sized(p, *len) : parse_chunks(p, data, len);
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
    return p->path.len || !p->authority.len ? at_span(p, p->path) : SLICE("/");
}

struct slice
http_query(const struct http_parser *p)
{
    return p->query.at ? at_span(p, p->query) : SLICE_NONE;
}

struct slice
http_target_authority(const struct http_parser *p)
{
    return p->authority.len ? at_span(p, p->authority) : SLICE_NONE;
}

struct slice
http_body(const struct http_parser *p)
{
    return at_span(p, p->body);
}

struct slice
http_header(const struct http_parser *p, enum http_header header)
{
    unsigned n = p->known[header];

    return n ? at_span(p, p->fields[n - 1].value) : SLICE_NONE;
}

bool
http_header_repeated(const struct http_parser *p, enum http_header header)
{
    return (p->repeated & UINT32_C(1) << header) != 0;
}

bool
http_header_next(const struct http_parser *p, unsigned *i, struct slice *name, struct slice *value)
{
    if (*i >= p->count) {
        return false;
    }
    *name = at_span(p, p->fields[*i].name);
    *value = at_span(p, p->fields[*i].value);
    ++*i;
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
    struct slice name = header_rows[header].name;

    for (unsigned i = p->known[header] ? p->known[header] - 1u : p->count; i < p->count; i++) {
        if (http_same(at_span(p, p->fields[i].name), name) &&
            http_list_has(at_span(p, p->fields[i].value), token)) {
            return true;
        }
    }
    return false;
}
