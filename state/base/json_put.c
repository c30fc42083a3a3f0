/* json_put.c -- JSON building that aborts rather than loses a member. */
#include "state/base/json_put.h"

#include <stdio.h>

json_t *
json_must(json_t *value)
{
    if (!value) {
        fputs("level=error module=json event=\"out of memory\"\n", stderr);
        abort();
    }
    return value;
}

/* Bytes of the UTF-8 character at 's' ('len' are left), or 0 if it is none. */
static size_t
character_length(const unsigned char *s, size_t len)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
    unsigned code;

    if (n < 2 || n > len || s[0] > 0xF4) {
        return n == 1;
    }
    code = s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3Fu);
    }
    return code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : n;
}

json_t *
json_text_slice(struct slice text)
{
    struct buf clean = BUF_INIT;
    json_t *value = json_stringn(text.data ? text.data : "", text.len);

    if (value) {
        return value;
    }
    for (size_t i = 0; i < text.len;) {
        size_t n = character_length((const unsigned char *)text.data + i, text.len - i);
        if (n) {
            buf_add(&clean, text.data + i, n);
        } else {
            buf_adds(&clean, "\xEF\xBF\xBD");
        }
        i += n ? n : 1;
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
