/* json_slice.c -- reading single values out of JSON bytes.
 *
 * Every entry scans what it is given with json_scan.c, so bytes that no scan has seen before are as
 * safe as those that a parsed message hands out.  Pure: any thread. */
#include "handlers/json_slice.h"

#include "state/base/plain.h"
#include "state/base/rune.h"

bool
json_iter_init(struct json_iter *it, struct slice container)
{
    static const struct json_limits widest = {JSON_DEPTH_TOP, JSON_VALUES_TOP};

    *it = (struct json_iter){.first = true};
    json_scan_init(&it->scan, container, &widest);
    it->object = json_scan_peek(&it->scan) == '{';
    it->broken = !json_scan_enter(&it->scan);
    return !it->broken;
}

bool
json_iter_next(struct json_iter *it, struct slice *name, struct json_value *value)
{
    struct json_text text = {.raw = SLICE_NONE};
    enum json_step step = STEP_END;

    if (!it->broken && it->scan.depth == 1) {
        step = it->object ? json_scan_member(&it->scan, &text, it->first)
                          : json_scan_element(&it->scan, it->first);
        it->first = false;
        if (step == STEP_VALUE && !json_scan_value(&it->scan, value)) {
            step = STEP_BROKEN;
        }
        it->broken = step == STEP_BROKEN;
    }
    if (step != STEP_VALUE) {
        *value = (struct json_value){.kind = KIND_NONE};
    }
    if (name) {
        *name = SLICE_NONE;
        if (step == STEP_VALUE && it->object) {
            *name = (struct slice){text.raw.data - 1, text.raw.len + 2};
        }
    }
    return step == STEP_VALUE;
}

bool
json_slice_member(struct slice object, const char *name, struct json_value *value)
{
    struct json_iter it;
    struct slice found;

    if (json_iter_init(&it, object) && it.object) {
        while (json_iter_next(&it, &found, value)) {
            if (json_string_is(found, name)) {
                return true;
            }
        }
    }
    *value = (struct json_value){.kind = KIND_NONE};
    return false;
}

bool
json_slice_int(struct slice raw, int64_t *value)
{
    bool minus = raw.len > 0 && raw.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus;
    uint64_t sum = 0;
    size_t i = minus;

    if (i == raw.len || (raw.data[i] == '0' && raw.len > i + 1)) {
        return false;
    }
    for (; i < raw.len; i++) {
        unsigned digit = (unsigned)(raw.data[i] - '0');
        if (digit > 9 || sum > (limit - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *value = (int64_t)(minus ? 0 - sum : sum);
    return true;
}

/* The next stretch of a string's contents once unescaped: plain bytes as they lie there, or the
 * bytes of one escape, in 'room'.  Empty at the end. */
static struct slice
next_stretch(struct slice *rest, bool escaped, char room[4])
{
    const unsigned char *p = (const unsigned char *)rest->data;
    const unsigned char *end = p + rest->len;
    const char *stop = NULL;
    struct slice stretch = *rest;
    uint32_t c = 0;
    enum json_flaw flaw;

    if (rest->len == 0) {
        return SLICE_NONE;
    }
    if (escaped) {
        stop = memchr(rest->data, '\\', rest->len);
    }
    if (stop != rest->data) {
        stretch.len = stop ? (size_t)(stop - rest->data) : rest->len;
        *rest = (struct slice){rest->data + stretch.len, rest->len - stretch.len};
        return stretch;
    }
    p = json_scan_escape(p, end, &c, &flaw);
    if (!p) { /* Not contents that a scan has let pass. */
        *rest = SLICE_NONE;
        return SLICE_NONE;
    }
    *rest = (struct slice){(const char *)p, (size_t)(end - p)};
    return (struct slice){room, rune_encode(c, room)};
}

/* Checks that 'raw' is one whole string with its quotes, and stores its contents. */
static bool
read_string(struct slice raw, struct json_text *text)
{
    const unsigned char *begin = (const unsigned char *)raw.data, *last;
    struct json_scan s NOT_CLEARED;

    if (raw.len < 2 || *begin != '"') {
        return false;
    }
    last = begin + raw.len - 1;
    if (plain_skip(begin + 1, last) == last && *last == '"') { /* Most are plain all through. */
        *text = (struct json_text){.raw = {raw.data + 1, raw.len - 2}};
        return true;
    }
    json_scan_init(&s, raw, NULL);
    return json_scan_string(&s, text) && s.p == s.end;
}

bool
json_string_is(struct slice raw, const char *text)
{
    struct json_text is, other = {.raw = slice_of(text)};

    return read_string(raw, &is) && json_text_equal(&is, &other);
}

ssize_t
json_string_into(struct slice raw, char *out, size_t size)
{
    struct json_text text;
    ssize_t len;

    if (size == 0 || !read_string(raw, &text) || text.nul) {
        return -1;
    }
    len = json_text_into(&text, out, size - 1);
    if (len >= 0) {
        out[len] = '\0';
    }
    return len;
}

bool
json_string_add(struct slice raw, struct buf *out)
{
    struct json_text text;

    if (!read_string(raw, &text)) {
        return false;
    }
    json_text_add(&text, out);
    return !out->failed;
}

bool
json_string_said(struct slice raw, struct buf *room, struct slice *said)
{
    struct json_text text;

    if (!read_string(raw, &text)) {
        return false;
    }
    *said = text.raw;
    if (text.escaped) {
        json_text_add(&text, room);
        *said = buf_slice(room);
    }
    return !room->failed && (text.escaped || !room->limit || text.raw.len <= room->limit);
}

/* The escapes of most texts.  What is left of them is slow: json_scan_escape() checks everything
 * anew. */
static const char simple[256] =
    {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['n'] = '\n', ['t'] = '\t'};

static struct plain_places
put_rare_escape(struct plain_places at, const unsigned char *end)
{
    enum json_flaw flaw;
    uint32_t character;

    at.from = json_scan_escape(at.from, end, &character, &flaw);
    if (at.from) {
        at.to += rune_encode(character, at.to);
    }
    return at;
}

/* Reads the escape at 'from' into at most 4 bytes.  'from' is null then, where that are not
 * contents that a scan has let pass. */
static inline struct plain_places
put_escape(struct plain_places at, const unsigned char *end)
{
    if (end - at.from >= 2 && simple[at.from[1]]) {
        *at.to++ = simple[at.from[1]];
        at.from += 2;
        return at;
    }
    return put_rare_escape(at, end);
}

/* Pieces are made on the stack, so that a limit of 'out' is held to the byte. */
void
json_text_add(const struct json_text *text, struct buf *out)
{
    const unsigned char *begin = (const unsigned char *)text->raw.data;
    const unsigned char *end = begin + text->raw.len;
    char piece[1024 + 16] NOT_CLEARED;
    const size_t step = 1024 - 4; /* Nothing is longer than it was written. */
    struct plain_places at = {begin, piece};
    struct plain_walk walk;

    if (!text->escaped) {
        buf_add_slice(out, text->raw);
        return;
    }
    plain_walk_init(&walk, begin, end, PLAIN_ESCAPES);
    while (at.from && at.from < end) {
        const unsigned char *stop = (size_t)(end - at.from) < step ? end : at.from + step;

        at.to = piece;
        while (at.from && at.from < stop) {
            const unsigned char *next = plain_next(&walk, at.from);

            next = next < stop ? next : stop;
            at.to = plain_copy(at.to, at.from, next, end);
            at.from = next;
            at = next < stop ? put_escape(at, end) : at;
        }
        buf_add(out, piece, (size_t)(at.to - piece));
    }
}

/* Copies what is plain and reads simple escapes, 16 bytes at a time as long as there are twice as
 * many; stops at the quote that ends the string, and at any other escape.  What is found in 16
 * bytes does not hold up the next.  64 KiB of prose take half the instructions so that they take
 * from one escape to the next. */
static inline struct plain_places
unescape_simple(struct plain_places at, const unsigned char *end)
{
    for (const unsigned char *chunk = at.from; end - chunk > 32; chunk += 16) {
        unsigned begin = (unsigned)(at.from - chunk); /* 1 if an escape ended in this chunk. */
        unsigned odd = plain_look(chunk, end, PLAIN_MARKS) >> begin << begin;

        while (odd) {
            unsigned i = (unsigned)__builtin_ctz(odd);
            const unsigned char *mark = chunk + i;
            char said = simple[mark[1]];

            memcpy(at.to, at.from, 16);
            at.to += mark - at.from;
            at.from = mark;
            if (*mark == '"' || !said) {
                return at;
            }
            *at.to++ = said;
            at.from = mark + 2;
            odd &= ~(3u << i);
        }
        if (at.from < chunk + 16) {
            memcpy(at.to, at.from, 16);
            at.to += chunk + 16 - at.from;
            at.from = chunk + 16;
        }
    }
    return at;
}

/* Unescapes from 'begin' up to the quote that ends the string into 'room', which has room for all
 * of the text and 16 bytes more.  Returns what follows the quote, or null. */
static const unsigned char *
unescape_to_quote(const unsigned char *begin, const unsigned char *end, struct buf *room)
{
    struct plain_places at = {begin, room->data};

    while (at.from && at.from < end) {
        at = unescape_simple(at, end);
        if (*at.from == '"') {
            room->len = (size_t)(at.to - room->data);
            *at.to = '\0';
            return at.from + 1;
        }
        if (*at.from == '\\') {
            at = put_escape(at, end);
        } else {
            *at.to++ = (char)*at.from++;
        }
    }
    return NULL;
}

bool
json_string_again(struct json_scan *s, struct buf *room, struct slice *said)
{
    const unsigned char *begin, *p;
    struct plain_walk walk;

    if (json_scan_peek(s) != '"') {
        return false;
    }
    begin = s->p + 1;
    plain_walk_init(&walk, begin, s->end, PLAIN_MARKS);
    p = plain_next(&walk, begin);
    if (p < s->end && *p == '"') { /* Without escapes. */
        *said = (struct slice){(const char *)begin, (size_t)(p - begin)};
        s->p = p + 1;
        return true;
    }
    buf_reset(room); /* No escape is shorter than what it says; 16 is what plain_copy() wants. */
    p = buf_reserve(room, (size_t)(s->end - begin) + 16) ? unescape_to_quote(begin, s->end, room)
                                                         : NULL;
    *said = buf_slice(room);
    s->p = p ? p : s->p;
    return p != NULL;
}

size_t
json_text_length(const struct json_text *text)
{
    struct slice rest = text->raw, part;
    size_t len = 0;
    char room[4];

    while ((part = next_stretch(&rest, text->escaped, room)).len) {
        len += part.len;
    }
    return len;
}

uint32_t
json_text_hash(const struct json_text *text)
{
    struct slice rest = text->raw, part;
    uint32_t hash = 2166136261u;
    char room[4];
    size_t i;

    while ((part = next_stretch(&rest, text->escaped, room)).len) {
        for (i = 0; i < part.len; i++) {
            hash = (hash ^ (unsigned char)part.data[i]) * 16777619u;
        }
    }
    return hash;
}

bool
json_text_equal(const struct json_text *a, const struct json_text *b)
{
    struct slice rest_a = a->raw, rest_b = b->raw;
    struct slice part_a = SLICE_NONE, part_b = SLICE_NONE;
    char room_a[4], room_b[4];

    if (!a->escaped && !b->escaped) {
        return slice_equal(a->raw, b->raw);
    }
    for (;;) {
        size_t len;
        if (part_a.len == 0) {
            part_a = next_stretch(&rest_a, a->escaped, room_a);
        }
        if (part_b.len == 0) {
            part_b = next_stretch(&rest_b, b->escaped, room_b);
        }
        if (part_a.len == 0 || part_b.len == 0) {
            return part_a.len == part_b.len;
        }
        len = part_a.len < part_b.len ? part_a.len : part_b.len;
        if (memcmp(part_a.data, part_b.data, len) != 0) {
            return false;
        }
        part_a = (struct slice){part_a.data + len, part_a.len - len};
        part_b = (struct slice){part_b.data + len, part_b.len - len};
    }
}

ssize_t
json_text_into(const struct json_text *text, char *out, size_t size)
{
    struct slice rest = text->raw, part;
    size_t len = 0;
    char room[4];

    while ((part = next_stretch(&rest, text->escaped, room)).len) {
        if (part.len > size - len) {
            return -1;
        }
        memcpy(out + len, part.data, part.len);
        len += part.len;
    }
    return (ssize_t)len;
}
