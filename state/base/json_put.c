/* json_put.c -- JSON building that aborts rather than loses a member. */
#include "state/base/json_put.h"

#include "state/base/rune.h"

#include <assert.h>
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
json_text_of(struct buf *text)
{
    json_t *value = text->failed ? json_must(NULL) : json_text_slice(buf_slice(text));

    buf_fini(text);
    return value;
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

/* ---- Writing ----
 *
 * jansson's own writer looks at strings character by character, and remembers each container to
 * find one that holds itself, which no tree of ours does: the answer of a small tool took it 3 us;
 * this takes 0.3. */

#define DEPTH_MAX 1024 /* What is read is at most half as deep. */

/* Adds the shortest of 15 to 17 digits that is the same number again. */
static void
write_real(struct buf *out, double value)
{
    char text[REAL_SIZE];

    for (int digits = DBL_DIG; digits <= REAL_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    buf_adds(out, text);
    if (!strpbrk(text, ".e")) {
        buf_adds(out, ".0"); /* A real stays one. */
    }
}

/* Where a text goes to; or, if it is only counted, one value after the other. */
struct writer {
    struct buf *out;
    bool counts;
    size_t size; /* Of what was counted. */
    unsigned depth;
};

static void
count(struct writer *w)
{
    if (w->counts) {
        w->size += w->out->len;
        buf_reset(w->out);
    }
}

static void write_value(struct writer *w, const json_t *value);

static void
write_object(struct writer *w, json_t *object)
{
    char before = '{';

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        buf_addc(w->out, before);
        before = ',';
        buf_add_json(w->out,
                     (struct slice){json_object_iter_key(at), json_object_iter_key_len(at)});
        buf_addc(w->out, ':');
        write_value(w, json_object_iter_value(at));
    }
    buf_adds(w->out, before == '{' ? "{}" : "}");
}

static void
write_array(struct writer *w, const json_t *array)
{
    size_t size = json_array_size(array);

    buf_addc(w->out, '[');
    for (size_t i = 0; i < size; i++) {
        if (i) {
            buf_addc(w->out, ',');
        }
        write_value(w, json_array_get(array, i));
    }
    buf_addc(w->out, ']');
}

static void
write_value(struct writer *w, const json_t *value)
{
    assert(w->depth < DEPTH_MAX);
    w->depth++;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(w, (json_t *)(uintptr_t)value);
        break;
    case JSON_ARRAY:
        write_array(w, value);
        break;
    case JSON_STRING:
        buf_add_json(w->out, (struct slice){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        buf_add_int(w->out, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(w->out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_adds(w->out, "true");
        break;
    case JSON_FALSE:
        buf_adds(w->out, "false");
        break;
    case JSON_NULL:
        buf_adds(w->out, "null");
        break;
    }
    w->depth--;
    count(w);
}

void
json_write(struct buf *out, const json_t *value)
{
    struct writer w = {.out = out};

    if (value) {
        write_value(&w, value);
    } else {
        out->failed = true;
    }
}

size_t
json_size(const json_t *value)
{
    struct buf one = BUF_INIT;
    struct writer w = {.out = &one, .counts = true};

    if (value) {
        write_value(&w, value);
    }
    if (one.failed) {
        out_of_memory();
    }
    buf_fini(&one);
    return w.size;
}
