/* schema_words.c -- what a schema's errors are made of: places, values and types in words, names
 * that were probably meant; and when two values are the same.  Pure. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "handlers/schema_private.h"
#include "state/base/nearest.h"
#include "state/base/rune.h"

/* So many names are looked at for the one that was meant. */
#define NAMES_MAX 100

/* Text that is cut to what there is room for, at a whole character. */
struct words {
    char *out;
    size_t size, len;
};

void
mend_end(char *text)
{
    size_t len = strlen(text), end = len;
    uint32_t rune;

    while (end > 0 && len - end < 4 && ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
        end--;
    }
    if (end > 0 && (unsigned char)text[end - 1] >= 0x80) {
        end--;
    }
    if (end < len && rune_decode((struct slice){text, len}, end, &rune) == 0) {
        text[end] = '\0';
    }
}

struct short_name
short_name(const char *name)
{
    struct short_name s = {""};
    size_t len = rune_cut(slice_of(name), 60);

    memcpy(s.text, name, len);
    return s;
}

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct words *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(w->out + w->len, w->size - w->len, format, args);
    va_end(args);
    mend_end(w->out + w->len);
    w->len += strlen(w->out + w->len);
}

static struct words
words(char *out, size_t size)
{
    out[0] = '\0';
    return (struct words){out, size, 0};
}

/* Whether a name can stand in a path without quotes. */
static bool
is_plain_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$");

    return len > 0 && name[len] == '\0';
}

static void
add_place(struct words *w, const struct place *at, unsigned depth)
{
    if (at->up && depth < 16) {
        add_place(w, at->up, depth + 1);
    } else if (at->up) {
        add(w, "...");
    }
    if (!at->name) {
        add(w, "[%zu]", at->index);
    } else if (!at->up) {
        add(w, "%s", at->name);
    } else {
        add(w, is_plain_name(at->name) ? ".%s" : "['%s']", short_name(at->name).text);
    }
}

void
place_text(const struct place *at, char *out, size_t size)
{
    struct words w = words(out, size);

    add_place(&w, at, 0);
}

/* Adds a string in quotes, short, control characters as '?'. */
static void
add_quoted(struct words *w, const json_t *string)
{
    const char *text = json_string_value(string);
    char copy[41];
    size_t len = json_string_length(string), i;
    bool cut = len >= sizeof copy;

    if (cut) {
        len = rune_cut((struct slice){text, len}, sizeof copy - 4);
    }
    for (i = 0; i < len; i++) {
        copy[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    }
    copy[len] = '\0';
    add(w, "\"%s%s\"", copy, cut ? "..." : "");
}

/* Adds a number as people write it: 0.7, and 17 digits only where fewer would be another number. */
static void
add_real(struct words *w, double number)
{
    char text[32];

    snprintf(text, sizeof text, "%.15g", number);
    if (strtod(text, NULL) != number) {
        snprintf(text, sizeof text, "%.17g", number);
    }
    add(w, "%s", text);
}

static void
add_value(struct words *w, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        add(w, "an object");
        break;
    case JSON_ARRAY:
        add(w, "an array of %zu", json_array_size(value));
        break;
    case JSON_STRING:
        add_quoted(w, value);
        break;
    case JSON_INTEGER:
        add(w, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(w, json_real_value(value));
        break;
    case JSON_TRUE:
        add(w, "true");
        break;
    case JSON_FALSE:
        add(w, "false");
        break;
    default:
        add(w, "null");
    }
}

void
value_text(const json_t *value, char *out, size_t size)
{
    struct words w = words(out, size);

    add_value(&w, value);
}

void
type_text(const json_t *type, char *out, size_t size)
{
    struct words w = words(out, size);
    size_t count = json_is_array(type) ? json_array_size(type) : 1, i;

    for (i = 0; i < count; i++) {
        const char *name = json_string_value(json_is_array(type) ? json_array_get(type, i) : type);
        if (i > 0) {
            add(&w, i + 1 < count ? ", " : " or ");
        }
        if (name && strcmp(name, "null") != 0) {
            add(&w, strchr("aeiou", name[0]) ? "an " : "a ");
        }
        add(&w, "%s", name ? name : "any value");
    }
}

void
list_text(const json_t *list, char *out, size_t size)
{
    struct words w = words(out, size);
    size_t count = json_is_array(list) ? json_array_size(list) : json_object_size(list), i;
    void *member = json_object_iter(walkable(list));

    for (i = 0; i < count; i++) {
        size_t before = w.len;
        add(&w, "%s", i ? ", " : "");
        if (json_is_array(list)) {
            add_value(&w, json_array_get(list, i));
        } else {
            add(&w, "%s", short_name(json_object_iter_key(member)).text);
            member = json_object_iter_next(walkable(list), member);
        }
        if (w.len + sizeof ", ..." > size && i + 1 < count) {
            w.len = before;
            add(&w, "%s", i ? ", ..." : "...");
            return;
        }
    }
}

const char *
likely_name(const json_t *list, const char *name)
{
    const char *words[NAMES_MAX];
    size_t count = 0, len = strlen(name), i;
    void *member = json_object_iter(walkable(list));
    int nearest;

    for (i = 0; i < json_array_size(list) && count < NAMES_MAX; i++) {
        const char *word = json_string_value(json_array_get(list, i));
        if (word) {
            words[count++] = word;
        }
    }
    for (; member && count < NAMES_MAX; member = json_object_iter_next(walkable(list), member)) {
        words[count++] = json_object_iter_key(member);
    }
    nearest = text_nearest(slice_of(name), words, count);
    for (i = 0; nearest < 0 && len >= 3 && len < 64 && i < count; i++) {
        if (strstr(words[i], name) || (strlen(words[i]) >= 3 && strstr(name, words[i]))) {
            nearest = (int)i; /* "results" for "n_results". */
        }
    }
    return nearest < 0 ? NULL : words[nearest];
}

bool
type_fits(const char *type, const json_t *value)
{
    double number;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        number = json_real_value(value);
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && number == floor(number) &&
                fabs(number) <= 9007199254740992.0); /* 2^53: exact up to there. */
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    default:
        return strcmp(type, "null") == 0;
    }
}

static bool
members_equal(const json_t *a, const json_t *b, size_t *work)
{
    const char *name;
    json_t *value;

    if (json_object_size(a) != json_object_size(b)) {
        return false;
    }
    json_object_foreach(walkable(a), name, value) {
        const json_t *other = json_object_get(b, name);
        if (!other || !schema_values_equal(value, other, work)) {
            return false;
        }
    }
    return true;
}

bool
schema_values_equal(const json_t *a, const json_t *b, size_t *work)
{
    size_t i;

    if (*work == 0) {
        return false;
    }
    --*work;
    if (json_is_number(a) && json_is_number(b)) {
        return json_is_integer(a) && json_is_integer(b)
                   ? json_integer_value(a) == json_integer_value(b)
                   : json_number_value(a) == json_number_value(b);
    }
    if (json_typeof(a) != json_typeof(b)) {
        return false;
    }
    switch (json_typeof(a)) {
    case JSON_OBJECT:
        return members_equal(a, b, work);
    case JSON_ARRAY:
        if (json_array_size(a) != json_array_size(b)) {
            return false;
        }
        for (i = 0; i < json_array_size(a); i++) {
            if (!schema_values_equal(json_array_get(a, i), json_array_get(b, i), work)) {
                return false;
            }
        }
        return true;
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b) &&
               memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
    default:
        return true;
    }
}
