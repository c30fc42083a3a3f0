/* mem.c -- allocation that aborts, buffers that fail softly, counted bytes. */
#include "state/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

static void __attribute__((noreturn))
out_of_memory(void)
{
    static const char line[] = "level=error module=mem event=\"out of memory, ending; "
                               "nothing that was acknowledged is lost\"\n";
    ssize_t n = write(STDERR_FILENO, line, sizeof line - 1);
    (void)n; /* Nobody is left to tell. */
    abort();
}

void *
xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *
xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

char *
xstrndup(const char *text, size_t len)
{
    char *p = xcalloc(len + 1, 1);
    if (len) {
        memcpy(p, text, len);
    }
    return p;
}

char *
xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *
xasprintf(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        out_of_memory();
    }
    return text;
}

void *
try_malloc(size_t size)
{
    return malloc(size ? size : 1);
}

void
buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

bool
buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;
    size_t size;
    char *data;

    if (b->failed || need < more || (b->limit && b->len + more > b->limit)) {
        b->failed = true;
        return false;
    }
    if (need <= b->size) {
        return true;
    }
    size = b->size ? b->size * 2 : 256;
    while (size < need) {
        size *= 2;
    }
    data = realloc(b->data, size);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
    if (len && buf_reserve(b, len)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
    }
}

void
buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void
buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void
buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if (buf_reserve(b, (size_t)n)) {
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
        va_end(args);
        b->len += (size_t)n;
    }
}

/* How many bytes from the start of 's' need no escape. */
static size_t
plain_run(const unsigned char *s, size_t len)
{
    size_t i = 0;
    while (i < len && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0xE2 && s[i] != 0x7F) {
        i++;
    }
    return i;
}

void
buf_add_json(struct buf *b, struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    size_t left = text.len;

    buf_addc(b, '"');
    while (left) {
        size_t run = plain_run(s, left);
        buf_add(b, s, run);
        s += run;
        left -= run;
        if (!left) {
            break;
        }
        if (*s == 0xE2) {
            bool separator = left >= 3 && s[1] == 0x80 && (s[2] == 0xA8 || s[2] == 0xA9);
            size_t n = separator ? 3 : 1;
            if (separator) {
                buf_adds(b, s[2] == 0xA8 ? "\\u2028" : "\\u2029");
            } else {
                buf_add(b, s, 1);
            }
            s += n;
            left -= n;
            continue;
        }
        switch (*s) {
        case '"':
            buf_adds(b, "\\\"");
            break;
        case '\\':
            buf_adds(b, "\\\\");
            break;
        case '\n':
            buf_adds(b, "\\n");
            break;
        case '\r':
            buf_adds(b, "\\r");
            break;
        case '\t':
            buf_adds(b, "\\t");
            break;
        default:
            buf_addf(b, "\\u%04x", *s);
        }
        s++;
        left--;
    }
    buf_addc(b, '"');
}

void
buf_add_int(struct buf *b, int64_t value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        *--p = '-';
    }
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

char *
buf_steal(struct buf *b)
{
    char *data;

    if (!b->data && !b->failed) {
        buf_reserve(b, 0);
        if (b->data) {
            b->data[0] = '\0';
        }
    }
    data = b->failed ? NULL : b->data;
    if (b->failed) {
        free(b->data);
    }
    *b = (struct buf)BUF_INIT;
    return data;
}

struct bytes *
bytes_new(const void *data, size_t len)
{
    struct bytes *b = try_malloc(sizeof *b + len + 1);

    if (b) {
        atomic_init(&b->refs, 1);
        b->len = len;
        if (len && data) {
            memcpy(b->data, data, len);
        }
        b->data[len] = '\0';
    }
    return b;
}

struct bytes *
bytes_ref(struct bytes *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void
bytes_unref(struct bytes *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        free(b);
    }
}
