/* mem.h -- memory and text: allocation, slices, growing buffers, counted bytes.
 *
 * Two kinds of allocation.  A small one of fixed size uses xmalloc() and friends, which abort
 * with a line on standard error: that loses nothing, because state on disk is crash-safe.  One
 * whose size a peer or a file decides is bounded first, uses try_malloc() or a buf, and its failure
 * is that request's error. */
#ifndef TANDEM_MEM_H
#define TANDEM_MEM_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Behind a large local variable on the path of every request, of which nothing is read that was not
 * written before.  The compiler clears all others (-ftrivial-auto-var-init); clearing these too
 * took 4,400 instructions of the 27,700 of a small call. */
#define NOT_CLEARED __attribute__((uninitialized))

/* Says how much of what is freed is kept: less than 'MEM_KEPT' bytes of each thread's, and nothing
 * of a block of half that.  What the library begins with gives the pages of each 64 KiB message
 * back and takes them again, 40 us of the 94 that one cost on stdio; where it ends, after a large
 * block, keeps up to 64 MiB.
 *
 * And how many heaps all threads share: by itself the library makes eight a core, and what one
 * thread frees there is of no use to another.  At 300 requests a second over three transports a
 * server takes 2 MiB less with two of them, and grows by 0.1 MiB in three minutes where it grew by
 * 0.6.  Who allocates little has his own store (tcache) in front of them.
 *
 * Once, before there are threads. */
#define MEM_KEPT (1 << 20)
#define MEM_ARENAS 2
void mem_prepare(void);
/* New zeroed or copied memory; aborts when there is none.  Caller frees with free(). */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
/* A new formatted string. */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the process with a line on standard error: there was no memory for something small. */
void out_of_memory(void) __attribute__((noreturn));
/* New memory, not zeroed, or null: for sizes that a peer decides. */
void *try_malloc(size_t size);

/* Borrowed bytes, not ended by NUL.  The owner is named where a slice is declared. */
struct slice {
    const char *data;
    size_t len;
};
#define SLICE(LITERAL) ((struct slice){"" LITERAL, sizeof(LITERAL) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})

/* All of 'text', borrowed; null is an empty one. */
static inline struct slice
slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

/* Whether it is that text, or that slice, byte by byte. */
static inline bool
slice_is(struct slice s, const char *text)
{
    size_t len = strlen(text);
    return s.len == len && (len == 0 || memcmp(s.data, text, len) == 0);
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Reads a decimal number: digits, and nothing else.  False if it is none, or too great. */
static inline bool
slice_number(struct slice s, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || __builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(s.data[i] - '0'), number)) {
            return false;
        }
    }
    return s.len > 0;
}

/* A growing buffer.  Zero is a valid empty one.  An allocation that fails, or growth past 'limit',
 * sets 'failed' and drops what is added from then on, so a writer checks once, at the end. */
struct buf {
    char *data; /* Owned; NUL after the last byte whenever it is not null. */
    size_t len;
    size_t size;  /* Bytes allocated. */
    size_t limit; /* Largest 'len' allowed; 0 means no limit. */
    bool failed;
    bool full; /* It failed for 'limit', not for want of memory. */
};
/* clang-format off */
#define BUF_INIT {.data = NULL}
/* clang-format on */

/* Frees what it holds; it can be used again, empty. */
void buf_fini(struct buf *b);
/* Empties 'b', keeping its memory. */
void buf_reset(struct buf *b);
/* Makes room for 'more' bytes; false, and 'failed', if that is not to be had. */
bool buf_reserve(struct buf *b, size_t more);
void buf_add_growing(struct buf *b, const void *data, size_t len);
/* Answers are written in many small steps, so those for which there is room are inline. */
static inline void
buf_add(struct buf *b, const void *data, size_t len)
{
    if (len && len < b->size - b->len && !b->failed && (!b->limit || b->len + len <= b->limit)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
    } else {
        buf_add_growing(b, data, len);
    }
}
/* The same for one byte, a text, and what printf() makes; 'failed' without memory. */
static inline void
buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}
static inline void
buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void
buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.data, s.len);
}
/* Adds 'text' as a JSON string with its quotes.  U+2028 and U+2029 and control characters are
 * escaped, so the result never splits a line or a frame, nor steers a terminal; a byte that is not
 * UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, struct slice text);
/* Adds a decimal number. */
void buf_add_int(struct buf *b, int64_t value);
/* Returns the text, new, for the caller to free, and empties 'b'; null if 'b' failed. */
char *buf_steal(struct buf *b);
static inline struct slice
buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}

/* Formats into 'out' of 'size' bytes, cut at a whole character if it is too long; a byte that is
 * not UTF-8 becomes '?'. */
void text_format(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Immutable bytes shared by count. */
struct bytes {
    _Atomic unsigned refs;
    size_t len;
    char data[]; /* NUL after the last. */
};
/* New, with one reference; null when there is no memory.  With 'data' null the caller fills it in
 * before sharing it. */
struct bytes *bytes_new(const void *data, size_t len);
struct bytes *bytes_ref(struct bytes *b);
/* Null is ignored. */
void bytes_unref(struct bytes *b);

#endif
