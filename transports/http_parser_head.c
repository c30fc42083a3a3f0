/* http_parser_head.c -- the head of a request: its first line and its headers. */
#include "transports/http_parser_private.h"

/* The known headers by length and first letter, counted from 1.  The compiler refuses a second one
 * in the same place. */
#define PLACE(LEN, LETTER) ((LEN) << 5 | ((LETTER)&31))
static const unsigned char header_places[32 << 5] = {
#define ROW(NAME, TEXT, LETTER, TIMES) [PLACE(sizeof TEXT - 1, LETTER)] = HTTP_HEADER_##NAME + 1,
    HTTP_HEADERS(ROW)
#undef ROW
};

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
    p->authority = parser_span(p, authority);
    return http_authority(authority, &host, &port);
}

static bool
read_target(struct http_parser *p, struct slice target)
{
    const char *question;

    if (slice_is(target, "*")) {
        p->path = parser_span(p, target);
        return p->method == HTTP_METHOD_OPTIONS || parser_refuse(p, HTTP_REFUSED_TARGET);
    }
    if (target.data[0] != '/' && !take_authority(p, &target)) {
        return parser_refuse(p, HTTP_REFUSED_TARGET);
    }
    if (http_run(target.data, 0, target.len, HTTP_URI) != target.len || !http_percent_ok(target)) {
        return parser_refuse(p, HTTP_REFUSED_TARGET);
    }
    question = target.len ? memchr(target.data, '?', target.len) : NULL;
    if (question) {
        size_t path_len = (size_t)(question - target.data);

        p->query = parser_span(p, (struct slice){question + 1, target.len - path_len - 1});
        target.len = path_len;
    }
    p->path = parser_span(p, target);
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
        return parser_refuse(p, HTTP_REFUSED_LINE);
    }
    for (size_t i = form.len; i < version.len; i++) {
        if (!http_is(version.data[i], HTTP_DIGIT) && version.data[i] != '.') {
            return parser_refuse(p, HTTP_REFUSED_LINE);
        }
    }
    return parser_refuse(p, version.data[5] == '2' ? HTTP_REFUSED_HTTP2 : HTTP_REFUSED_VERSION);
}

static enum http_method
find_method(struct slice name)
{
    for (int m = HTTP_METHOD_NONE + 1; m < HTTP_METHOD_COUNT; m++) {
        if (slice_equal(name, parser_methods[m])) {
            return (enum http_method)m;
        }
    }
    return HTTP_METHOD_NONE;
}

/* METHOD SP TARGET SP VERSION, with single spaces. */
static bool
read_request_line(struct http_parser *p)
{
    struct slice line = parser_line(p), method, target, version;
    const char *space = memchr(line.data, ' ', line.len), *second;
    enum http_method found;

    if (!space) {
        return parser_refuse(p, HTTP_REFUSED_LINE);
    }
    method = (struct slice){line.data, (size_t)(space - line.data)};
    target.data = space + 1;
    second = memchr(target.data, ' ', line.len - method.len - 1);
    found = find_method(method);
    if (!second || (found == HTTP_METHOD_NONE && !http_token(method))) {
        return parser_refuse(p, HTTP_REFUSED_LINE);
    }
    target.len = (size_t)(second - target.data);
    version = (struct slice){second + 1, line.len - method.len - target.len - 2};
    if (target.len == 0) {
        return parser_refuse(p, HTTP_REFUSED_LINE);
    }
    if (!read_version(p, version)) {
        return false;
    }
    p->method = found;
    if (found == HTTP_METHOD_NONE) {
        return parser_refuse(p, HTTP_REFUSED_METHOD);
    }
    return read_target(p, target);
}

/* ---- Headers ---- */

static bool
read_length(struct http_parser *p, struct slice value)
{
    uint64_t length;

    if (p->chunked) {
        return parser_refuse(p, HTTP_REFUSED_BOTH_LENGTHS);
    }
    if (!slice_number(value, &length) || length > INT64_MAX) {
        return parser_refuse(p, HTTP_REFUSED_LENGTH);
    }
    p->length = length;
    p->has_body = true;
    return true;
}

static bool
read_coding(struct http_parser *p, struct slice value)
{
    if (p->has_body) {
        return parser_refuse(p, HTTP_REFUSED_BOTH_LENGTHS);
    }
    if (p->minor == 0) {
        return parser_refuse(p, HTTP_REFUSED_CODING_1_0);
    }
    if (!http_same(value, SLICE("chunked"))) {
        return parser_refuse(p, HTTP_REFUSED_CODING);
    }
    p->chunked = p->has_body = true;
    return true;
}

static bool
read_host(struct http_parser *p, struct slice value)
{
    struct slice name;

    if (!http_authority(value, &name, &p->port)) {
        return parser_refuse(p, HTTP_REFUSED_HOST);
    }
    p->host = parser_span(p, name);
    return true;
}

static bool
read_expectation(struct http_parser *p, struct slice value)
{
    if (p->minor == 0) {
        return true; /* RFC 9110, 10.1.1: to be ignored. */
    }
    p->expects = http_same(value, SLICE("100-continue"));
    return p->expects || parser_refuse(p, HTTP_REFUSED_EXPECTATION);
}

/* What a known header means for the parser itself. */
static inline bool
read_known(struct http_parser *p, const struct http_field *field, bool again)
{
    struct slice value = parser_slice(p, field->value);

    switch (field->header) {
    case HTTP_HEADER_HOST:
        return again ? parser_refuse(p, HTTP_REFUSED_HOST_REPEATED) : read_host(p, value);
    case HTTP_HEADER_CONTENT_LENGTH:
        return again ? parser_refuse(p, HTTP_REFUSED_LENGTH_TWICE) : read_length(p, value);
    case HTTP_HEADER_TRANSFER_ENCODING:
        return again ? parser_refuse(p, HTTP_REFUSED_CODING) : read_coding(p, value);
    case HTTP_HEADER_EXPECT:
        return read_expectation(p, value);
    default:
        return true;
    }
}

/* Whether eight bytes of a name differ from those of a known one, letters and hyphens, in more than
 * case.  What is the same but for bit 5 is the same in another case, or a control byte, of which
 * lines have none. */
static inline bool
eight_differ(const char *name, const char *known)
{
    uint64_t a, b;

    memcpy(&a, name, sizeof a);
    memcpy(&b, known, sizeof b);
    return ((a ^ b) & ~UINT64_C(0x2020202020202020)) != 0;
}

/* As http_same(), eight bytes at a time, the last of them maybe for the second time. */
static inline bool
same_name(const char *name, const char *known, size_t len)
{
    bool differ = false;

    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            differ |= ((name[i] ^ known[i]) & ~0x20) != 0;
        }
        return !differ;
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        differ |= eight_differ(name + i, known + i);
    }
    return !differ && !eight_differ(name + len - 8, known + len - 8);
}

/* The known header whose name the first 'len' bytes of 'line' are. */
static inline enum http_header
find_known(const char *line, size_t len)
{
    unsigned known = len < 32 ? header_places[PLACE(len, (unsigned char)line[0])] : 0;

    return known && same_name(line, parser_headers[known - 1].name.data, len)
               ? (enum http_header)(known - 1)
               : HTTP_HEADER_COUNT;
}

/* Where the first colon of a whole line is, its length if it has none.  Behind the line lies CRLF,
 * so that nearly all names lie in the first sixteen bytes that may be looked at. */
static inline size_t
find_colon(struct slice line)
{
    size_t at = 0;

#if defined(__SSE2__)
    for (; line.len + 2 - at >= 16; at += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)(line.data + at));
        unsigned colons = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(':')));

        if (colons) {
            return at + (unsigned)__builtin_ctz(colons);
        }
    }
#endif
    while (at < line.len && line.data[at] != ':') {
        at++;
    }
    return at < line.len ? at : line.len;
}

/* A line whose name is none that is known: whether it is a name, 'colon' bytes long. */
static bool
check_name(struct http_parser *p, struct slice line, size_t colon)
{
    size_t end = http_run(line.data, 0, line.len, HTTP_TOKEN);

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return parser_refuse(p, HTTP_REFUSED_FOLD);
    }
    if (end == 0 || end != colon || colon == line.len) {
        bool blank =
            end > 0 && colon < line.len && (line.data[end] == ' ' || line.data[end] == '\t');

        return parser_refuse(p, blank ? HTTP_REFUSED_SPACE_COLON : HTTP_REFUSED_NAME);
    }
    return true;
}

/* Inline in the loop over headers, which takes 200 instructions of 2,700 less so. */
static inline __attribute__((always_inline)) bool
split_header(struct http_parser *p, struct http_field *field)
{
    struct slice line = parser_line(p);
    size_t colon = find_colon(line);
    struct slice value;

    field->header = colon < line.len ? find_known(line.data, colon) : HTTP_HEADER_COUNT;
    if (field->header == HTTP_HEADER_COUNT && !check_name(p, line, colon)) {
        return false;
    }
    value = http_trim((struct slice){line.data + colon + 1, line.len - colon - 1});
    field->name = (struct http_span){p->line, (uint32_t)colon};
    field->value = parser_span(p, value);
    return true;
}

bool
parser_split_header(struct http_parser *p, struct http_field *field)
{
    return split_header(p, field);
}

static inline bool
read_header(struct http_parser *p)
{
    struct http_field *field = &p->fields[p->count]; /* There is always room for one more. */
    bool again;

    if (!split_header(p, field)) {
        return false;
    }
    if (p->count == p->limits->count) {
        return parser_refuse(p, HTTP_REFUSED_HEADERS_MANY);
    }
    p->count++;
    if (field->header == HTTP_HEADER_COUNT) {
        return true;
    }
    again = p->known[field->header] != 0;
    if (!again) {
        p->known[field->header] = (unsigned char)p->count;
    } else if (parser_headers[field->header].times == ONCE) {
        p->repeated |= UINT32_C(1) << field->header;
    }
    return read_known(p, field, again);
}

/* All headers are there. */
static bool
end_head(struct http_parser *p)
{
    if (p->minor == 1 && p->known[HTTP_HEADER_HOST] == 0) {
        return parser_refuse(p, HTTP_REFUSED_HOST_MISSING);
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

enum http_event
parser_head(struct http_parser *p, size_t len)
{
    enum line line;

    while (p->state == STATE_LINE) {
        line = parser_next_line(p, len, p->limits->line, true, HTTP_REFUSED_LINE_LONG,
                                HTTP_REFUSED_CONTROL);
        if (line != LINE_WHOLE) {
            return line == LINE_MORE ? HTTP_MORE : HTTP_REFUSED;
        }
        if (p->line_len == 0) {
            if (++p->blank_lines > HTTP_BLANK_LINES_MAX) {
                parser_refuse(p, HTTP_REFUSED_BLANK_LINES);
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

        line = parser_next_line(p, len, budget > 2 ? budget - 2 : 0, false,
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
