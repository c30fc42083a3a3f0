/* fuzz_edit.c -- any bytes as a client's file, in each of the three formats that are edited.
 *
 * A file is refused with its place, or our entry goes in and nothing else changes: not what the
 * rest means, as another reader sees it, and not a character of it but white space.  What was
 * written is read again, setting it twice changes nothing, and taking it out leaves what there
 * was.  The first byte is the format: 'j', 't' or 'y', or any.
 *
 * Run by "make fuzz-edit"; finds are kept in tests/fuzz/corpus/edit. */
#include "server/edit/edit_json.h"
#include "server/edit/edit_toml.h"
#include "server/edit/edit_yaml.h"
#include "server/edit/toml.h"
#include "state/yaml.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                    \
    do {                                                                   \
        if (!(CONDITION)) {                                                \
            fprintf(stderr, "fuzz_edit: does not hold: %s\n", #CONDITION); \
            abort();                                                       \
        }                                                                  \
    } while (0)

#define DEPTH 2u
static const char *const path[DEPTH] = {"servers", "tandem"};

/* ---- What a file says, by another reader than the editor's ---- */

/* JSON without comments, and without commas before an end; null if it is none then. */
static json_t *
read_json(struct slice text)
{
    struct buf plain = BUF_INIT;
    json_t *all;
    size_t at = text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    size_t last = 0; /* The end of what has been copied but white space. */
    bool in_string = false;

    for (; at < text.len; at++) {
        struct slice rest = {text.data + at, text.len - at};
        const char *end = NULL;

        if (!in_string && rest.len > 1 && memcmp(rest.data, "//", 2) == 0) {
            end = memchr(rest.data, '\n', rest.len);
            at = end ? (size_t)(end - text.data) : text.len - 1;
        } else if (!in_string && rest.len > 1 && memcmp(rest.data, "/*", 2) == 0) {
            end = rest.len > 3 ? memmem(rest.data + 2, rest.len - 2, "*/", 2) : NULL;
            at = end ? (size_t)(end + 1 - text.data) : text.len - 1;
        } else {
            in_string ^= *rest.data == '"';
            if (!in_string && memchr("]}", *rest.data, 2) && last && plain.data[last - 1] == ',') {
                plain.data[last - 1] = ' ';
            }
            buf_add(&plain, rest.data, 1);
            if (in_string && *rest.data == '\\' && rest.len > 1) {
                buf_add(&plain, rest.data + 1, 1);
                at++;
            }
            last = memchr(" \t\r\n", *rest.data, 4) ? last : plain.len;
        }
    }
    all = last ? json_loadb(plain.data, plain.len, JSON_ALLOW_NUL, NULL) : json_object();
    buf_fini(&plain);
    return all;
}

static json_t *
read_yaml(struct slice text)
{
    struct ytree *tree = NULL;
    json_t *all = NULL;

    if (ytree_parse(text, NULL, &tree, NULL) == E_OK) {
        all = ynode_to_json(ytree_root(tree));
        if (json_is_null(all)) {
            json_decref(all);
            all = json_object();
        }
    }
    ytree_free(tree);
    return all;
}

/* Takes the entry out, and the list that is empty then, or was. */
static json_t *
without_entry(json_t *all)
{
    json_t *list = json_object_get(all, path[0]);

    json_object_del(list, path[1]);
    if (json_is_null(list) || (json_is_object(list) && json_object_size(list) == 0)) {
        json_object_del(all, path[0]);
    }
    return all;
}

static json_t *
rest_of_json(struct slice text)
{
    return without_entry(read_json(text));
}

static json_t *
rest_of_yaml(struct slice text)
{
    return without_entry(read_yaml(text));
}

/* The statements of a TOML file in their order, without those of the entry. */
static json_t *
rest_of_toml(struct slice text)
{
    json_t *all = json_array();
    struct toml toml;
    bool inside = false, more = true;

    toml_begin(&toml, text);
    while (more) {
        json_t *one = json_array();
        struct toml_statement s;

        if (toml_next(&toml, &s, NULL)) {
            json_decref(one);
            json_decref(all);
            return NULL;
        }
        if (s.kind != TOML_VALUE) {
            inside = s.key_count >= DEPTH && strcmp(s.keys[0], path[0]) == 0 &&
                     strcmp(s.keys[1], path[1]) == 0;
        }
        json_array_append_new(one, json_integer(s.kind));
        for (size_t i = 0; i < s.key_count; i++) {
            json_array_append_new(one, json_string(s.keys[i]));
        }
        json_array_append(one, s.value ? s.value : json_null());
        if (!inside) {
            json_array_append(all, one);
        }
        json_decref(one);
        more = s.kind != TOML_END;
        toml_statement_fini(&s);
    }
    return all;
}

/* ---- The editors ---- */

struct editor {
    char letter;
    enum err (*set)(struct slice, const char *const *, size_t, const json_t *, struct buf *,
                    struct fault *);
    enum err (*remove)(struct slice, const char *const *, size_t, struct buf *, struct fault *);
    enum err (*get)(struct slice, const char *const *, size_t, json_t **, struct fault *);
    json_t *(*rest)(struct slice); /* New: all but the entry; null if it cannot be read. */
};
static const struct editor editors[] = {
    {'j', edit_json_set, edit_json_remove, edit_json_get, rest_of_json},
    {'t', edit_toml_set, edit_toml_remove, edit_toml_get, rest_of_toml},
    {'y', edit_yaml_set, edit_yaml_remove, edit_yaml_get, rest_of_yaml},
};

/* The same without white space, and without the empty map that a YAML list may be. */
static void
squeeze(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr(" \t\r\n", text.data[i], 4)) {
            buf_add(out, text.data + i, 1);
        }
    }
}

/* How many characters of 'a' 'b' begins with. */
static size_t
common_head(const struct buf *a, const struct buf *b)
{
    size_t head = 0;

    while (head < a->len && head < b->len && a->data[head] == b->data[head]) {
        head++;
    }
    return head;
}

static void
cut_out(struct buf *text, size_t at, size_t len)
{
    memmove(text->data + at, text->data + at + len, text->len - at - len);
    text->len -= len;
}

/* Whether 'now' is 'then' with something put in at one place.  White space does not count, nor does
 * "{}", for which a YAML list that was empty is opened, nor the comma after what was the last
 * member, as a comment may be between the two. */
static bool
is_put_into(struct slice then, struct slice now)
{
    struct buf a = BUF_INIT, b = BUF_INIT;
    size_t head, tail = 0;
    bool is;

    squeeze(&a, then);
    squeeze(&b, now);
    head = common_head(&a, &b);
    if (a.len - head >= 2 && memcmp(a.data + head, "{}", 2) == 0) {
        cut_out(&a, head, 2);
    } else if (b.len > head && b.data[head] == ',') {
        cut_out(&b, head, 1);
    }
    head = common_head(&a, &b);
    while (tail < a.len - head && tail < b.len - head &&
           a.data[a.len - 1 - tail] == b.data[b.len - 1 - tail]) {
        tail++;
    }
    is = head + tail == a.len;
    buf_fini(&a);
    buf_fini(&b);
    return is;
}

static void
must_be_equal(json_t *a, json_t *b)
{
    if (!a || !b || !json_equal(a, b)) {
        json_dumpf(a, stderr, 0);
        fputc('\n', stderr);
        json_dumpf(b, stderr, 0);
        fputc('\n', stderr);
        MUST(!"the rest means what it meant");
    }
    json_decref(a);
    json_decref(b);
}

/* It is refused for what it says, and by all three if it cannot be read. */
static void
must_refuse(const struct editor *e, struct slice text, const struct fault *why)
{
    bool unread = why->code == E_PARSE || why->code == E_TOO_LARGE;
    struct buf out = BUF_INIT;
    json_t *value = NULL;

    MUST(unread || why->code == E_CONFLICT);
    MUST(why->text[0] && (why->code == E_TOO_LARGE || (why->line && why->column)));
    MUST(!unread || e->remove(text, path, DEPTH, &out, NULL) == why->code);
    MUST(!unread || e->get(text, path, DEPTH, &value, NULL) == why->code);
    MUST(out.len == 0 && !value);
    buf_fini(&out);
}

static void
must_edit(const struct editor *e, struct slice text, const json_t *entry, struct slice set)
{
    struct buf again = BUF_INIT, removed = BUF_INIT, same = BUF_INIT;
    json_t *old = NULL, *value = NULL, *rest = e->rest(text);

    MUST(e->get(text, path, DEPTH, &old, NULL) == E_OK);
    MUST(e->get(set, path, DEPTH, &value, NULL) == E_OK && json_equal(value, entry));
    json_decref(value);
    MUST(e->set(set, path, DEPTH, entry, &again, NULL) == E_OK);
    MUST(slice_equal(buf_slice(&again), set));
    MUST(e->remove(set, path, DEPTH, &removed, NULL) == E_OK);
    MUST(e->get(buf_slice(&removed), path, DEPTH, &value, NULL) == E_OK && !value);
    if (rest) { /* Else it has what this reader does not take. */
        must_be_equal(json_incref(rest), e->rest(set));
        must_be_equal(json_incref(rest), e->rest(buf_slice(&removed)));
    }
    if (!old) {
        MUST(is_put_into(text, set));
        MUST(is_put_into(text, buf_slice(&removed)));
        MUST(e->remove(text, path, DEPTH, &same, NULL) == E_OK);
        MUST(slice_equal(buf_slice(&same), text));
    }
    json_decref(rest);
    json_decref(old);
    buf_fini(&same);
    buf_fini(&removed);
    buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *entry;
    const struct editor *e;
    struct slice text;
    struct buf set = BUF_INIT;
    struct fault f = FAULT_INIT;

    if (size == 0) {
        return 0;
    }
    if (!entry) {
        entry = json_loads("{\"command\": \"/opt/a b/tandem\", \"args\": [\"serve\", \"\\\"\\\\\"],"
                           " \"env\": {\"A\": \"\xC3\xA9\"}, \"on\": true, \"time\": 300}",
                           0, NULL);
        MUST(entry);
    }
    e = &editors[data[0] % 3];
    for (size_t i = 0; i < 3; i++) {
        e = editors[i].letter == (char)data[0] ? &editors[i] : e;
    }
    text = (struct slice){(const char *)data + 1, size - 1};
    if (e->set(text, path, DEPTH, entry, &set, &f)) {
        MUST(set.len == 0);
        must_refuse(e, text, &f);
    } else {
        must_edit(e, text, entry, buf_slice(&set));
    }
    buf_fini(&set);
    return 0;
}
