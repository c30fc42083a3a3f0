/* edit_json.c -- writes what edit_json_scan.c has found the place of. */
#include "server/edit/edit_json.h"

#include "server/edit/edit.h"
#include "server/edit/edit_json_scan.h"

/* How the file is written, and the white space before the line that is written in. */
struct style {
    const char *newline;
    struct slice unit, margin;
    bool one_line;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The white space that begins the line of 'at'. */
static struct slice
margin_of(struct slice text, size_t at)
{
    size_t start, end;

    for (start = at; start > 0 && text.data[start - 1] != '\n';) {
        start--;
    }
    for (end = start; end < at && is_space(text.data[end]);) {
        end++;
    }
    return (struct slice){text.data + start, end - start};
}

/* By how much the file indents: what its first indented key has before it. */
static struct slice
unit_of(struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] == '\n' && is_space(text.data[i + 1])) {
            size_t end = i + 1;

            while (end < text.len && is_space(text.data[end])) {
                end++;
            }
            if (end < text.len && text.data[end] == '"') {
                return (struct slice){text.data + i + 1, end - i - 1};
            }
        }
    }
    return SLICE("  ");
}

static struct style
style_of(struct slice text, const struct edit_object *object)
{
    struct slice inside = {text.data + object->open, object->close - object->open};

    return (struct style){
        .newline = edit_newline(text),
        .unit = unit_of(text),
        .one_line = object->count && !memchr(inside.data, '\n', inside.len),
    };
}

static void
new_line(struct buf *out, const struct style *style, size_t nesting)
{
    buf_adds(out, style->newline);
    buf_add_slice(out, style->margin);
    for (size_t i = 0; i < nesting; i++) {
        buf_add_slice(out, style->unit);
    }
}

static void
write_scalar(struct buf *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text) {
        buf_adds(out, text);
    }
    out->failed |= !text;
    free(text);
}

/* A list stays on its line; the members of an object get one each, unless the file is otherwise. */
static void
write_value(struct buf *out, const struct style *style, const json_t *value, size_t nesting)
{
    const char *separator = "";
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        buf_addc(out, '[');
        json_array_foreach(value, i, item) {
            buf_adds(out, i ? ", " : "");
            write_value(out, style, item, nesting);
        }
        buf_addc(out, ']');
    } else if (json_is_object(value) && json_object_size(value)) {
        buf_addc(out, '{');
        json_object_foreach((json_t *)(uintptr_t)value, key, item) {
            buf_adds(out, separator);
            if (style->one_line) {
                buf_addc(out, ' ');
            } else {
                new_line(out, style, nesting + 1);
            }
            buf_add_json(out, slice_of(key));
            buf_adds(out, ": ");
            write_value(out, style, item, nesting + 1);
            separator = ",";
        }
        if (style->one_line) {
            buf_addc(out, ' ');
        } else {
            new_line(out, style, nesting);
        }
        buf_addc(out, '}');
    } else {
        write_scalar(out, value);
    }
}

/* The text from 'from' to 'to'. */
static void
copy(struct buf *out, struct slice text, size_t from, size_t to)
{
    buf_add(out, text.data + from, to - from);
}

/* Where the line of 'at' ends, if only white space and comments that end on it are before that;
 * else 'at'. */
static size_t
rest_of_line(struct slice text, size_t at)
{
    const char *newline = memchr(text.data + at, '\n', text.len - at);
    struct slice line = {text.data, newline ? (size_t)(newline - text.data) : at};
    size_t end = at;

    line.len -= line.len > at && text.data[line.len - 1] == '\r';
    return edit_json_blank(line, &end) && end == line.len ? end : at;
}

static void
add_member(struct buf *out, const struct style *style, const char *key, const json_t *value)
{
    buf_add_json(out, slice_of(key));
    buf_adds(out, ": ");
    write_value(out, style, value, 0);
}

/* Into an object without members; comments in it stay before what is added. */
static void
insert_first(struct buf *out, struct slice text, const struct edit_object *object,
             struct style *style, const char *key, const json_t *value)
{
    struct slice outer = margin_of(text, object->open);
    size_t end = object->close;
    struct buf margin = BUF_INIT;

    while (is_space(text.data[end - 1]) || text.data[end - 1] == '\n' ||
           text.data[end - 1] == '\r') {
        end--;
    }
    buf_add_slice(&margin, outer);
    buf_add_slice(&margin, style->unit);
    style->margin = buf_slice(&margin);
    copy(out, text, 0, end);
    new_line(out, style, 0);
    add_member(out, style, key, value);
    style->margin = outer;
    new_line(out, style, 0);
    copy(out, text, object->close, text.len);
    out->failed |= margin.failed;
    buf_fini(&margin);
}

/* After the last member; who ends all with a comma gets one here too. */
static void
insert_last(struct buf *out, struct slice text, const struct edit_object *object,
            struct style *style, const char *key, const json_t *value)
{
    bool comma = object->last_comma != EDIT_NOWHERE;
    size_t end = comma ? object->last_comma + 1 : object->last_end;
    size_t line_end = style->one_line ? end : rest_of_line(text, end);

    style->margin = margin_of(text, object->first);
    copy(out, text, 0, end);
    buf_adds(out, comma ? "" : ",");
    copy(out, text, end, line_end);
    if (style->one_line) {
        buf_addc(out, ' ');
    } else {
        new_line(out, style, 0);
    }
    add_member(out, style, key, value);
    buf_adds(out, comma ? "," : "");
    copy(out, text, line_end, text.len);
}

/* 'value' within objects for path[from] to the last. */
static json_t *
wrapped(const char *const *path, size_t from, size_t depth, const json_t *value)
{
    json_t *all = json_deep_copy(value);

    while (all && depth > from) {
        json_t *outer = json_object();

        if (!outer || json_object_set_new(outer, path[--depth], all) != 0) {
            json_decref(outer);
            return NULL;
        }
        all = outer;
    }
    return all;
}

/* The JSON of a value that may have comments: they, and commas before an end, are left out. */
static json_t *
read_value(struct slice text, const struct edit_place *place)
{
    struct slice value = {text.data, place->end};
    struct buf plain = BUF_INIT;
    json_t *json = NULL;
    bool in_string = false;

    for (size_t i = place->value; i < value.len; i++) {
        char c;

        if (!in_string && edit_json_blank(value, &i) && i == value.len) {
            break;
        }
        c = value.data[i];
        if (in_string && c == '\\') {
            buf_addc(&plain, c);
            c = value.data[++i];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '}' || c == ']') && plain.len &&
                   plain.data[plain.len - 1] == ',') {
            plain.len--;
        }
        buf_addc(&plain, c);
    }
    if (!plain.failed) {
        json = json_loadb(plain.data, plain.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    }
    buf_fini(&plain);
    return json;
}

/* A file that says nothing says that it is empty. */
static bool
says_nothing(struct slice text)
{
    size_t at = text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

    return text.len == 0 ||
           (edit_json_blank(text, &at) && at == text.len && !memchr(text.data, '/', text.len));
}

enum err
edit_json_set(struct slice text, const char *const *path, size_t depth, const json_t *value,
              struct buf *out, struct fault *f)
{
    struct edit_place place;
    struct style style;
    json_t *all;
    enum err err;

    if (says_nothing(text)) {
        text = text.len >= 3 && text.data[0] == '\xEF' ? SLICE("\xEF\xBB\xBF{}\n") : SLICE("{}\n");
    }
    err = edit_json_scan(text, path, depth, &place, f);
    if (err) {
        return err;
    }
    all = place.there ? read_value(text, &place) : wrapped(path, place.level + 1, depth, value);
    if (!all) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the file");
    }
    style = style_of(text, &place.object);
    if (place.there && json_equal(all, value)) {
        buf_add_slice(out, text);
    } else if (place.there) {
        style.margin = margin_of(text, place.key);
        copy(out, text, 0, place.value);
        write_value(out, &style, value, 0);
        copy(out, text, place.end, text.len);
    } else if (place.object.count) {
        insert_last(out, text, &place.object, &style, path[place.level], all);
    } else {
        insert_first(out, text, &place.object, &style, path[place.level], all);
    }
    json_decref(all);
    return edit_end(out, f);
}

static bool
all_space(struct slice text, size_t from, size_t to)
{
    while (from < to &&
           (is_space(text.data[from]) || text.data[from] == '\n' || text.data[from] == '\r')) {
        from++;
    }
    return from == to;
}

/* Whether a member is alone on its lines; then what is cut begins and ends with them. */
static void
whole_lines(struct slice text, size_t *from, size_t *to)
{
    size_t start = *from, end = *to;

    while (start > 0 && is_space(text.data[start - 1])) {
        start--;
    }
    while (end < text.len && (is_space(text.data[end]) || text.data[end] == '\r')) {
        end++;
    }
    if (start > 0 && text.data[start - 1] == '\n' && end < text.len && text.data[end] == '\n') {
        *from = start;
        *to = end + 1;
    }
}

/* Whether nothing but white space is on the line from 'at' on. */
static bool
ends_line(struct slice text, size_t at)
{
    while (at < text.len && (is_space(text.data[at]) || text.data[at] == '\r')) {
        at++;
    }
    return at == text.len || text.data[at] == '\n';
}

/* The last of several goes with the comma before it; comments between the two stay, and with them
 * the end of the line that one of them may need. */
static void
cut_last(struct buf *out, struct slice text, const struct edit_place *place)
{
    size_t comma = place->comma_before, from = place->key;

    copy(out, text, 0, comma);
    if (!all_space(text, comma + 1, from)) {
        while (is_space(text.data[from - 1])) {
            from--;
        }
        if (ends_line(text, place->end)) {
            from -= text.data[from - 1] == '\n';
            from -= text.data[from - 1] == '\r';
        }
        copy(out, text, comma + 1, from);
    }
    copy(out, text, place->end, text.len);
}

enum err
edit_json_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                 struct fault *f)
{
    const struct edit_object *object;
    struct edit_place place;
    size_t from, to;
    enum err err = says_nothing(text) ? E_OK : edit_json_scan(text, path, depth, &place, f);

    if (err) {
        return err;
    }
    if (says_nothing(text) || !place.there) {
        buf_add_slice(out, text);
        return edit_end(out, f);
    }
    object = &place.object;
    from = place.key;
    to = place.comma_after == EDIT_NOWHERE ? place.end : place.comma_after + 1;
    if (object->count == 1 && all_space(text, object->open + 1, from) &&
        all_space(text, to, object->close)) {
        copy(out, text, 0, object->open + 1);
        copy(out, text, object->close, text.len);
    } else if (place.comma_after == EDIT_NOWHERE && place.comma_before != EDIT_NOWHERE) {
        cut_last(out, text, &place);
    } else {
        whole_lines(text, &from, &to);
        if (from == place.key && to < object->close && is_space(text.data[to])) {
            to++; /* On one line with others. */
        }
        copy(out, text, 0, from);
        copy(out, text, to, text.len);
    }
    return edit_end(out, f);
}

enum err
edit_json_get(struct slice text, const char *const *path, size_t depth, json_t **value,
              struct fault *f)
{
    struct edit_place place;
    enum err err = says_nothing(text) ? E_OK : edit_json_scan(text, path, depth, &place, f);

    *value = NULL;
    if (!err && !says_nothing(text) && place.there) {
        *value = read_value(text, &place);
        err = *value ? E_OK : fault_set(f, E_OVERLOAD, "there is no memory for the file");
    }
    return err;
}
