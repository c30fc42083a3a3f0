/* http_parser.h -- HTTP/1.1 requests out of bytes: strict, incremental, in place.
 *
 * The caller owns one buffer that begins with the first byte of a request, and calls http_parse()
 * whenever there is more in it.  A request that arrived whole is parsed where it lies: every slice
 * points into the buffer, nothing is copied or allocated.  One that arrives byte by byte gives the
 * same result; no byte is looked at twice for want of more.  The buffer may grow and move between
 * two calls.  A chunked body is put together in place, its framing taken out.
 *
 * Strict means RFC 9112 without its leniences, because whatever two programs can read in two ways
 * lets a request be smuggled past one of them: lines end in CRLF; no folded lines, no blank before
 * a colon, no control bytes; one Content-Length of digits, or "Transfer-Encoding: chunked" and
 * nothing else; HTTP/1.0 and 1.1 only.  Each refusal is a row of HTTP_REFUSALS.
 *
 * Left to others: which hosts, origins, paths and media types are served, and in what time.  Pure:
 * no lock, no global, any thread; one parser is one thread's at a time. */
#ifndef TANDEM_HTTP_PARSER_H
#define TANDEM_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/base/mem.h"
#include "transports/http_syntax.h"

#define HTTP_HEADERS_TOP 200     /* No limit on their number may be higher. */
#define HTTP_BLANK_LINES_MAX 2   /* Empty lines before a request. */
#define HTTP_CHUNK_LINE_MAX 1024 /* One chunk's size and extensions. */
#define HTTP_EXTENSIONS_MAX 8192 /* The extensions of all chunks of a body. */

struct http_limits {
    size_t line;    /* Bytes of the request line, at most 64 KiB. */
    size_t headers; /* Bytes of header lines with their ends, at most 64 KiB; also of trailers. */
    size_t count;   /* Header lines, at most HTTP_HEADERS_TOP; also of trailers. */
    size_t body;    /* Bytes, once out of their chunks; at most 1 GiB. */
};
/* clang-format off */
#define HTTP_LIMITS_INIT {8 * 1024, 16 * 1024, 100, 1024 * 1024}
/* clang-format on */

/* clang-format off */
/* What is refused, with which status, told by which word and text. */
#define HTTP_REFUSALS(ROW)                                                                         \
    ROW(LINE,          400, "bad_request_line", "the first line is not METHOD TARGET HTTP/1.1")    \
    ROW(TARGET,        400, "bad_target",       "the target is neither a path nor an absolute "    \
                                                "http URL, percent-encoded and without fragment")  \
    ROW(LINE_LONG,     414, "target_too_long",  "the first line is too long")                      \
    ROW(VERSION,       505, "http_version",     "only HTTP/1.1 and HTTP/1.0 are spoken here")      \
    ROW(HTTP2,         505, "http2",            "HTTP/2 is not spoken here; use HTTP/1.1")         \
    ROW(METHOD,        501, "unknown_method",   "this method is not known here")                   \
    ROW(BLANK_LINES,   400, "blank_lines",      "too many empty lines before the request")         \
    ROW(CONTROL,       400, "control_byte",     "a control byte is in the head")                   \
    ROW(BARE_CR,       400, "bare_cr",          "a carriage return without line feed")             \
    ROW(BARE_LF,       400, "bare_lf",          "a line ends without a carriage return")           \
    ROW(FOLD,          400, "folded_header",    "a header line begins with a blank")               \
    ROW(NAME,          400, "bad_header_name",  "a header line is not NAME: VALUE")                \
    ROW(SPACE_COLON,   400, "space_before_colon", "a blank stands between a name and its colon")   \
    ROW(HEADERS_LARGE, 431, "headers_too_large", "the headers are too large")                      \
    ROW(HEADERS_MANY,  431, "too_many_headers", "there are too many headers")                      \
    ROW(HOST_MISSING,  400, "missing_host",     "a request must have a Host header")               \
    ROW(HOST_REPEATED, 400, "repeated_host",    "there are two Host headers")                      \
    ROW(HOST,          400, "bad_host",         "Host is not NAME or NAME:PORT")                   \
    ROW(LENGTH,        400, "bad_length",       "Content-Length is not one decimal number")        \
    ROW(LENGTH_TWICE,  400, "repeated_length",  "there are two Content-Length headers")            \
    ROW(BOTH_LENGTHS,  400, "length_and_coding", "Content-Length and Transfer-Encoding exclude "   \
                                                "each other")                                      \
    ROW(CODING,        501, "transfer_coding",  "the only transfer coding known here is chunked")  \
    ROW(CODING_1_0,    400, "coding_in_1_0",    "HTTP/1.0 has no Transfer-Encoding")               \
    ROW(EXPECTATION,   417, "expectation",      "the only expectation known here is 100-continue") \
    ROW(LENGTH_MISSING, 411, "length_required", "a body needs Content-Length, or chunks")          \
    ROW(BODY_LARGE,    413, "message_too_large", "the body is too large")                          \
    ROW(CHUNK_SIZE,    400, "bad_chunk_size",   "a chunk's size is not a hexadecimal number")      \
    ROW(CHUNK_END,     400, "bad_chunk_end",    "a chunk is longer than its size says")            \
    ROW(EXTENSION,     400, "bad_chunk_extension", "a chunk's extension is not ;NAME=VALUE")       \
    ROW(EXTENSIONS_LARGE, 413, "chunk_extensions", "chunk extensions are too long")

enum http_refusal {
    HTTP_OK,
#define ROW(NAME, STATUS, WORD, TEXT) HTTP_REFUSED_##NAME,
    HTTP_REFUSALS(ROW)
#undef ROW
    HTTP_REFUSAL_COUNT
};
/* clang-format on */
struct http_refusal_info {
    int status;
    const char *word, *text;
};
/* The row of 'refusal', which must not be HTTP_OK.  Borrowed for ever. */
const struct http_refusal_info *http_refusal_info(enum http_refusal refusal);

/* clang-format off */
/* Methods of RFC 9110 and 5789; CONNECT is not among them: nothing here is a proxy. */
#define HTTP_METHODS(ROW)                                                                      \
    ROW(GET) ROW(HEAD) ROW(POST) ROW(PUT) ROW(DELETE) ROW(OPTIONS) ROW(TRACE) ROW(PATCH)
enum http_method {
    HTTP_METHOD_NONE,
#define ROW(NAME) HTTP_METHOD_##NAME,
    HTTP_METHODS(ROW)
#undef ROW
    HTTP_METHOD_COUNT
};
/* clang-format on */
/* "GET"; null for HTTP_METHOD_NONE. */
const char *http_method_name(enum http_method method);

/* clang-format off */
/* Headers that are found by number, through their length and first letter, lower case: no two have both in common.
 * One that may come ONCE and comes again is remembered as repeated; what is read is then the first. */
#define HTTP_HEADERS(ROW)                                                                      \
    ROW(HOST,                 "Host",                          'h', ONCE)                      \
    ROW(AUTHORIZATION,        "Authorization",                 'a', ONCE)                      \
    ROW(CONTENT_TYPE,         "Content-Type",                  'c', ONCE)                      \
    ROW(CONTENT_LENGTH,       "Content-Length",                'c', ONCE)                      \
    ROW(ACCEPT,               "Accept",                        'a', MANY)                      \
    ROW(PROTOCOL_VERSION,     "MCP-Protocol-Version",          'm', ONCE)                      \
    ROW(SESSION_ID,           "Mcp-Session-Id",                'm', ONCE)                      \
    ROW(MCP_METHOD,           "Mcp-Method",                    'm', ONCE)                      \
    ROW(MCP_NAME,             "Mcp-Name",                      'm', ONCE)                      \
    ROW(CONNECTION,           "Connection",                    'c', MANY)                      \
    ROW(ORIGIN,               "Origin",                        'o', ONCE)                      \
    ROW(CONTENT_ENCODING,     "Content-Encoding",              'c', MANY)                      \
    ROW(TRANSFER_ENCODING,    "Transfer-Encoding",             't', ONCE)                      \
    ROW(UPGRADE,              "Upgrade",                       'u', MANY)                      \
    ROW(EXPECT,               "Expect",                        'e', MANY)                      \
    ROW(LAST_EVENT_ID,        "Last-Event-ID",                 'l', ONCE)                      \
    ROW(CLIENT_ID,            "X-Client-ID",                   'x', ONCE)                      \
    ROW(WS_KEY,               "Sec-WebSocket-Key",             's', ONCE)                      \
    ROW(WS_VERSION,           "Sec-WebSocket-Version",         's', ONCE)                      \
    ROW(WS_PROTOCOL,          "Sec-WebSocket-Protocol",        's', MANY)                      \
    ROW(WS_EXTENSIONS,        "Sec-WebSocket-Extensions",      's', MANY)                      \
    ROW(CORS_METHOD,          "Access-Control-Request-Method", 'a', ONCE)                      \
    ROW(CORS_HEADERS,         "Access-Control-Request-Headers", 'a', MANY)
enum http_header {
#define ROW(NAME, TEXT, LETTER, TIMES) HTTP_HEADER_##NAME,
    HTTP_HEADERS(ROW)
#undef ROW
    HTTP_HEADER_COUNT
};
/* clang-format on */
/* "Content-Type". */
const char *http_header_name(enum http_header header);

enum http_event {
    HTTP_MORE,   /* All that is there has been taken; call again when there is more. */
    HTTP_HEAD,   /* The head is complete; call again, with what is there, for the body. */
    HTTP_WHOLE,  /* The request is complete; 'end' says where. */
    HTTP_REFUSED /* It is none; see 'refusal'.  The connection cannot be used further. */
};

/* A place in the buffer. */
struct http_span {
    uint32_t at, len;
};
struct http_field {
    struct http_span name, value;
    enum http_header header; /* HTTP_HEADER_COUNT if it is none that is known. */
};

struct http_parser {
    /* Known after HTTP_HEAD, and as far as they were read after HTTP_REFUSED. */
    enum http_method method;
    enum http_refusal refusal;
    unsigned minor;  /* Of the version: HTTP/1.0 or HTTP/1.1. */
    bool keep_alive; /* The connection may be used again after this request. */
    bool upgrade;    /* Connection says "upgrade"; the header Upgrade says to what. */
    bool expects;    /* Waits for "100 Continue" before it sends the body. */
    bool has_body;   /* Content-Length or chunks were announced. */
    bool chunked;
    uint64_t length; /* Content-Length, if not chunked. */
    size_t end;      /* After HTTP_WHOLE: where the next request begins. */

    /* The parser's own. */
    const struct http_limits *limits;
    const char *data;
    int state;
    uint32_t line;     /* Where the line being read begins. */
    uint32_t scan;     /* What lies before has been looked at. */
    uint32_t line_len; /* The line without its end, once it is whole. */
    uint32_t blank_lines;
    uint32_t header_bytes, trailer_bytes, trailers, extension_bytes;
    uint32_t repeated; /* Bits by enum http_header. */
    uint64_t chunk_left;
    struct http_span path, query, authority, body;
    struct http_span host; /* Of the Host header, without its port. */
    unsigned port;         /* Its port; 0 for none. */
    unsigned count;
    unsigned char known[HTTP_HEADER_COUNT];         /* Number of the first in 'fields', from 1. */
    struct http_field fields[HTTP_HEADERS_TOP + 1]; /* Set up to 'count' only; one too many fits. */
};

/* Makes 'p' ready for the first byte of a request.  'limits' is borrowed as long as 'p' is used. */
void http_parser_init(struct http_parser *p, const struct http_limits *limits);

/* Takes what is new in 'data', '*len' bytes from the first byte of the request on; those that an
 * earlier call has seen must be there as it left them.  Lessens '*len' by the framing of chunks
 * that it has taken out; what lies beyond the request stays untouched. After HTTP_WHOLE or
 * HTTP_REFUSED, http_parser_init() comes next. */
enum http_event http_parse(struct http_parser *p, char *data, size_t *len);

/* True once a byte has come that is not part of an empty line before the request. */
bool http_parser_begun(const struct http_parser *p);
/* Copies a parser that waits for more; cheaper than an assignment. */
void http_parser_copy(struct http_parser *to, const struct http_parser *from);
/* How many bytes of a body of known length are still to come; 0 if not known. */
size_t http_parser_missing(const struct http_parser *p);

/* The slices below are borrowed from the buffer last given to http_parse(). */

/* The path as it was sent, still percent-encoded; "/" for an absolute URL without one; "*". */
struct slice http_path(const struct http_parser *p);
/* What follows '?'; null data if there is no '?'. */
struct slice http_query(const struct http_parser *p);
/* Host and port of an absolute target; null data for a plain path. */
struct slice http_target_authority(const struct http_parser *p);
/* What the Host header says, taken apart as by http_authority(); null data if there is none. */
struct slice http_host(const struct http_parser *p, unsigned *port);
/* After HTTP_WHOLE. */
struct slice http_body(const struct http_parser *p);

static inline struct slice
parser_slice(const struct http_parser *p, struct http_span span)
{
    return (struct slice){p->data + span.at, span.len};
}

/* The value of a header, without blanks around it; null data if it is not there. */
static inline struct slice
http_header(const struct http_parser *p, enum http_header header)
{
    unsigned n = p->known[header];

    return n ? parser_slice(p, p->fields[n - 1].value) : SLICE_NONE;
}
/* Whether a header that may come once came again. */
static inline bool
http_header_repeated(const struct http_parser *p, enum http_header header)
{
    return (p->repeated & UINT32_C(1) << header) != 0;
}
/* Stores name and value of the next header, '*i' counting from 0; false after the last. */
bool http_header_next(const struct http_parser *p, unsigned *i, struct slice *name,
                      struct slice *value);
/* Stores the value of the next header of that number, '*i' counting from 0; false after the last.
 */
bool http_header_each(const struct http_parser *p, enum http_header header, unsigned *i,
                      struct slice *value);
/* Finds the first header named 'name', in any case. */
bool http_header_find(const struct http_parser *p, struct slice name, struct slice *value);
/* Whether the comma list made of all headers of that number has 'token', in any case. */
bool http_header_has(const struct http_parser *p, enum http_header header, struct slice token);

#endif
