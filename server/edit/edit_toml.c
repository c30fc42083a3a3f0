/* edit_toml.c -- finds the lines of a table, and writes others. */
#include "server/edit/edit_toml.h"

#include "server/edit/edit.h"
#include "server/edit/toml.h"

/* The lines of the table, and of those below it: several places, if others are between them. */
#define SPANS_MAX 32u
#define OFF_PATH SIZE_MAX

struct span {
    size_t from, to;
};

struct search {
    struct slice text;
    const char *const *path;
    size_t depth;
    struct span spans[SPANS_MAX];
    size_t count;
    bool inside;   /* What is read now belongs to the table; */
    size_t under;  /* else how much of the path its header is, or OFF_PATH. */
    bool headed;   /* Its own header has been read. */
    json_t *value; /* Owned: what it says. */
    json_t *table; /* Borrowed from that: what its pairs go into now. */
};

static enum err
clash(const struct search *s, size_t at, const char *what, struct fault *f)
{
    unsigned line, column;

    edit_position(s->text, at, &line, &column);
    return fault_at(f, E_CONFLICT, line, column, "%s", what);
}

/* How many parts of 'keys' and of the path, from 'from' on, are the same. */
static size_t
common(const struct search *s, size_t from, char *const *keys, size_t count)
{
    size_t i = 0;

    while (i < count && from + i < s->depth && strcmp(keys[i], s->path[from + i]) == 0) {
        i++;
    }
    return i;
}

/* Where 'keys' lead from 'object'; objects on the way are made.  Null if something else is there.
 */
static json_t *
object_at(json_t *object, char *const *keys, size_t count)
{
    for (size_t i = 0; i < count && json_is_object(object); i++) {
        json_t *inner = json_object_get(object, keys[i]);

        if (!inner) {
            inner = json_object();
            json_object_set_new(object, keys[i], inner);
        }
        object = inner;
    }
    return json_is_object(object) ? object : NULL;
}

static enum err
take_header(struct search *s, const struct toml_statement *now, struct fault *f)
{
    size_t same = common(s, 0, now->keys, now->key_count);
    bool on = same == s->depth;
    bool own = on && now->key_count == s->depth;

    if (on && (now->kind == TOML_ARRAY_TABLE || (own && s->headed))) {
        return clash(s, now->start, "this table is here for the second time, or as a list", f);
    }
    s->inside = on;
    s->under = same == now->key_count ? same : OFF_PATH;
    s->headed |= own;
    if (!on) {
        return E_OK;
    }
    if (s->count == SPANS_MAX) {
        return clash(s, now->start, "this table is in too many places", f);
    }
    s->value = s->value ? s->value : json_object();
    s->table = object_at(s->value, now->keys + s->depth, now->key_count - s->depth);
    s->spans[s->count++] = (struct span){now->start, now->end};
    return s->table ? E_OK : clash(s, now->start, "this table is a value already", f);
}

static enum err
take_value(struct search *s, const struct toml_statement *now, struct fault *f)
{
    size_t left = s->depth - s->under;
    json_t *object;

    if (s->inside) {
        object = object_at(s->table, now->keys, now->key_count - 1);
        if (!object || json_object_get(object, now->keys[now->key_count - 1])) {
            return clash(s, now->start, "this key is here for the second time", f);
        }
        json_object_set(object, now->keys[now->key_count - 1], now->value);
        s->spans[s->count - 1].to = now->end;
        return E_OK;
    }
    /* A table on the path that is given as a value cannot get another header. */
    if (s->under != OFF_PATH && common(s, s->under, now->keys, now->key_count) ==
                                    (now->key_count < left ? now->key_count : left)) {
        clash(s, now->start, "this is to be a table with a header of its own, and is not", f);
        return fault_remedy(f, "write it as [%s.%s]", s->path[0], s->path[s->depth - 1]);
    }
    return E_OK;
}

/* Reads all of 'text'; the caller frees 's->value', also on failure. */
static enum err
search(struct search *s, struct slice text, const char *const *path, size_t depth, struct fault *f)
{
    struct toml toml;
    bool more = true;
    enum err err = E_OK;

    *s = (struct search){.text = text, .path = path, .depth = depth};
    toml_begin(&toml, text);
    while (more && !err) {
        struct toml_statement now;

        err = toml_next(&toml, &now, f);
        if (err) {
            break;
        }
        more = now.kind != TOML_END;
        if (more) {
            err = now.kind == TOML_VALUE ? take_value(s, &now, f) : take_header(s, &now, f);
        }
        toml_statement_fini(&now);
    }
    return err;
}

/* ---- Writing ---- */

static void
write_key(struct buf *out, const char *key)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (key[0] && strspn(key, bare) == strlen(key)) {
        buf_adds(out, key);
    } else {
        buf_add_json(out, slice_of(key)); /* Whose escapes are TOML's too. */
    }
}

static void
write_value(struct buf *out, const json_t *value)
{
    const char *separator = "";
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        buf_addc(out, '[');
        json_array_foreach(value, i, item) {
            buf_adds(out, i ? ", " : "");
            write_value(out, item);
        }
        buf_addc(out, ']');
    } else if (json_is_object(value)) {
        buf_addc(out, '{');
        json_object_foreach((json_t *)(uintptr_t)value, key, item) {
            buf_adds(out, separator[0] ? separator : " ");
            write_key(out, key);
            buf_adds(out, " = ");
            write_value(out, item);
            separator = ", ";
        }
        buf_adds(out, separator[0] ? " }" : "}");
    } else if (json_is_string(value)) {
        buf_add_json(out, (struct slice){json_string_value(value), json_string_length(value)});
    } else if (json_is_boolean(value)) {
        buf_adds(out, json_is_true(value) ? "true" : "false");
    } else {
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    }
}

/* Without the end of its last line. */
static void
write_table(struct buf *out, const char *newline, const char *const *path, size_t depth,
            const json_t *value)
{
    const char *key;
    json_t *item;

    for (size_t i = 0; i < depth; i++) {
        buf_addc(out, i ? '.' : '[');
        write_key(out, path[i]);
    }
    buf_addc(out, ']');
    json_object_foreach((json_t *)(uintptr_t)value, key, item) {
        buf_adds(out, newline);
        write_key(out, key);
        buf_adds(out, " = ");
        write_value(out, item);
    }
}

/* The span with the ends of its lines, and an empty line before it. */
static struct span
whole_lines(struct slice text, struct span span)
{
    const char *newline = memchr(text.data + span.to, '\n', text.len - span.to);
    size_t from = span.from;

    span.to = newline ? (size_t)(newline + 1 - text.data) : text.len;
    for (int lines = 0; from > 0 && lines < 2; from--) {
        lines += text.data[from - 1] == '\n';
        if (lines == 2) {
            span.from = from;
        } else if (!memchr(" \t\r\n", text.data[from - 1], 4)) {
            break;
        }
    }
    return span;
}

static void
copy(struct buf *out, struct slice text, size_t from, size_t to)
{
    buf_add(out, text.data + from, to - from);
}

/* The text without the spans from the 'first' on; what is before 'at' has been copied. */
static void
copy_rest(struct buf *out, const struct search *s, size_t first, size_t at)
{
    for (size_t i = first; i < s->count; i++) {
        struct span cut = whole_lines(s->text, s->spans[i]);

        copy(out, s->text, at, cut.from > at ? cut.from : at);
        at = cut.to;
    }
    copy(out, s->text, at, s->text.len);
}

enum err
edit_toml_set(struct slice text, const char *const *path, size_t depth, const json_t *value,
              struct buf *out, struct fault *f)
{
    const char *newline = edit_newline(text);
    struct search s;
    enum err err = search(&s, text, path, depth, f);

    if (!err && s.value && json_equal(s.value, value)) {
        buf_add_slice(out, text);
    } else if (!err && s.count) {
        copy(out, text, 0, s.spans[0].from);
        write_table(out, newline, path, depth, value);
        copy_rest(out, &s, 1, s.spans[0].to);
    } else if (!err) {
        buf_add_slice(out, text);
        if (text.len && text.data[text.len - 1] != '\n') {
            buf_adds(out, newline);
        }
        buf_adds(out, text.len ? newline : "");
        write_table(out, newline, path, depth, value);
        buf_adds(out, newline);
    }
    json_decref(s.value);
    return err ? err : edit_end(out, f);
}

enum err
edit_toml_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                 struct fault *f)
{
    struct search s;
    enum err err = search(&s, text, path, depth, f);

    if (!err) {
        copy_rest(out, &s, 0, 0);
        err = edit_end(out, f);
    }
    json_decref(s.value);
    return err;
}

enum err
edit_toml_get(struct slice text, const char *const *path, size_t depth, json_t **value,
              struct fault *f)
{
    struct search s;
    enum err err = search(&s, text, path, depth, f);

    *value = err ? NULL : json_incref(s.value);
    json_decref(s.value);
    return err;
}
