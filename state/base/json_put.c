/* json_put.c -- JSON building that aborts rather than loses a member. */
#include "state/base/json_put.h"

#include "state/base/rune.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#define REAL_DIGITS 17 /* Any double can be told by so many. */
#define REAL_SIZE 64

static void *
allocate(size_t size)
{
    void *p = try_malloc(size);

    if (!p) {
        out_of_memory();
    }
    return p;
}

void
json_prepare(void)
{
    json_set_alloc_funcs(allocate, free);
    json_object_seed(0);
}

json_t *
json_must(json_t *value)
{
    if (!value) {
        out_of_memory();
    }
    return value;
}

json_t *
json_text_slice(struct slice text)
{
    struct buf clean = BUF_INIT;
    json_t *value = json_stringn(text.data ? text.data : "", text.len);

    if (value) {
        return value;
    }
    for (size_t at = 0, n; at < text.len; at += n ? n : 1) {
        uint32_t rune;

        n = rune_decode(text, at, &rune);
        if (n) {
            buf_add(&clean, text.data + at, n);
        } else {
            buf_adds(&clean, "\xEF\xBF\xBD"); /* U+FFFD */
        }
    }
    value = clean.failed ? NULL : json_stringn(clean.data ? clean.data : "", clean.len);
    buf_fini(&clean);
    return json_must(value);
}

json_t *
json_text(const char *text)
{
    return text ? json_text_slice(slice_of(text)) : json_null();
}

void
json_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, json_must(value)) != 0) {
        json_must(NULL);
    }
}

void
json_put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, json_text(text));
}

void
json_put_int(json_t *object, const char *key, int64_t value)
{
    json_put(object, key, json_integer(value));
}

void
json_put_real(json_t *object, const char *key, double value, unsigned decimals)
{
    double unit = pow(10, decimals);

    json_put(object, key, json_real(round(value * unit) / unit));
}

void
json_put_bool(json_t *object, const char *key, bool value)
{
    json_put(object, key, json_boolean(value));
}

void
json_add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, json_must(value)) != 0) {
        json_must(NULL);
    }
}

json_t *
json_clone(const json_t *value)
{
    return value ? json_must(json_deep_copy(value)) : json_null();
}

json_t *
json_own(json_t *object, const char *key, json_t *empty)
{
    json_t *old = json_object_get(object, key);
    json_t *copy;

    if (old && json_typeof(old) == json_typeof(empty)) {
        copy = json_must(json_copy(old));
        json_decref(empty);
    } else {
        copy = empty;
    }
    json_put(object, key, copy);
    return copy;
}

/* Where a text goes to, part by part. */
struct writer {
    struct buf *out; /* Null: it is only counted. */
    size_t size;
    bool string; /* Within one. */
};

static void
put_part(struct writer *w, const char *data, size_t len)
{
    w->size += len;
    if (w->out) {
        buf_add(w->out, data, len);
    }
}

/* A part of a string.  jansson hands over whole characters, so one is never split in two calls. */
static void
put_characters(struct writer *w, const char *data, size_t len)
{
    size_t start = 0; /* What lies between is fine, and is not added yet. */

    for (size_t at = 0; at + 2 < len; at++) {
        const unsigned char *p = (const unsigned char *)data + at;

        if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) {
            put_part(w, data + start, at - start);
            put_part(w, p[2] == 0xA8 ? "\\u2028" : "\\u2029", 6);
            at += 2;
            start = at + 1;
        }
    }
    put_part(w, data + start, len - start);
}

/* jansson writes reals with 17 digits, which are often more than it takes to read the same number
 * again: 0.714 would be 0.71399999999999997. */
static void
put_real(struct writer *w, const char *data, size_t len)
{
    char given[REAL_SIZE], text[REAL_SIZE];
    double value;

    memcpy(given, data, len);
    given[len] = '\0';
    value = strtod(given, NULL);
    for (int digits = DBL_DIG; digits < REAL_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            put_part(w, text, strlen(text));
            if (!strpbrk(text, ".e")) {
                put_part(w, ".0", 2); /* A real stays one. */
            }
            return;
        }
    }
    put_part(w, data, len); /* All 17. */
}

static int
write_part(const char *data, size_t len, void *arg)
{
    struct writer *w = arg;

    if (len == 1 && *data == '"') { /* One in a string comes with a backslash before it. */
        w->string = !w->string;
        put_part(w, data, len);
    } else if (w->string) {
        put_characters(w, data, len);
    } else if (len >= REAL_DIGITS && len < REAL_SIZE && memchr(data, '.', len)) {
        put_real(w, data, len);
    } else {
        put_part(w, data, len);
    }
    return w->out && w->out->failed ? -1 : 0;
}

void
json_write(struct buf *out, const json_t *value)
{
    struct writer w = {.out = out};

    if (json_dump_callback(value, write_part, &w, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        out->failed = true;
    }
}

size_t
json_size(const json_t *value)
{
    struct writer w = {.size = 0};

    if (value && json_dump_callback(value, write_part, &w, JSON_COMPACT | JSON_ENCODE_ANY)) {
        json_must(NULL);
    }
    return w.size;
}
