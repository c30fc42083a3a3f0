/* mem.c -- allocation that aborts, buffers that fail softly, counted bytes. */
#include "state/base/mem.h"

#include "state/base/rune.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

void
out_of_memory(void)
{
    static const char line[] = "level=error module=mem event=\"out of memory, ending; "
                               "nothing that was acknowledged is lost\"\n";
    ssize_t n = write(STDERR_FILENO, line, sizeof line - 1);
    (void)n; /* Nobody is left to tell. */
    abort();
}

void
mem_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, MEM_KEPT / 2);
    mallopt(M_TRIM_THRESHOLD, MEM_KEPT);
    mallopt(M_ARENA_MAX, MEM_ARENAS);
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
    b->failed = b->full = false;
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

    if (b->failed) {
        return false;
    }
    if (need < more || need > SIZE_MAX / 2 || (b->limit && b->len + more > b->limit)) {
        b->failed = b->full = true;
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
    b->data[b->len] = '\0';
    b->size = size;
    return true;
}

void
buf_add_growing(struct buf *b, const void *data, size_t len)
{
    if (len && buf_reserve(b, len)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
    }
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

void
text_format(char *out, size_t size, const char *format, va_list args)
{
    int wanted = vsnprintf(out, size, format, args);
    struct slice text;
    size_t n;

    if (wanted < 0) {
        out[0] = '\0';
    }
    text = slice_of(out);
    for (size_t at = 0; at < text.len; at += n) {
        uint32_t rune;

        n = rune_decode(text, at, &rune);
        if (n == 0 && (size_t)wanted >= size && text.len - at < 4 && (out[at] & 0xC0) == 0xC0) {
            out[at] = '\0'; /* A character that was cut. */
            break;
        }
        if (n == 0) {
            out[at] = '?';
            n = 1;
        }
    }
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
    struct bytes *b = len < SIZE_MAX / 2 ? try_malloc(sizeof *b + len + 1) : NULL;

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
