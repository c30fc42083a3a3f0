/* json_put.c -- JSON building that aborts rather than loses a member. */
#include "state/base/json_put.h"

#include "state/base/rune.h"

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

static int
count_bytes(const char *data, size_t size, void *arg)
{
    (void)data;
    *(size_t *)arg += size;
    return 0;
}

size_t
json_size(const json_t *value)
{
    size_t size = 0;

    if (value && json_dump_callback(value, count_bytes, &size, JSON_COMPACT | JSON_ENCODE_ANY)) {
        json_must(NULL);
    }
    return size;
}

/* jansson hands over whole characters, so one is never split between two calls. */
static int
write_part(const char *data, size_t len, void *arg)
{
    struct buf *out = arg;
    size_t start = 0; /* What lies between is fine, and is not added yet. */

    for (size_t at = 0; at + 2 < len; at++) {
        const unsigned char *p = (const unsigned char *)data + at;

        if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) {
            buf_add(out, data + start, at - start);
            buf_adds(out, p[2] == 0xA8 ? "\\u2028" : "\\u2029");
            at += 2;
            start = at + 1;
        }
    }
    buf_add(out, data + start, len - start);
    return out->failed ? -1 : 0;
}

void
json_write(struct buf *out, const json_t *value)
{
    if (json_dump_callback(value, write_part, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        out->failed = true;
    }
}
