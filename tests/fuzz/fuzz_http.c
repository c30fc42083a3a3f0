/* fuzz_http.c -- libFuzzer on the request parser: no read outside, and no cut that matters.
 *
 * The first byte of an input says how it is cut; the rest is what a connection sends.  It is parsed
 * in one segment and cut, each time in memory of the exact size, and must be told alike. */
#include <stdio.h>

#include "transports/http_parser.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

static const struct http_limits limits = {256, 512, 20, 300};

static void
check(bool held, const char *what)
{
    if (!held) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void
check_inside(struct slice s, const char *data, size_t len)
{
    check(!s.len || slice_is(s, "/") || (s.data >= data && s.data + s.len <= data + len), "inside");
}

static void
tell(struct buf *out, const struct http_parser *p, const char *data, size_t len)
{
    struct slice name, value, body = http_body(p), query = http_query(p);

    check(p->end <= len && body.len <= limits.body && p->count <= limits.count, "limits");
    check(p->minor == 0 || http_header(p, HTTP_HEADER_HOST).len > 0, "a host");
    check_inside(http_path(p), data, len);
    check_inside(query, data, len);
    check_inside(body, data, p->end);
    buf_addf(out, "%d %d%d%d%d %zu [", (int)p->method, p->keep_alive, p->upgrade, p->expects,
             p->chunked, body.len);
    buf_add_slice(out, http_path(p));
    buf_add_slice(out, query);
    for (unsigned i = 0; http_header_next(p, &i, &name, &value);) {
        check_inside(name, data, len);
        check_inside(value, data, len);
        check(http_token(name) && http_trim(value).len == value.len, "a clean header");
        buf_add_slice(out, name);
        buf_addc(out, ':');
        buf_add_slice(out, value);
    }
    buf_add_slice(out, body);
    buf_adds(out, "]\n");
}

/* Parses 'bytes', 'step' at a time, into a text that tells what they were. */
static struct buf
run(const unsigned char *bytes, size_t size, size_t step)
{
    struct buf out = BUF_INIT;
    struct http_parser p;
    char *data = NULL;
    size_t len = 0;

    http_parser_init(&p, &limits);
    for (size_t at = 0; at < size;) {
        size_t more = size - at < step ? size - at : step;
        char *moved = malloc(len + more);
        enum http_event event;

        check(moved != NULL, "memory");
        if (len) {
            memcpy(moved, data, len);
        }
        free(data);
        data = moved;
        memcpy(data + len, bytes + at, more);
        len += more;
        at += more;
        while (len && (event = http_parse(&p, data, &len)) != HTTP_MORE) {
            if (event == HTTP_HEAD) {
                continue;
            }
            if (event == HTTP_REFUSED) {
                buf_addf(&out, "refused %d", (int)p.refusal);
                free(data);
                return out;
            }
            tell(&out, &p, data, len);
            len -= p.end;
            memmove(data, data + p.end, len);
            if (!p.keep_alive) {
                free(data);
                return out;
            }
            http_parser_init(&p, &limits);
        }
    }
    buf_addf(&out, "open %d", http_parser_begun(&p));
    free(data);
    return out;
}

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    struct buf one, cut;
    size_t step;

    if (size < 2) {
        return 0;
    }
    step = 1 + bytes[0] % 17;
    one = run(bytes + 1, size - 1, size);
    cut = run(bytes + 1, size - 1, step);
    check(one.len == cut.len && memcmp(one.data, cut.data, one.len) == 0, "cuts do not matter");
    buf_fini(&one);
    buf_fini(&cut);
    return 0;
}
