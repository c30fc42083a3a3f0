/* toml.c -- the statements of TOML. */
#include "server/edit/toml_private.h"

#include "server/edit/edit.h"

enum err
toml_wrong(const struct toml *t, struct fault *f, const char *what)
{
    unsigned line, column;

    edit_position(t->text, t->at, &line, &column);
    return fault_at(f, E_PARSE, line, column, "%s", what);
}

void
toml_skip_lines(struct toml *t)
{
    for (;;) {
        toml_skip_spaces(t);
        if (toml_peek(t) == '#') {
            const char *end = memchr(t->text.data + t->at, '\n', t->text.len - t->at);
            t->at = end ? (size_t)(end - t->text.data) : t->text.len;
        } else if (toml_peek(t) == '\n' || toml_sees(t, "\r\n")) {
            t->at += toml_peek(t) == '\n' ? 1 : 2;
        } else {
            return;
        }
    }
}

static enum err
read_header(struct toml *t, struct toml_statement *s, struct fault *f)
{
    const char *end;
    enum err err;

    s->kind = toml_sees(t, "[[") ? TOML_ARRAY_TABLE : TOML_TABLE;
    end = s->kind == TOML_ARRAY_TABLE ? "]]" : "]";
    t->at += strlen(end);
    err = toml_read_keys(t, s->keys, &s->key_count, f);
    if (!err && !toml_sees(t, end)) {
        err = toml_wrong(t, f, "the header of a table ends with ]");
    }
    t->at += err ? 0 : strlen(end);
    return err;
}

static enum err
read_assignment(struct toml *t, struct toml_statement *s, struct fault *f)
{
    enum err err = toml_read_keys(t, s->keys, &s->key_count, f);

    s->kind = TOML_VALUE;
    if (!err && toml_peek(t) != '=') {
        err = toml_wrong(t, f, "after a key comes =");
    }
    if (!err) {
        t->at++;
        toml_skip_spaces(t);
        err = toml_read_value(t, 0, &s->value, f);
    }
    return err;
}

void
toml_begin(struct toml *t, struct slice text)
{
    *t = (struct toml){.text = text};
    t->at = text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

enum err
toml_next(struct toml *t, struct toml_statement *s, struct fault *f)
{
    enum err err;

    *s = (struct toml_statement){.kind = TOML_END};
    toml_skip_lines(t);
    s->start = s->end = t->at;
    if (t->at == t->text.len) {
        return E_OK;
    }
    err = toml_peek(t) == '[' ? read_header(t, s, f) : read_assignment(t, s, f);
    if (!err) {
        s->end = t->at;
        toml_skip_spaces(t);
        if (t->at < t->text.len && toml_peek(t) != '#' && toml_peek(t) != '\n' &&
            !toml_sees(t, "\r\n")) {
            err = toml_wrong(t, f, "on this line there is something else already");
        }
    }
    if (err) {
        toml_statement_fini(s);
    }
    return err;
}

void
toml_statement_fini(struct toml_statement *s)
{
    toml_free_keys(s->keys, s->key_count);
    json_decref(s->value);
    *s = (struct toml_statement){.kind = TOML_END};
}
