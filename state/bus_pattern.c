/* bus_pattern.c -- walks a pattern and a topic segment by segment.
 *
 * Where they part, only the last '**' can help: it takes one segment more, and both go on from
 * there.  So the cost is bounded by a product, whatever the pattern. */
#include "state/bus_pattern.h"

/* ---- Segments ---- */

/* What is left of a text, or nothing at all: data is null then. */
static struct slice
first_of(struct slice rest)
{
    const char *dot = rest.data ? memchr(rest.data, '.', rest.len) : NULL;

    return dot ? (struct slice){rest.data, (size_t)(dot - rest.data)} : rest;
}

static struct slice
after_first(struct slice rest)
{
    size_t len = first_of(rest).len;

    return len == rest.len ? SLICE_NONE : (struct slice){rest.data + len + 1, rest.len - len - 1};
}

static bool
is_word(struct slice segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return segment.len > 0;
}

static bool
is_star(struct slice segment)
{
    return slice_is(segment, "*");
}

static bool
is_stars(struct slice segment)
{
    return slice_is(segment, "**");
}

/* ---- One ---- */

bool
bus_topic_valid(struct slice topic)
{
    if (!topic.len || topic.len > BUS_TOPIC_MAX) {
        return false;
    }
    for (struct slice rest = topic; rest.data; rest = after_first(rest)) {
        if (!is_word(first_of(rest))) {
            return false;
        }
    }
    return true;
}

enum err
bus_pattern_check(struct slice pattern, struct fault *f)
{
    if (!pattern.len || pattern.len > BUS_TOPIC_MAX) {
        return fault_set(f, E_ARGUMENT, "a pattern has 1 to %d bytes", BUS_TOPIC_MAX);
    }
    for (struct slice rest = pattern; rest.data; rest = after_first(rest)) {
        struct slice segment = first_of(rest);

        if (!is_word(segment) && !is_star(segment) && !is_stars(segment)) {
            fault_set(f, E_ARGUMENT, "'%.*s' is no pattern of topics", (int)pattern.len,
                      pattern.data);
            return fault_remedy(f, "between dots stand words of a to z, 0 to 9 and _, or '*' for "
                                   "one word, or '**' for any number");
        }
    }
    return E_OK;
}

bool
bus_pattern_matches(struct slice pattern, struct slice topic)
{
    struct slice p = pattern, t = topic, again_p = SLICE_NONE, again_t = SLICE_NONE;

    if (slice_equal(pattern, topic)) {
        return true; /* No topic has a star in it. */
    }
    while (p.data || t.data) {
        struct slice wanted = first_of(p), rest = after_first(p);

        if (p.data && is_stars(wanted)) {
            if (!rest.data) {
                return true;
            }
            again_p = p = rest;
            again_t = t;
        } else if (!t.data) {
            return false;
        } else if (p.data && is_star(wanted) && !rest.data) {
            return true;
        } else if (p.data && (is_star(wanted) || slice_equal(wanted, first_of(t)))) {
            p = rest;
            t = after_first(t);
        } else if (again_p.data) {
            p = again_p;
            t = again_t = after_first(again_t);
        } else {
            return false;
        }
    }
    return true;
}

/* ---- Several ---- */

static unsigned
place_of(const struct bus_patterns *set, struct slice pattern)
{
    unsigned i = 0;

    while (i < set->count && !slice_is(pattern, set->all[i])) {
        i++;
    }
    return i;
}

enum err
bus_patterns_add(struct bus_patterns *set, struct slice pattern, struct fault *f)
{
    enum err err = bus_pattern_check(pattern, f);

    if (err || place_of(set, pattern) < set->count) {
        return err;
    }
    if (set->count == BUS_PATTERNS_MAX) {
        fault_set(f, E_ARGUMENT, "more than %d patterns", BUS_PATTERNS_MAX);
        return fault_remedy(f, "use fewer, with '*' or '**' for several topics");
    }
    set->all[set->count++] = xstrndup(pattern.data, pattern.len);
    return E_OK;
}

bool
bus_patterns_remove(struct bus_patterns *set, struct slice pattern)
{
    unsigned place = place_of(set, pattern);

    if (place == set->count) {
        return false;
    }
    free(set->all[place]);
    set->count--;
    memmove(&set->all[place], &set->all[place + 1], (set->count - place) * sizeof *set->all);
    return true;
}

void
bus_patterns_copy(const struct bus_patterns *set, struct bus_patterns *copy)
{
    for (unsigned i = 0; i < set->count; i++) {
        copy->all[i] = xstrdup(set->all[i]);
    }
    copy->count = set->count;
}

bool
bus_patterns_match(const struct bus_patterns *set, struct slice topic)
{
    bool meant = set->count == 0;

    for (unsigned i = 0; i < set->count && !meant; i++) {
        meant = bus_pattern_matches(slice_of(set->all[i]), topic);
    }
    return meant;
}

void
bus_patterns_fini(struct bus_patterns *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        free(set->all[i]);
    }
    *set = (struct bus_patterns){.count = 0};
}
