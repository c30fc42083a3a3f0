/* edit_json_scan.c -- reads JSON with comments, and notes where one member lies. */
#include "server/edit/edit_json_scan.h"

#include "server/edit/edit.h"
#include "server/edit/edit_json.h"

#include <jansson.h>

#define OFF_PATH SIZE_MAX

struct scan {
    struct slice text;
    size_t at;
    const char *const *path;
    size_t depth;
    struct edit_place *place;
    bool placed; /* 'place->object' is known. */
    struct fault *f;
};

static enum err
fail(struct scan *s, enum err code, size_t at, const char *what)
{
    unsigned line, column;

    edit_position(s->text, at, &line, &column);
    return fault_at(s->f, code, line, column, "%s", what);
}

static char
peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.data[s->at] : '\0';
}

/* The end of the comment that begins at 'at'; 'at' itself if none does. */
static size_t
after_comment(struct slice text, size_t at)
{
    struct slice rest = {text.data + at, text.len - at};
    const char *end;

    if (rest.len < 2 || rest.data[0] != '/' || (rest.data[1] != '/' && rest.data[1] != '*')) {
        return at;
    }
    if (rest.data[1] == '/') {
        end = memchr(rest.data, '\n', rest.len);
        return end ? (size_t)(end - text.data) : text.len;
    }
    end = memmem(rest.data + 2, rest.len - 2, "*/", 2);
    return end ? (size_t)(end + 2 - text.data) : EDIT_NOWHERE;
}

bool
edit_json_blank(struct slice text, size_t *at)
{
    while (*at < text.len) {
        size_t end = after_comment(text, *at);

        if (end == EDIT_NOWHERE) {
            return false;
        }
        if (end == *at) {
            if (!memchr(" \t\r\n", text.data[end], 4)) {
                break;
            }
            end++;
        }
        *at = end;
    }
    return true;
}

static enum err
skip_blank(struct scan *s)
{
    return edit_json_blank(s->text, &s->at) ? E_OK
                                            : fail(s, E_PARSE, s->at, "a comment does not end");
}

/* Reads what has no parts; jansson knows what it may be. */
static enum err
scan_scalar(struct scan *s, struct slice *raw)
{
    size_t start = s->at;
    json_t *value;

    if (peek(s) == '"') {
        for (s->at++; s->at < s->text.len && peek(s) != '"' && peek(s) != '\n'; s->at++) {
            s->at += peek(s) == '\\';
        }
        s->at += s->at < s->text.len;
    } else {
        while (s->at < s->text.len && !memchr(" \t\r\n,:{}[]\"/", peek(s), 11)) {
            s->at++;
        }
    }
    s->at = s->at > s->text.len ? s->text.len : s->at;
    *raw = (struct slice){s->text.data + start, s->at - start};
    value = json_loadb(raw->data, raw->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(value);
    return value ? E_OK : fail(s, E_PARSE, start, "here a value is to be, and there is none");
}

static bool
key_is(struct slice raw, const char *key)
{
    json_t *text = json_loadb(raw.data, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool same = slice_is((struct slice){json_string_value(text), json_string_length(text)}, key);

    json_decref(text);
    return same;
}

static enum err scan_value(struct scan *s, size_t nesting, size_t level);

/* One member of an object in which 'level' of the path is looked for. */
static enum err
scan_member(struct scan *s, size_t nesting, size_t level, bool *on_path)
{
    size_t key_at = s->at, value_at, inner = OFF_PATH;
    struct slice key;
    enum err err;

    if (peek(s) != '"') {
        return fail(s, E_PARSE, s->at, "here a key is to be, in double quotes");
    }
    err = scan_scalar(s, &key);
    err = err ? err : skip_blank(s);
    if (!err && peek(s) != ':') {
        return fail(s, E_PARSE, s->at, "after a key comes a colon");
    }
    s->at++;
    err = err ? err : skip_blank(s);
    if (err) {
        return err;
    }
    value_at = s->at;
    if (level != OFF_PATH && key_is(key, s->path[level])) {
        if (*on_path) {
            return fail(s, E_CONFLICT, key_at, "this key is here for the second time");
        }
        *on_path = true;
        if (level + 1 < s->depth) {
            if (peek(s) != '{') {
                return fail(s, E_CONFLICT, value_at, "this is to be an object, and is not");
            }
            inner = level + 1;
        } else {
            s->place->there = true;
            s->place->key = key_at;
            s->place->value = value_at;
        }
    }
    return scan_value(s, nesting + 1, inner);
}

/* After a member or an item: a comma, or the end.  '*comma' is where the comma is. */
static enum err
scan_comma(struct scan *s, char end, size_t *comma)
{
    enum err err = skip_blank(s);

    *comma = EDIT_NOWHERE;
    if (!err && peek(s) == ',') {
        *comma = s->at++;
        err = skip_blank(s);
    } else if (!err && peek(s) != end) {
        err = fail(s, E_PARSE, s->at,
                   end == '}' ? "here a comma or } is to be" : "here a comma or ] is to be");
    }
    return err;
}

static enum err
scan_object(struct scan *s, size_t nesting, size_t level)
{
    struct edit_object object = {.open = s->at++, .last_comma = EDIT_NOWHERE};
    bool on_path = false;
    enum err err = skip_blank(s);

    object.first = s->at;
    while (!err && peek(s) != '}') {
        bool before = s->place->there;
        size_t comma = object.last_comma;

        err = scan_member(s, nesting, level, &on_path);
        object.last_end = s->at;
        object.count++;
        err = err ? err : scan_comma(s, '}', &object.last_comma);
        if (!err && s->place->there && !before && level + 1 == s->depth) {
            s->place->end = object.last_end;
            s->place->comma_before = comma;
            s->place->comma_after = object.last_comma;
        }
    }
    object.close = s->at++;
    if (!err && level != OFF_PATH && !s->placed) { /* Inner ones end first. */
        s->placed = true;
        s->place->object = object;
        s->place->level = level;
    }
    return err;
}

static enum err
scan_array(struct scan *s, size_t nesting)
{
    size_t comma;
    enum err err;

    s->at++;
    err = skip_blank(s);
    while (!err && peek(s) != ']') {
        err = scan_value(s, nesting + 1, OFF_PATH);
        err = err ? err : scan_comma(s, ']', &comma);
    }
    s->at++;
    return err;
}

static enum err
scan_value(struct scan *s, size_t nesting, size_t level)
{
    struct slice raw;

    if (nesting > EDIT_DEPTH_MAX) {
        return fail(s, E_PARSE, s->at, "this is nested too deep");
    }
    return peek(s) == '{'   ? scan_object(s, nesting, level)
           : peek(s) == '[' ? scan_array(s, nesting)
                            : scan_scalar(s, &raw);
}

enum err
edit_json_scan(struct slice text, const char *const *path, size_t depth, struct edit_place *place,
               struct fault *f)
{
    struct scan s = {.text = text, .path = path, .depth = depth, .place = place, .f = f};
    enum err err;

    *place = (struct edit_place){.there = false};
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        s.at = 3;
    }
    err = skip_blank(&s);
    if (!err && peek(&s) != '{') {
        return fail(&s, E_PARSE, s.at, "the file is to be a JSON object");
    }
    err = err ? err : scan_value(&s, 0, 0);
    err = err ? err : skip_blank(&s);
    if (!err && s.at < text.len) {
        err = fail(&s, E_PARSE, s.at, "after the object there is something else");
    }
    return err;
}
