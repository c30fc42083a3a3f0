/* edit_yaml.c -- finds the lines of a member by the tree of the file, and writes others.
 *
 * What lines mean in YAML depends on those around them, so what comes out is read again: if
 * anything but the member means something else then, nothing has been done. */
#include "server/edit/edit_yaml.h"

#include "server/edit/edit.h"
#include "state/yaml.h"

/* What of the path is there. */
struct place {
    const struct ynode *map; /* The innermost map on it; null if the value is empty. */
    const struct ynode *key; /* Of that map's member on the path, path[level]; or null. */
    size_t level;
    const struct ynode *parent; /* The key of 'map'; null for the outermost. */
    const struct ynode *empty;  /* The value that is no map yet, or one without members. */
};

static const struct ynode *
find_key(const struct ynode *map, const char *name)
{
    for (size_t i = 0; i < ynode_count(map); i++) {
        if (slice_is(ynode_text(ynode_key(map, i)), name)) {
            return ynode_key(map, i);
        }
    }
    return NULL;
}

/* Where line 'line' (from 1) begins; the text's end for one past the last. */
static size_t
line_start(struct slice text, unsigned line)
{
    size_t at = 0;

    while (line > 1 && at < text.len) {
        const char *newline = memchr(text.data + at, '\n', text.len - at);
        at = newline ? (size_t)(newline + 1 - text.data) : text.len;
        line--;
    }
    return at;
}

/* Whether a node that has members is written with them on lines of their own. */
static bool
is_block(struct slice text, const struct ynode *map)
{
    size_t at = line_start(text, ynode_line(map)), end = at;

    /* Its place is that of its first key, which only white space may precede. */
    while (end < text.len && text.data[end] == ' ') {
        end++;
    }
    if (at == 0 && text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        return text.len == 3 || text.data[3] != '{';
    }
    return end - at + 1 == ynode_column(map) && end < text.len && text.data[end] != '{';
}

static enum err
find(struct slice text, const struct ynode *root, const char *const *path, size_t depth,
     struct place *place, struct fault *f)
{
    const struct ynode *map = root, *parent = NULL;

    for (size_t level = 0;; level++) {
        bool empty = ynode_kind(map) == YNODE_NULL ||
                     (ynode_kind(map) == YNODE_MAP && ynode_count(map) == 0);

        if (!empty && (ynode_kind(map) != YNODE_MAP || !is_block(text, map))) {
            return fault_at(f, E_CONFLICT, ynode_line(map), ynode_column(map),
                            "%s is to be a map with its members on lines of their own",
                            level ? path[level - 1] : "the file");
        }
        *place = (struct place){.map = empty ? NULL : map,
                                .key = find_key(map, path[level]),
                                .level = level,
                                .parent = parent,
                                .empty = empty ? map : NULL};
        if (!place->key || level + 1 == depth) {
            return E_OK;
        }
        parent = place->key;
        map = ynode_get(map, path[level]);
    }
}

/* The white space that begins a line. */
static size_t
indent_at(struct slice text, size_t at)
{
    size_t end = at;

    while (end < text.len && text.data[end] == ' ') {
        end++;
    }
    return end - at;
}

static bool
is_blank(struct slice text, size_t at)
{
    at += indent_at(text, at);
    return at >= text.len || text.data[at] == '\n' || text.data[at] == '\r';
}

/* Where the lines of the member under 'key' end: with the next line that is not indented more, or
 * an item of a list right below it.  Comments that are indented more belong to it, and others if
 * they are within it. */
static size_t
member_end(struct slice text, const struct ynode *key)
{
    size_t margin = ynode_column(key) - 1, end = line_start(text, ynode_line(key) + 1);
    bool apart = false; /* After a comment that is not indented. */

    for (size_t at = end; at < text.len;) {
        const char *newline = memchr(text.data + at, '\n', text.len - at);
        size_t next = newline ? (size_t)(newline + 1 - text.data) : text.len;
        size_t indent = indent_at(text, at);

        if (!is_blank(text, at)) { /* Empty lines after the last do not belong to it. */
            char first = text.data[at + indent];
            bool more = indent > margin;

            if (!more && first != '#' && (indent < margin || first != '-')) {
                break;
            }
            apart = first == '#' && (apart || !more);
            end = apart ? end : next;
        }
        at = next;
    }
    return end;
}

static void
margin(struct buf *out, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        buf_addc(out, ' ');
    }
}

static void
write_scalar(struct buf *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY); /* Which is YAML, in flow style. */

    buf_adds(out, text ? text : "");
    out->failed |= !text;
    free(text);
}

/* path[from] to the last, and the members of 'value', a line each. */
static void
write_member(struct buf *out, const char *newline, size_t width, const char *const *path,
             size_t from, size_t depth, const json_t *value)
{
    const char *key;
    json_t *item;

    for (; from < depth; from++, width += 2) {
        margin(out, width);
        buf_addf(out, "%s:%s", path[from], newline);
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item) {
        margin(out, width);
        buf_addf(out, "%s: ", key);
        write_scalar(out, item);
        buf_adds(out, newline);
    }
}

/* Where a member that is not there goes, and how far it is indented: after the last of its map,
 * below the key of an empty one and its comments, or at the end. */
static size_t
insertion(struct slice text, const struct place *place, size_t *width)
{
    if (place->map) {
        const struct ynode *last = ynode_key(place->map, ynode_count(place->map) - 1);

        *width = ynode_column(ynode_key(place->map, 0)) - 1;
        return member_end(text, last);
    }
    *width = place->parent ? ynode_column(place->parent) + 1 : 0;
    return place->parent ? member_end(text, place->parent) : text.len;
}

/* How many bytes an empty value is written in: {}, ~ or null; 0 if it is not written. */
static size_t
empty_length(struct slice rest, const struct ynode *empty)
{
    size_t len = ynode_text(empty).len;

    if (ynode_kind(empty) == YNODE_MAP && rest.len && rest.data[0] == '{') {
        len = 1 + indent_at(rest, 1);
        return len < rest.len && rest.data[len] == '}' ? len + 1 : 0;
    }
    return len;
}

/* Copies the text to 'to'; what an empty map is written as is left out. */
static void
copy_head(struct buf *out, struct slice text, const struct place *place, size_t to)
{
    size_t at, len = 0;

    if (place->empty && place->parent) {
        at = line_start(text, ynode_line(place->empty));
        for (unsigned left = ynode_column(place->empty); left > 1 && at < to; left--) {
            do {
                at++;
            } while (at < to && ((unsigned char)text.data[at] & 0xC0) == 0x80);
        }
        len = empty_length((struct slice){text.data + at, to - at}, place->empty);
    }
    if (len) {
        buf_add(out, text.data, at - (text.data[at - 1] == ' '));
        buf_add(out, text.data + at + len, to - at - len);
    } else {
        buf_add(out, text.data, to);
    }
}

static enum err
read_tree(struct slice text, struct ytree **tree, struct fault *f)
{
    enum err err = ytree_parse(text, NULL, tree, f);

    if (err == E_REFUSED && f) {
        f->code = E_PARSE;
    }
    return err == E_REFUSED ? E_PARSE : err;
}

/* Takes the member out of 'all', and the maps on its path that are empty then; returns it, new, or
 * null. */
static json_t *
take_out(json_t *all, const char *const *path, size_t depth)
{
    json_t *map = all, *list, *value;

    for (size_t i = 0; i + 1 < depth; i++) {
        map = json_object_get(map, path[i]);
    }
    value = json_incref(json_object_get(map, path[depth - 1]));
    json_object_del(map, path[depth - 1]);
    for (size_t left = depth - 1; left > 0; left--) {
        map = all;
        for (size_t i = 0; i + 1 < left; i++) {
            map = json_object_get(map, path[i]);
        }
        list = json_object_get(map, path[left - 1]);
        if (json_is_null(list) || (json_is_object(list) && json_object_size(list) == 0)) {
            json_object_del(map, path[left - 1]);
        }
    }
    return value;
}

/* All that 'text' says, new; null if it cannot be read. */
static json_t *
read_all(struct slice text)
{
    struct ytree *tree = NULL;
    json_t *all = NULL;

    if (ytree_parse(text, NULL, &tree, NULL) == E_OK) {
        all = ynode_kind(ytree_root(tree)) == YNODE_NULL ? json_object()
                                                         : ynode_to_json(ytree_root(tree));
    }
    ytree_free(tree);
    return all;
}

/* Whether 'now' says 'value' (null: nothing) where the member is, and all else that 'then' does. */
static bool
is_changed_only_there(struct slice then, struct slice now, const char *const *path, size_t depth,
                      const json_t *value)
{
    json_t *before = read_all(then), *after = read_all(now);
    json_t *old = take_out(before, path, depth), *new = take_out(after, path, depth);
    bool is = before && after && json_equal(before, after) &&
              (value ? new &&json_equal(new, value) : !new);

    json_decref(old);
    json_decref(new);
    json_decref(before);
    json_decref(after);
    return is;
}

/* Ends an edit of 'text', which made all of 'out' from 'start' on; E_CONFLICT, and without that, if
 * it does not say what it should. */
static enum err
end(struct slice text, const char *const *path, size_t depth, const json_t *value, struct buf *out,
    size_t start, struct fault *f)
{
    struct slice now =
        out->len > start ? (struct slice){out->data + start, out->len - start} : SLICE("");

    if (out->failed || is_changed_only_there(text, now, path, depth, value)) {
        return edit_end(out, f);
    }
    out->len = start;
    fault_at(f, E_CONFLICT, 1, 1, "%s cannot be changed so that all else stays what it is",
             path[0]);
    return fault_remedy(f,
                        "write %s with its members on lines of their own, and an empty line at "
                        "the end of the file",
                        path[0]);
}

static json_t *
value_of(const struct place *place, size_t depth, const char *const *path)
{
    return place->key && place->level + 1 == depth
               ? ynode_to_json(ynode_get(place->map, path[place->level]))
               : NULL;
}

enum err
edit_yaml_set(struct slice text, const char *const *path, size_t depth, const json_t *value,
              struct buf *out, struct fault *f)
{
    const char *newline = edit_newline(text);
    size_t start = out->len;
    struct ytree *tree = NULL;
    struct place place;
    json_t *old = NULL;
    enum err err = read_tree(text, &tree, f);

    err = err ? err : find(text, ytree_root(tree), path, depth, &place, f);
    if (!err) {
        old = value_of(&place, depth, path);
    }
    if (!err && old && json_equal(old, value)) {
        buf_add_slice(out, text);
    } else if (!err) {
        size_t width, from, to;

        if (place.key) {
            width = ynode_column(place.key) - 1;
            from = line_start(text, ynode_line(place.key));
            to = member_end(text, place.key);
        } else {
            from = to = insertion(text, &place, &width);
        }
        copy_head(out, text, &place, from);
        if (out->len && out->data[out->len - 1] != '\n') {
            buf_adds(out, newline);
        }
        write_member(out, newline, width, path, place.level, depth, value);
        buf_add(out, text.data + to, text.len - to);
    }
    json_decref(old);
    ytree_free(tree);
    return err ? err : end(text, path, depth, value, out, start, f);
}

enum err
edit_yaml_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                 struct fault *f)
{
    size_t start = out->len;
    struct ytree *tree = NULL;
    struct place place;
    enum err err = read_tree(text, &tree, f);

    err = err ? err : find(text, ytree_root(tree), path, depth, &place, f);
    if (!err && place.key && place.level + 1 == depth) {
        size_t to = member_end(text, place.key);

        buf_add(out, text.data, line_start(text, ynode_line(place.key)));
        buf_add(out, text.data + to, text.len - to);
    } else if (!err) {
        buf_add_slice(out, text);
    }
    ytree_free(tree);
    return err ? err : end(text, path, depth, NULL, out, start, f);
}

enum err
edit_yaml_get(struct slice text, const char *const *path, size_t depth, json_t **value,
              struct fault *f)
{
    struct ytree *tree = NULL;
    struct place place;
    enum err err = read_tree(text, &tree, f);

    *value = NULL;
    err = err ? err : find(text, ytree_root(tree), path, depth, &place, f);
    if (!err) {
        *value = value_of(&place, depth, path);
    }
    ytree_free(tree);
    return err;
}
