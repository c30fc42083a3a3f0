/* test_http_parser.c -- requests out of bytes: what is read, what is refused, and that it does not
 * matter how the bytes were cut. */
#include "transports/http_parser.h"

#include <dirent.h>
#include <stdio.h>

#include "tests/check.h"
#include "tests/hostile.h"

static const struct http_limits default_limits = HTTP_LIMITS_INIT;

/* ---- A connection's worth of bytes, told as text ---- */

struct told {
    struct buf text; /* A line for each request, and for how it ended. */
    unsigned whole;  /* Complete requests. */
    enum http_refusal refusal;
    bool closed; /* A request was the last of its connection, with bytes behind it. */
    bool open;   /* It ended in the middle of a request. */
    size_t used; /* Bytes that decided it. */
};

static void
tell_slice(struct buf *out, const char *key, struct slice s)
{
    buf_addf(out, " %s=", key);
    if (s.data) {
        buf_addc(out, '<');
        buf_add_slice(out, s);
        buf_addc(out, '>');
    }
}

static void
tell(struct buf *out, const struct http_parser *p)
{
    struct slice name, value;

    buf_addf(out, "%s 1.%u keep=%d upgrade=%d expects=%d chunked=%d length=%llu",
             http_method_name(p->method), p->minor, p->keep_alive, p->upgrade, p->expects,
             p->chunked, (unsigned long long)p->length);
    tell_slice(out, "path", http_path(p));
    tell_slice(out, "query", http_query(p));
    tell_slice(out, "authority", http_target_authority(p));
    for (unsigned i = 0; http_header_next(p, &i, &name, &value);) {
        tell_slice(out, "name", name);
        tell_slice(out, "value", value);
    }
    for (int h = 0; h < HTTP_HEADER_COUNT; h++) {
        if (http_header(p, (enum http_header)h).data) {
            tell_slice(out, http_header_name((enum http_header)h),
                       http_header(p, (enum http_header)h));
            buf_addf(out, " repeated=%d", http_header_repeated(p, (enum http_header)h));
        }
    }
    tell_slice(out, "body", http_body(p));
    buf_addc(out, '\n');
}

/* A buffer such as a connection has: the bytes of the current request, from its first on. */
struct feed {
    struct http_parser parser;
    const struct http_limits *limits;
    struct told told;
    char *data;
    size_t len;
    bool exact; /* Memory of the exact size, moved with every byte. */
    bool head;  /* The head has been told. */
    bool over;
};

static void
feed_init(struct feed *f, const struct http_limits *limits, char *room)
{
    memset(f, 0, offsetof(struct feed, data));
    f->limits = limits;
    f->data = room;
    f->exact = !room;
    f->len = 0;
    f->head = f->over = false;
    http_parser_init(&f->parser, limits);
}

/* Gives 'more' to the parser, as one segment. */
static void
feed(struct feed *f, struct slice more)
{
    if (f->over) {
        return;
    }
    if (f->exact) {
        char *moved = malloc(f->len + more.len + 1);

        memcpy(moved, f->data ? f->data : "", f->len);
        free(f->data);
        f->data = moved;
    }
    memcpy(f->data + f->len, more.data, more.len);
    f->len += more.len;
    while (f->len || f->head) {
        size_t before = f->len;
        enum http_event event = http_parse(&f->parser, f->data, &f->len);

        f->told.used += before - f->len;
        if (event == HTTP_MORE) {
            break;
        }
        if (event == HTTP_HEAD) {
            f->head = true;
            continue;
        }
        if (event == HTTP_REFUSED) {
            f->told.refusal = f->parser.refusal;
            buf_addf(&f->told.text, "refused %s\n", http_refusal_info(f->parser.refusal)->word);
            f->told.used += f->parser.scan;
            f->over = true;
            return;
        }
        tell(&f->told.text, &f->parser);
        f->told.whole++;
        f->head = false;
        f->told.used += f->parser.end;
        f->len -= f->parser.end;
        memmove(f->data, f->data + f->parser.end, f->len);
        if (!f->parser.keep_alive) {
            f->over = true;
            f->told.closed = f->len > 0;
            return;
        }
        http_parser_init(&f->parser, f->limits);
    }
}

static struct told
feed_end(struct feed *f)
{
    if (!f->over) {
        f->told.open = f->len > 0;
        f->told.used += f->len;
        buf_addf(&f->told.text, "open %d begun %d\n", f->len > 0, http_parser_begun(&f->parser));
    }
    if (f->exact) {
        free(f->data);
    }
    return f->told;
}

static struct told
in_one(struct slice bytes, const struct http_limits *limits)
{
    struct feed f;

    feed_init(&f, limits, NULL);
    feed(&f, bytes);
    return feed_end(&f);
}

/* Byte by byte and cut once at every place must tell the same. */
static void
check_cuts(const char *id, struct slice bytes, const struct http_limits *limits)
{
    struct told one = in_one(bytes, limits), other;
    char *room = malloc(bytes.len + 1);
    size_t last = one.used + 2 < bytes.len ? one.used + 2 : bytes.len;
    struct feed f;

    feed_init(&f, limits, NULL);
    for (size_t i = 0; i < bytes.len && !f.over; i++) {
        feed(&f, (struct slice){bytes.data + i, 1});
    }
    /* What lies behind the last request of a connection was not looked at. */
    other = feed_end(&f);
    if (strcmp(one.text.data, other.text.data) != 0) {
        print_error("%s byte by byte:\n%s\nin one:\n%s", id, other.text.data, one.text.data);
        CHECK(false);
    }
    buf_fini(&other.text);
    for (size_t cut = 1; cut < last; cut++) {
        feed_init(&f, limits, room);
        feed(&f, (struct slice){bytes.data, cut});
        feed(&f, (struct slice){bytes.data + cut, bytes.len - cut});
        other = feed_end(&f);
        if (strcmp(one.text.data, other.text.data) != 0) {
            print_error("%s cut at %zu:\n%s\nin one:\n%s", id, cut, other.text.data, one.text.data);
            CHECK(false);
        }
        buf_fini(&other.text);
    }
    free(room);
    buf_fini(&one.text);
}

/* ---- Hostile inputs ---- */

static struct buf
fill_in(struct slice bytes)
{
    static const char *const words[][2] = {
        {"@HOST@", "localhost:4242"},
        {"@PATH@", "/mcp"},
        {"@AUTH@", "Authorization: Bearer abc\r\n"},
        {"@VER@", "MCP-Protocol-Version: 2025-06-18\r\n"},
        {"", NULL},
    };
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < bytes.len;) {
        size_t w = 0;

        while (words[w][1] && (bytes.len - i < strlen(words[w][0]) ||
                               memcmp(bytes.data + i, words[w][0], strlen(words[w][0])) != 0)) {
            w++;
        }
        if (words[w][1]) {
            buf_adds(&out, words[w][1]);
            i += strlen(words[w][0]);
        } else {
            buf_addc(&out, bytes.data[i++]);
        }
    }
    return out;
}

static bool
begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Cases that are about the syntax of a request, and so are the parser's to refuse. */
static bool
is_syntax(const char *id)
{
    static const char *const prefixes[] = {
        "te-",      "cl-",        "cl-te",         "hdr-",       "line-",
        "host-two", "host-empty", "host-userinfo", "host-comma", "host-space",
        "host-tab", "host-long",  "tls",           "ssh",        "smtp",
        "lf-flood", "connect",    "method-BREW",   "method-get", "method-PROPFIND"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (begins(id, prefixes[i])) {
            return true;
        }
    }
    return false;
}

static void
own_case(const struct hostile_case *c, void *arg)
{
    struct buf bytes = fill_in(c->bytes);
    struct told told = in_one(buf_slice(&bytes), &default_limits);
    bool refused = told.refusal != HTTP_OK;
    json_int_t most = json_integer_value(json_object_get(c->row, "max_responses"));

    (void)arg;
    if (hostile_allows(c, "allow", "wait")) {
        CHECK(told.open);
    } else if (is_syntax(c->id) && !hostile_allows(c, "allow", "2xx")) {
        if (!refused) {
            print_error("%s was taken:\n%s", c->id, told.text.data);
        }
        CHECK(refused && told.whole == 0);
    } else if (begins(c->id, "ok-") && !hostile_allows(c, "allow", "close")) {
        if (refused || told.whole != most) {
            print_error("%s:\n%s", c->id, told.text.data);
        }
        CHECK(!refused && told.whole == most);
    }
    CHECK(told.whole + refused <= (unsigned)most);
    buf_fini(&told.text);
    check_cuts(c->id, buf_slice(&bytes), &default_limits);
    buf_fini(&bytes);
}

static void
own_cases_are_read_or_refused(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/http.jsonl", own_case, NULL), 147);
}

/* Puts a Host behind the first line, which most of these inputs leave out. */
static struct buf
with_host(struct slice bytes)
{
    struct buf out = BUF_INIT;
    size_t at = 0;
    const char *end;

    while (bytes.len - at >= 2 && memcmp(bytes.data + at, "\r\n", 2) == 0) {
        at += 2;
    }
    end = memmem(bytes.data + at, bytes.len - at, "\r\n", 2);
    at = end ? (size_t)(end - bytes.data) + 2 : bytes.len;
    buf_add(&out, bytes.data, at);
    if (end && !memmem(bytes.data, bytes.len, "Host", 4) &&
        !memmem(bytes.data, bytes.len, "HOST", 4)) {
        buf_adds(&out, "Host: localhost\r\n");
    }
    buf_add(&out, bytes.data + at, bytes.len - at);
    return out;
}

struct llhttp_counts {
    unsigned taken, refused;
};

static void
llhttp_case(const struct hostile_case *c, void *arg)
{
    struct llhttp_counts *counts = arg;

    for (int host = 0; host < 2; host++) {
        struct buf bytes = host ? with_host(c->bytes) : (struct buf)BUF_INIT;
        struct slice all = host ? buf_slice(&bytes) : c->bytes;
        struct told told = in_one(all, &default_limits);

        if (hostile_allows(c, "parser", "error") && told.refusal == HTTP_OK) {
            /* Refused without being read at all: what follows "Connection: close". */
            bool behind_the_last = strcmp(json_string_value(json_object_get(c->row, "reason")),
                                          "Data after `Connection: close`") == 0;

            /* Or not yet complete, and wrong only where it would go on. */
            if (!(behind_the_last && told.closed) && !(told.open && told.whole == 0)) {
                print_error("%s was taken:\n%s", c->id, told.text.data);
                CHECK(false);
            }
            if (told.open) {
                print_message("%s waits\n", c->id);
            }
        }
        counts->taken += host && told.whole;
        counts->refused += host && told.refusal;
        buf_fini(&told.text);
        check_cuts(c->id, all, &default_limits);
        buf_fini(&bytes);
    }
}

static void
llhttp_errors_are_never_taken(void **state)
{
    struct llhttp_counts counts = {0, 0};

    (void)state;
    CHECK_INT(hostile_lines("http/llhttp-requests.jsonl", llhttp_case, &counts), 166);
    print_message("%u taken, %u refused\n", counts.taken, counts.refused);
}

/* ---- Plain cases ---- */

/* What the parser says of 'text', to be compared word for word. */
static void
check_told(const char *text, const char *wanted)
{
    struct told told = in_one(slice_of(text), &default_limits);

    if (strcmp(told.text.data, wanted) != 0) {
        print_error("%s\ntold:\n%swanted:\n%s", text, told.text.data, wanted);
        CHECK(false);
    }
    buf_fini(&told.text);
    check_cuts(text, slice_of(text), &default_limits);
}

static void
a_request_is_handed_out_in_slices(void **state)
{
    struct http_parser p;
    char text[] =
        "POST /mcp?a=%20b HTTP/1.1\r\nHOST: localhost:4242\r\naccept:application/json, "
        "text/event-stream;q=1\r\nACCEPT:\t*/* \r\nX-Empty:\r\nMcp-Param-Region:  us west \r\n"
        "Mcp-Name: a\r\nmcp-name: b\r\nContent-Length: 2\r\n\r\n{}GET";
    size_t len = sizeof text - 1;
    struct slice value;

    (void)state;
    http_parser_init(&p, &default_limits);
    CHECK(http_parse(&p, text, &len) == HTTP_HEAD);
    CHECK(http_parse(&p, text, &len) == HTTP_WHOLE);
    CHECK(len == sizeof text - 1 && strcmp(text + p.end, "GET") == 0);
    CHECK(p.method == HTTP_METHOD_POST && p.minor == 1 && p.keep_alive && !p.chunked);
    CHECK(slice_is(http_path(&p), "/mcp") && slice_is(http_query(&p), "a=%20b"));
    CHECK(slice_is(http_body(&p), "{}"));
    CHECK(http_path(&p).data == text + 5 && http_body(&p).data == text + p.end - 2);
    CHECK(slice_is(http_header(&p, HTTP_HEADER_HOST), "localhost:4242"));
    CHECK(http_header(&p, HTTP_HEADER_ORIGIN).data == NULL);
    CHECK(http_header_has(&p, HTTP_HEADER_ACCEPT, SLICE("TEXT/event-stream")));
    CHECK(http_header_has(&p, HTTP_HEADER_ACCEPT, SLICE("*/*")));
    CHECK(!http_header_has(&p, HTTP_HEADER_ACCEPT, SLICE("text/html")));
    CHECK(!http_header_has(&p, HTTP_HEADER_UPGRADE, SLICE("websocket")));
    CHECK(!http_header_repeated(&p, HTTP_HEADER_ACCEPT));
    CHECK(http_header_repeated(&p, HTTP_HEADER_MCP_NAME));
    CHECK(slice_is(http_header(&p, HTTP_HEADER_MCP_NAME), "a"));
    CHECK(http_header_find(&p, SLICE("mcp-param-region"), &value) && slice_is(value, "us west"));
    CHECK(http_header_find(&p, SLICE("x-empty"), &value) && value.len == 0 && value.data);
    CHECK(!http_header_find(&p, SLICE("mcp-param-other"), &value));
}

#define KEEP " keep=1 upgrade=0 expects=0 chunked=0 length=0"
static void
targets_and_versions(void **state)
{
    (void)state;
    check_told("GET http://localhost:1?x HTTP/1.1\r\nHost: a\r\n\r\n",
               "GET 1.1" KEEP " path=</> query=<x> authority=<localhost:1> name=<Host> value=<a> "
               "Host=<a> repeated=0 body=<>\nopen 0 begun 0\n");
    check_told("GET HTTPS://[::1]:80/p HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
               "GET 1.1" KEEP " path=</p> query= authority=<[::1]:80> name=<Host> value=<[::1]:80> "
               "Host=<[::1]:80> repeated=0 body=<>\nopen 0 begun 0\n");
    check_told("\r\n\r\nOPTIONS * HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET",
               "OPTIONS 1.0" KEEP
               " path=<*> query= authority= name=<Connection> value=<Keep-Alive> "
               "Connection=<Keep-Alive> repeated=0 body=<>\nopen 1 begun 1\n");
    check_told("\r\n\r\n", "open 1 begun 0\n");
    check_told("\r\n\r", "open 1 begun 0\n");
}

/* One text for every row of the refusals. */
#define H "Host: a\r\n"
#define P "POST / HTTP/1.1\r\n" H
#define C P "Transfer-Encoding: chunked\r\n\r\n"
static const struct {
    const char *text;
    enum http_refusal why;
} refused[] = {
    {"GET\r\n", HTTP_REFUSED_LINE},
    {"GET /\r\n", HTTP_REFUSED_LINE},
    {"GET  / HTTP/1.1\r\n", HTTP_REFUSED_LINE},
    {"GET /  HTTP/1.1\r\n", HTTP_REFUSED_LINE},
    {"GET / HTTP/1.1 \r\n", HTTP_REFUSED_LINE},
    {" GET / HTTP/1.1\r\n", HTTP_REFUSED_LINE},
    {"GET / http/1.1\r\n", HTTP_REFUSED_LINE},
    {"GET / HTTP/x.1\r\n", HTTP_REFUSED_LINE},
    {"G(T / HTTP/1.1\r\n", HTTP_REFUSED_LINE},
    {"GET a HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET * HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET /#a HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET /%4 HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET /%4x HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET /\" HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET ftp://a/ HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET http:///a HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET http://u@a/ HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET http://a:0/ HTTP/1.1\r\n", HTTP_REFUSED_TARGET},
    {"GET / HTTP/1.2\r\n", HTTP_REFUSED_VERSION},
    {"GET / HTTP/9.9\r\n", HTTP_REFUSED_VERSION},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_REFUSED_HTTP2},
    {"CONNECT a:1 HTTP/1.1\r\n", HTTP_REFUSED_METHOD},
    {"get / HTTP/1.1\r\n", HTTP_REFUSED_METHOD},
    {"\r\n\r\n\r\n", HTTP_REFUSED_BLANK_LINES},
    {"GET /\t", HTTP_REFUSED_CONTROL},
    {"GET /\xc3", HTTP_REFUSED_CONTROL},
    {"GET / HTTP/1.1\r\nA: \x7f", HTTP_REFUSED_CONTROL},
    {"GET / HTTP/1.1\rX", HTTP_REFUSED_BARE_CR},
    {"GET / HTTP/1.1\r\n\rX", HTTP_REFUSED_BARE_CR},
    {"GET / HTTP/1.1\n", HTTP_REFUSED_BARE_LF},
    {"\n", HTTP_REFUSED_BARE_LF},
    {"GET / HTTP/1.1\r\nA: b\r\n c\r\n", HTTP_REFUSED_FOLD},
    {"GET / HTTP/1.1\r\n\tA: b\r\n", HTTP_REFUSED_FOLD},
    {"GET / HTTP/1.1\r\n: b\r\n", HTTP_REFUSED_NAME},
    {"GET / HTTP/1.1\r\nA b\r\n", HTTP_REFUSED_NAME},
    {"GET / HTTP/1.1\r\nA\r\n", HTTP_REFUSED_NAME},
    {"GET / HTTP/1.1\r\nA(b): c\r\n", HTTP_REFUSED_NAME},
    {"GET / HTTP/1.1\r\nA : b\r\n", HTTP_REFUSED_SPACE_COLON},
    {"GET / HTTP/1.1\r\n\r\n", HTTP_REFUSED_HOST_MISSING},
    {"GET / HTTP/1.1\r\n" H "hOST: a\r\n", HTTP_REFUSED_HOST_REPEATED},
    {"GET / HTTP/1.1\r\nHost:\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: a:\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: a:x\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: []\r\n", HTTP_REFUSED_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n", HTTP_REFUSED_HOST},
    {P "Content-Length: -1\r\n", HTTP_REFUSED_LENGTH},
    {P "Content-Length:\r\n", HTTP_REFUSED_LENGTH},
    {P "Content-Length: 9223372036854775808\r\n", HTTP_REFUSED_LENGTH},
    {P "Content-Length: 1, 1\r\n", HTTP_REFUSED_LENGTH},
    {P "Content-Length: 1\r\nContent-Length: 1\r\n", HTTP_REFUSED_LENGTH_TWICE},
    {P "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", HTTP_REFUSED_BOTH_LENGTHS},
    {P "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", HTTP_REFUSED_BOTH_LENGTHS},
    {P "Transfer-Encoding: gzip, chunked\r\n", HTTP_REFUSED_CODING},
    {P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HTTP_REFUSED_CODING},
    {P "Transfer-Encoding:\r\n", HTTP_REFUSED_CODING},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n", HTTP_REFUSED_CODING_1_0},
    {P "Expect: 200-ok\r\n", HTTP_REFUSED_EXPECTATION},
    {P "\r\n", HTTP_REFUSED_LENGTH_MISSING},
    {"PUT / HTTP/1.1\r\n" H "\r\n", HTTP_REFUSED_LENGTH_MISSING},
    {P "Content-Length: 1048577\r\n\r\n", HTTP_REFUSED_BODY_LARGE},
    {C "100001\r\n", HTTP_REFUSED_BODY_LARGE},
    {C "ffffffffffffffff\r\n", HTTP_REFUSED_BODY_LARGE},
    {C "10000000000000000\r\n", HTTP_REFUSED_CHUNK_SIZE},
    {C "\r\n", HTTP_REFUSED_CHUNK_SIZE},
    {C "1 \r\n", HTTP_REFUSED_CHUNK_SIZE},
    {C "0x1\r\n", HTTP_REFUSED_CHUNK_SIZE},
    {C "\x01", HTTP_REFUSED_CHUNK_SIZE},
    {C "1\n", HTTP_REFUSED_BARE_LF},
    {C "1\r\nab", HTTP_REFUSED_CHUNK_END},
    {C "1\r\na\r\r", HTTP_REFUSED_CHUNK_END},
    {C "1;\r\n", HTTP_REFUSED_EXTENSION},
    {C "1;a=\r\n", HTTP_REFUSED_EXTENSION},
    {C "1;a=\"b\r\n", HTTP_REFUSED_EXTENSION},
    {C "1;a=\"b\\\"\r\n", HTTP_REFUSED_EXTENSION},
    {C "1;a=\"b\"c\r\n", HTTP_REFUSED_EXTENSION},
    {C "1;a b\r\n", HTTP_REFUSED_EXTENSION},
    {C "0\r\nA : b\r\n", HTTP_REFUSED_SPACE_COLON},
    {C "0\r\nA: b\r\n c\r\n", HTTP_REFUSED_FOLD},
    {C "0\r\nA: b\n", HTTP_REFUSED_BARE_LF},
};

static void
every_refusal_has_its_case(void **state)
{
    bool seen[HTTP_REFUSAL_COUNT] = {[HTTP_OK] = true};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct told told = in_one(slice_of(refused[i].text), &default_limits);

        if (told.refusal != refused[i].why) {
            print_error("%s\ntold %s", refused[i].text, told.text.data);
        }
        CHECK(told.refusal == refused[i].why && told.whole == 0);
        seen[refused[i].why] = true;
        buf_fini(&told.text);
        check_cuts(refused[i].text, slice_of(refused[i].text), &default_limits);
    }
    /* These take a limit to be reached; see below. */
    seen[HTTP_REFUSED_LINE_LONG] = seen[HTTP_REFUSED_HEADERS_LARGE] = true;
    seen[HTTP_REFUSED_HEADERS_MANY] = seen[HTTP_REFUSED_EXTENSIONS_LARGE] = true;
    for (int r = 0; r < HTTP_REFUSAL_COUNT; r++) {
        CHECK(seen[r]);
    }
}

/* Builds 'before', 'n' times 'again', 'after', and says what becomes of it. */
static enum http_refusal
repeated(const char *before, const char *again, size_t n, const char *after,
         const struct http_limits *limits)
{
    struct buf b = BUF_INIT;
    struct told told;

    buf_adds(&b, before);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&b, again);
    }
    buf_adds(&b, after);
    told = in_one(buf_slice(&b), limits);
    CHECK(told.refusal || told.whole == 1);
    check_cuts(before, buf_slice(&b), limits);
    buf_fini(&told.text);
    buf_fini(&b);
    return told.refusal;
}

static void
limits_hold_to_the_byte(void **state)
{
    const struct http_limits small = {64, 128, 10, 16};
    const char *line = "GET / HTTP/1.1\r\n";

    (void)state;
    /* "GET " and " HTTP/1.1" are 13 bytes. */
    CHECK(repeated("GET ", "/", 51, " HTTP/1.1\r\n" H "\r\n", &small) == HTTP_OK);
    CHECK(repeated("GET ", "/", 52, " HTTP/1.1\r\n" H "\r\n", &small) == HTTP_REFUSED_LINE_LONG);
    /* "Host: a" and "A: " with their ends are 14 bytes. */
    CHECK(repeated("GET / HTTP/1.1\r\n" H "A: ", "x", 114, "\r\n\r\n", &small) == HTTP_OK);
    CHECK(repeated("GET / HTTP/1.1\r\n" H "A: ", "x", 115, "\r\n\r\n", &small) ==
          HTTP_REFUSED_HEADERS_LARGE);
    CHECK(repeated("GET / HTTP/1.1\r\n" H "A: ", "x", 114, "\r\nB", &small) ==
          HTTP_REFUSED_HEADERS_LARGE);
    CHECK(repeated(line, "A: b\r\n", 9, H "\r\n", &small) == HTTP_OK);
    CHECK(repeated(line, "A: b\r\n", 10, H "\r\n", &small) == HTTP_REFUSED_HEADERS_MANY);
    CHECK(repeated(P "Content-Length: 16\r\n\r\n", "x", 16, "", &small) == HTTP_OK);
    CHECK(repeated(P "Content-Length: 17\r\n\r\n", "x", 17, "", &small) == HTTP_REFUSED_BODY_LARGE);
    CHECK(repeated(C, "1\r\nx\r\n", 16, "0\r\n\r\n", &small) == HTTP_OK);
    CHECK(repeated(C, "1\r\nx\r\n", 16, "1\r\n", &small) == HTTP_REFUSED_BODY_LARGE);
    CHECK(repeated(C "0\r\nA: ", "x", 123, "\r\n\r\n", &small) == HTTP_OK);
    CHECK(repeated(C "0\r\nA: ", "x", 124, "\r\n\r\n", &small) == HTTP_REFUSED_HEADERS_LARGE);
    CHECK(repeated(C "0\r\n", "A: b\r\n", 10, "\r\n", &small) == HTTP_OK);
    CHECK(repeated(C "0\r\n", "A: b\r\n", 11, "\r\n", &small) == HTTP_REFUSED_HEADERS_MANY);
    CHECK(repeated(C "0;", "x", HTTP_CHUNK_LINE_MAX - 2, "\r\n\r\n", &small) == HTTP_OK);
    CHECK(repeated(C "0;", "x", HTTP_CHUNK_LINE_MAX - 1, "\r\n\r\n", &small) ==
          HTTP_REFUSED_EXTENSIONS_LARGE);
    /* The same with the limits of a server. */
    CHECK(repeated("GET ", "/", 8192 - 13, " HTTP/1.1\r\n" H "\r\n", &default_limits) == HTTP_OK);
    CHECK(repeated("GET ", "/", 8192 - 12, " HTTP/1.1\r\n" H "\r\n", &default_limits) ==
          HTTP_REFUSED_LINE_LONG);
    CHECK(repeated("GET / HTTP/1.1\r\n" H, "A: b\r\n", 99, "\r\n", &default_limits) == HTTP_OK);
    CHECK(repeated("GET / HTTP/1.1\r\n" H, "A: b\r\n", 100, "\r\n", &default_limits) ==
          HTTP_REFUSED_HEADERS_MANY);
    CHECK(repeated(C, "1;abcdefg\r\nx\r\n", 1024, "0\r\n\r\n", &default_limits) == HTTP_OK);
    CHECK(repeated(C, "1;abcdefg\r\nx\r\n", 1025, "0\r\n\r\n", &default_limits) ==
          HTTP_REFUSED_EXTENSIONS_LARGE);
}

static void
chunks_are_put_together_in_place(void **state)
{
    struct http_parser p;
    char text[] = C "3\r\nabc\r\n0A;x=\"\\\"\";y\r\ndefghijklm\r\n000\r\nVary: *\r\n\r\nGET";
    size_t head = strlen(C), len = sizeof text - 1;

    (void)state;
    check_told(text,
               "POST 1.1 keep=1 upgrade=0 expects=0 chunked=1 length=0 path=</> query= authority= "
               "name=<Host> value=<a> name=<Transfer-Encoding> value=<chunked> Host=<a> repeated=0 "
               "Transfer-Encoding=<chunked> repeated=0 body=<abcdefghijklm>\nopen 1 begun 1\n");
    http_parser_init(&p, &default_limits);
    CHECK(http_parse(&p, text, &len) == HTTP_HEAD);
    CHECK(http_parse(&p, text, &len) == HTTP_WHOLE);
    CHECK(http_body(&p).data == text + head && strncmp(text + p.end, "GET", 3) == 0);
    /* A rest of framing moves down behind the body. */
    memcpy(text + head, "3\r\nabc\r\n0A;x", 12);
    len = head + 12;
    http_parser_init(&p, &default_limits);
    CHECK(http_parse(&p, text, &len) == HTTP_HEAD);
    CHECK(http_parse(&p, text, &len) == HTTP_MORE);
    CHECK(len == head + 7 && memcmp(text + head, "abc0A;x", 7) == 0);
}

static void
a_sized_body_says_what_is_missing(void **state)
{
    struct http_parser p, q;
    char text[] = P "Expect: 100-Continue\r\nContent-Length: 10\r\n\r\n1234567890";
    size_t len = sizeof text - 1 - 7, all = sizeof text - 1;

    (void)state;
    http_parser_init(&p, &default_limits);
    CHECK(!http_parser_begun(&p));
    CHECK(http_parse(&p, text, &len) == HTTP_HEAD && p.expects && p.has_body && p.length == 10);
    CHECK(http_parser_missing(&p) == 0);
    CHECK(http_parse(&p, text, &len) == HTTP_MORE);
    CHECK(http_parser_missing(&p) == 7 && http_parser_begun(&p));
    http_parser_copy(&q, &p);
    CHECK(http_parse(&q, text, &all) == HTTP_WHOLE && slice_is(http_body(&q), "1234567890"));
    CHECK(slice_is(http_header(&q, HTTP_HEADER_HOST), "a"));
}

static void
connections_are_kept_closed_and_upgraded(void **state)
{
    static const struct {
        const char *text;
        bool keep, upgrade;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: x, , CLOSE\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false,
         false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive, Upgrade\r\n\r\n", true, true},
        {"GET / HTTP/1.0\r\n" H "\r\n", false, false},
        {"GET / HTTP/1.0\r\n" H "Connection: keep-alive, upgrade\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
    };
    struct http_parser p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        size_t len = strlen(cases[i].text);

        memcpy(text, cases[i].text, len);
        http_parser_init(&p, &default_limits);
        CHECK(http_parse(&p, text, &len) == HTTP_HEAD);
        CHECK(p.keep_alive == cases[i].keep && p.upgrade == cases[i].upgrade);
    }
    /* Expectations are ignored without a body, and in HTTP/1.0. */
    check_told("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n",
               "GET 1.1" KEEP " path=</> query= authority= name=<Host> value=<a> name=<Expect> "
               "value=<100-continue> Host=<a> repeated=0 Expect=<100-continue> repeated=0 body=<>\n"
               "open 0 begun 0\n");
    check_told("GET / HTTP/1.0\r\nExpect: x\r\n\r\n",
               "GET 1.0 keep=0 upgrade=0 expects=0 chunked=0 length=0 path=</> query= authority= "
               "name=<Expect> value=<x> Expect=<x> repeated=0 body=<>\n");
}

/* ---- The small grammar ---- */

static bool
in(const char *set, int c)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void
classes_are_those_of_the_rfcs(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool digit = c >= '0' && c <= '9';
        bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool unreserved = digit || alpha || in("-._~", c);
        bool visible = c >= 0x20 && c <= 0x7e;
        char byte = (char)c;

        CHECK(http_is(byte, HTTP_DIGIT) == digit);
        CHECK(http_is(byte, HTTP_HEX) == (digit || in("abcdefABCDEF", c)));
        CHECK(http_is(byte, HTTP_TOKEN) == (digit || alpha || in("!#$%&'*+-.^_`|~", c)));
        CHECK(http_is(byte, HTTP_URI) == (unreserved || in("!$&'()*+,;=:@/?%", c)));
        CHECK(http_is(byte, HTTP_HOST) == (unreserved || in("!$&'()*+;=", c)));
        CHECK(http_is(byte, HTTP_VISIBLE) == visible);
        CHECK(http_is(byte, HTTP_FIELD) == (visible || c == '\t' || c >= 0x80));
        /* At every place, since lines are looked at sixteen bytes at a time. */
        for (size_t at = 0; at < 40; at++) {
            char text[40];

            memset(text, 'x', sizeof text);
            text[at] = byte;
            CHECK(http_line_run(text, 0, 40, false) == (http_is(byte, HTTP_FIELD) ? 40 : at));
            CHECK(http_line_run(text, 0, 40, true) == (visible ? 40 : at));
            CHECK(http_run(text, 0, 40, HTTP_TOKEN) == (http_is(byte, HTTP_TOKEN) ? 40 : at));
        }
    }
}

static void
lists_tokens_and_authorities(void **state)
{
    struct slice list = SLICE(" a ,,\tb;q=1 , c "), element, host;
    unsigned port;

    (void)state;
    CHECK(http_list_next(&list, &element) && slice_is(element, "a"));
    CHECK(http_list_next(&list, &element) && slice_is(element, "b;q=1"));
    CHECK(http_list_next(&list, &element) && slice_is(element, "c"));
    CHECK(!http_list_next(&list, &element));
    CHECK(http_list_has(SLICE("x, Gzip ;q=0"), SLICE("gzip")));
    CHECK(!http_list_has(SLICE(""), SLICE("gzip")));
    CHECK(http_token(SLICE("a-b")) && !http_token(SLICE("")) && !http_token(SLICE("a b")));
    CHECK(http_authority(SLICE("[::ffff:1.2.3.4]:65535"), &host, &port));
    CHECK(slice_is(host, "[::ffff:1.2.3.4]") && port == 65535);
    CHECK(http_authority(SLICE("Local-Host"), &host, &port) && port == 0);
    CHECK(!http_authority(SLICE("a:123456"), &host, &port));
    CHECK(!http_authority(SLICE(":80"), &host, &port));
    CHECK(!http_authority(SLICE(""), &host, &port));
    CHECK(http_same(SLICE("aB-"), SLICE("Ab-")) && !http_same(SLICE("a"), SLICE("ab")));
    CHECK(http_same(SLICE("Content-Length"), SLICE("Content-length")));
    CHECK(http_same(SLICE("content-length"), SLICE("Content-Length")));
    CHECK(!http_same(SLICE("Content-Length"), SLICE("Content-Lengtg")));
    /* Characters one bit of case apart are no letters. */
    CHECK(!http_same(SLICE("@["), SLICE("`{")));
}

/* What the fuzzer started from, and what it found. */
static void
the_corpus_is_cut_anywhere(void **state)
{
    DIR *folder = opendir("tests/fuzz/corpus/http");
    struct dirent *entry;
    unsigned count = 0;

    (void)state;
    CHECK(folder != NULL);
    while ((entry = readdir(folder))) {
        char *path = xasprintf("tests/fuzz/corpus/http/%s", entry->d_name), bytes[4096];
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;

        if (len > 1) {
            check_cuts(entry->d_name, (struct slice){bytes + 1, len - 1}, &default_limits);
            count++;
        }
        if (file) {
            fclose(file);
        }
        free(path);
    }
    closedir(folder);
    CHECK(count >= 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_corpus_is_cut_anywhere),
        cmocka_unit_test(a_request_is_handed_out_in_slices),
        cmocka_unit_test(targets_and_versions),
        cmocka_unit_test(every_refusal_has_its_case),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(chunks_are_put_together_in_place),
        cmocka_unit_test(a_sized_body_says_what_is_missing),
        cmocka_unit_test(connections_are_kept_closed_and_upgraded),
        cmocka_unit_test(classes_are_those_of_the_rfcs),
        cmocka_unit_test(lists_tokens_and_authorities),
        cmocka_unit_test(own_cases_are_read_or_refused),
        cmocka_unit_test(llhttp_errors_are_never_taken),
    };
    return CHECK_RUN(tests);
}
