/* http_parser_head.c -- the head of a request: its first line and its headers. */
#include "transports/http_parser_private.h"

/* Length and first letter of each known name, to pass over most of them quickly. */
#define KEY(LEN, FIRST) ((uint16_t)((LEN) << 8 | ((FIRST) | 0x20)))
static const uint16_t header_keys[] = {
#define ROW(NAME, TEXT, TIMES) KEY(sizeof TEXT - 1, TEXT[0]),
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

static void
find_method(struct http_parser *p, struct slice name)
{
    for (int m = HTTP_METHOD_NONE + 1; m < HTTP_METHOD_COUNT; m++) {
        if (slice_equal(name, parser_methods[m])) {
            p->method = (enum http_method)m;
            return;
        }
    }
}

/* METHOD SP TARGET SP VERSION, with single spaces. */
static bool
read_request_line(struct http_parser *p)
{
    struct slice line = parser_line(p), method, target, version;
    const char *space = memchr(line.data, ' ', line.len), *second;

    if (!space) {
        return parser_refuse(p, HTTP_REFUSED_LINE);
    }
    method = (struct slice){line.data, (size_t)(space - line.data)};
    target.data = space + 1;
    second = memchr(target.data, ' ', line.len - method.len - 1);
    if (!second || !http_token(method)) {
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
    find_method(p, method);
    if (p->method == HTTP_METHOD_NONE) {
        return parser_refuse(p, HTTP_REFUSED_METHOD);
    }
    return read_target(p, target);
}

/* ---- Headers ---- */

static bool
read_length(struct http_parser *p, struct slice value)
{
    uint64_t length = 0;

    if (p->chunked) {
        return parser_refuse(p, HTTP_REFUSED_BOTH_LENGTHS);
    }
    if (value.len == 0 || http_run(value.data, 0, value.len, HTTP_DIGIT) != value.len) {
        return parser_refuse(p, HTTP_REFUSED_LENGTH);
    }
    for (size_t i = 0; i < value.len; i++) {
        if (length > (INT64_MAX - 9) / 10) {
            return parser_refuse(p, HTTP_REFUSED_LENGTH);
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
    struct slice host;
    unsigned port;

    return http_authority(value, &host, &port) || parser_refuse(p, HTTP_REFUSED_HOST);
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
static bool
read_known(struct http_parser *p, enum http_header header, bool again, struct slice value)
{
    switch (header) {
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

static enum http_header
find_known(struct slice name)
{
    uint16_t key = name.len < 256 ? KEY(name.len, (unsigned char)name.data[0]) : 0;

    for (unsigned h = 0; h < HTTP_HEADER_COUNT; h++) {
        if (header_keys[h] == key && http_same(name, parser_headers[h].name)) {
            return (enum http_header)h;
        }
    }
    return HTTP_HEADER_COUNT;
}

bool
parser_split_header(struct http_parser *p, struct slice *name, struct slice *value,
                    enum http_header *header)
{
    struct slice line = parser_line(p);
    const char *end = memchr(line.data, ':', line.len);
    size_t colon = end ? (size_t)(end - line.data) : 0;

    *header = colon ? find_known((struct slice){line.data, colon}) : HTTP_HEADER_COUNT;
    if (*header == HTTP_HEADER_COUNT) { /* Else its characters need no look. */
        colon = http_run(line.data, 0, line.len, HTTP_TOKEN);
    }

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return parser_refuse(p, HTTP_REFUSED_FOLD);
    }
    if (colon == 0 || colon == line.len || line.data[colon] != ':') {
        bool blank = colon > 0 && colon < line.len &&
                     (line.data[colon] == ' ' || line.data[colon] == '\t') &&
                     memchr(line.data, ':', line.len);

        return parser_refuse(p, blank ? HTTP_REFUSED_SPACE_COLON : HTTP_REFUSED_NAME);
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

    if (!parser_split_header(p, &name, &value, &header)) {
        return false;
    }
    if (p->count == p->limits->count) {
        return parser_refuse(p, HTTP_REFUSED_HEADERS_MANY);
    }
    p->fields[p->count++] =
        (struct http_field){parser_span(p, name), parser_span(p, value), header};
    if (header == HTTP_HEADER_COUNT) {
        return true;
    }
    if (p->known[header] == 0) {
        p->known[header] = (unsigned char)p->count;
    } else {
        again = true;
        if (parser_headers[header].times == ONCE) {
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
        line = parser_next_line(p, len, p->limits->line, HTTP_VISIBLE, HTTP_REFUSED_LINE_LONG,
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

        line = parser_next_line(p, len, budget > 2 ? budget - 2 : 0, HTTP_FIELD,
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
