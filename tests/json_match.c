/* json_match.c -- the walk through both values. */
#include "tests/json_match.h"

#include <stdio.h>

/* Where the walk is: a chain of steps on the stack. */
struct place {
    const struct place *up;
    const char *member; /* Null: an element. */
    size_t index;
};

static bool walk(const json_t *expected, const json_t *got, const struct place *place,
                 struct buf *why);

static void
add_place(struct buf *out, const struct place *place)
{
    if (!place->up) {
        return;
    }
    add_place(out, place->up);
    if (place->member) {
        buf_addf(out, "%s%s", place->up->up ? "." : "", place->member);
    } else {
        buf_addf(out, "[%zu]", place->index);
    }
}

/* Says what was wrong, with the value that is there; always false. */
static bool
differs(const struct place *place, struct buf *why, const char *what, const json_t *got)
{
    char *text = got ? json_dumps(got, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (why) {
        add_place(why, place);
        buf_addf(why, "%s%s", place->up ? ": " : "", what);
        if (got) {
            buf_addf(why, ", got %.300s", text ? text : "?");
        }
    }
    free(text);
    return false;
}

static bool
match_word(const char *word, const json_t *got, const struct place *place, struct buf *why)
{
    static const struct {
        const char *word;
        int types[2]; /* The second may be the first again. */
    } words[] = {
        {"*string", {JSON_STRING, JSON_STRING}}, {"*int", {JSON_INTEGER, JSON_INTEGER}},
        {"*number", {JSON_INTEGER, JSON_REAL}},  {"*bool", {JSON_TRUE, JSON_FALSE}},
        {"*null", {JSON_NULL, JSON_NULL}},       {"*object", {JSON_OBJECT, JSON_OBJECT}},
        {"*array", {JSON_ARRAY, JSON_ARRAY}},
    };

    if (strcmp(word, "*") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) == 0) {
            int type = (int)json_typeof(got);
            return type == words[i].types[0] || type == words[i].types[1] ||
                   differs(place, why, word, got);
        }
    }
    if (word[0] == '~') {
        return (json_is_string(got) && strstr(json_string_value(got), word + 1)) ||
               differs(place, why, word, got);
    }
    word += word[0] == '\\';
    return (json_is_string(got) && strcmp(json_string_value(got), word) == 0) ||
           differs(place, why, "another string wanted", got);
}

static bool
is_word(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static bool
match_object(const json_t *expected, const json_t *got, const struct place *place, struct buf *why)
{
    bool exact = json_object_size(expected) == 0 || json_object_get(expected, "=");
    const char *key;
    json_t *value;

    if (!json_is_object(got)) {
        return differs(place, why, "an object wanted", got);
    }
    json_object_foreach((json_t *)(uintptr_t)expected, key, value) { /* It is only read. */
        const struct place below = {.up = place, .member = key};
        const json_t *there = json_object_get(got, key);

        if (strcmp(key, "=") == 0) {
            continue;
        }
        if (is_word(value, "!")) {
            if (there) {
                return differs(&below, why, "must not be there", there);
            }
        } else if (!there) {
            return differs(&below, why, "is not there", NULL);
        } else if (!walk(value, there, &below, why)) {
            return false;
        }
    }
    if (exact) {
        json_object_foreach((json_t *)(uintptr_t)got, key, value) {
            const struct place below = {.up = place, .member = key};
            if (!json_object_get(expected, key)) {
                return differs(&below, why, "was not expected", value);
            }
        }
    }
    return true;
}

/* Every expected element, from the second on, is found among those not taken yet. */
static bool
match_any_order(const json_t *expected, const json_t *got, const struct place *place,
                struct buf *why)
{
    size_t count = json_array_size(got);
    bool taken[256] = {false};

    if (count != json_array_size(expected) - 1 || count > 256) {
        return differs(place, why, "another number of elements", got);
    }
    for (size_t i = 1; i <= count; i++) {
        const struct place below = {.up = place, .index = i - 1};
        size_t at = 0;

        while (at < count && (taken[at] || !walk(json_array_get(expected, i),
                                                 json_array_get(got, at), &below, NULL))) {
            at++;
        }
        if (at == count) {
            return differs(&below, why, "no element matches", got);
        }
        taken[at] = true;
    }
    return true;
}

static bool
match_array(const json_t *expected, const json_t *got, const struct place *place, struct buf *why)
{
    size_t count = json_array_size(expected);
    bool open = count && is_word(json_array_get(expected, count - 1), "*");

    if (!json_is_array(got)) {
        return differs(place, why, "an array wanted", got);
    }
    if (count && is_word(json_array_get(expected, 0), "~")) {
        return match_any_order(expected, got, place, why);
    }
    count -= open;
    if (open ? json_array_size(got) < count : json_array_size(got) != count) {
        return differs(place, why, "another number of elements", got);
    }
    for (size_t i = 0; i < count; i++) {
        const struct place below = {.up = place, .index = i};
        if (!walk(json_array_get(expected, i), json_array_get(got, i), &below, why)) {
            return false;
        }
    }
    return true;
}

static bool
walk(const json_t *expected, const json_t *got, const struct place *place, struct buf *why)
{
    if (json_is_string(expected)) {
        return match_word(json_string_value(expected), got, place, why);
    }
    if (json_is_object(expected)) {
        return match_object(expected, got, place, why);
    }
    if (json_is_array(expected)) {
        return match_array(expected, got, place, why);
    }
    return json_equal(expected, got) || differs(place, why, "another value wanted", got);
}

bool
json_match(const json_t *expected, const json_t *got, struct buf *why)
{
    const struct place top = {.up = NULL};

    return walk(expected, got, &top, why);
}
