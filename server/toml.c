/* toml.c -- the grammar of TOML, by recursive descent. */
#include "server/toml.h"

#include "server/edit.h"
#include "state/base/rune.h"

#include <stdio.h>

static enum err
wrong(const struct toml *t, struct fault *f, const char *what)
{
    unsigned line, column;

    edit_position(t->text, t->at, &line, &column);
    return fault_at(f, E_PARSE, line, column, "%s", what);
}

static char
peek(const struct toml *t)
{
    return t->at < t->text.len ? t->text.data[t->at] : '\0';
}

static bool
sees(const struct toml *t, const char *what)
{
    size_t len = strlen(what);

    return t->text.len - t->at >= len && memcmp(t->text.data + t->at, what, len) == 0;
}

static void
skip_spaces(struct toml *t)
{
    while (peek(t) == ' ' || peek(t) == '\t') {
        t->at++;
    }
}

/* White space, comments and ends of lines. */
static void
skip_lines(struct toml *t)
{
    for (;;) {
        skip_spaces(t);
        if (peek(t) == '#') {
            const char *end = memchr(t->text.data + t->at, '\n', t->text.len - t->at);
            t->at = end ? (size_t)(end - t->text.data) : t->text.len;
        } else if (peek(t) == '\n' || sees(t, "\r\n")) {
            t->at += peek(t) == '\n' ? 1 : 2;
        } else {
            return;
        }
    }
}

/* ---- Strings and keys ---- */

static enum err
read_code(struct toml *t, size_t digits, struct buf *out, struct fault *f)
{
    char text[9] = "", utf8[4];
    unsigned long code;

    if (t->text.len - t->at < digits) {
        return wrong(t, f, "the text ends within an escape");
    }
    memcpy(text, t->text.data + t->at, digits);
    if (strspn(text, "0123456789abcdefABCDEF") != digits) {
        return wrong(t, f, "here hexadecimal digits are to be");
    }
    code = strtoul(text, NULL, 16);
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return wrong(t, f, "there is no such character");
    }
    buf_add(out, utf8, rune_encode((uint32_t)code, utf8));
    t->at += digits;
    return E_OK;
}

/* After a backslash. */
static enum err
read_escape(struct toml *t, bool lines, struct buf *out, struct fault *f)
{
    static const char names[] = "btnfr\"\\", meant[] = "\b\t\n\f\r\"\\";
    const char *known = peek(t) ? strchr(names, peek(t)) : NULL;

    if (known) {
        buf_addc(out, meant[known - names]);
        t->at++;
        return E_OK;
    }
    if (peek(t) == 'u' || peek(t) == 'U') {
        return read_code(t, t->text.data[t->at++] == 'u' ? 4 : 8, out, f);
    }
    if (lines) { /* The line goes on where the next text is. */
        size_t start = t->at;

        while (t->at < t->text.len && memchr(" \t\r\n", peek(t), 4)) {
            t->at++;
        }
        if (memchr(t->text.data + start, '\n', t->at - start)) {
            return E_OK;
        }
        t->at = start;
    }
    return wrong(t, f, "there is no such escape");
}

static bool
is_control(unsigned char c)
{
    return c == 0x7F || (c < 0x20 && c != '\t');
}

/* Right after the quotes of a string of many lines the end of a line does not count. */
static void
skip_break(struct toml *t)
{
    t->at += peek(t) == '\n' ? 1 : sees(t, "\r\n") ? 2 : 0;
}

/* Up to so many quotes may stand before those of the end. */
static void
take_quotes(struct toml *t, char quote, int most, struct buf *out)
{
    for (; most > 0 && peek(t) == quote; most--) {
        buf_addc(out, quote);
        t->at++;
    }
}

/* A string of any kind, its quote being next. */
static enum err
read_string(struct toml *t, bool may_span, struct buf *out, struct fault *f)
{
    char quote = peek(t);
    const char three[] = {quote, quote, quote, '\0'};
    bool lines = may_span && sees(t, three);

    t->at += lines ? 3 : 1;
    if (lines) {
        skip_break(t);
    }
    for (;;) {
        unsigned char c = (unsigned char)peek(t);

        if (t->at >= t->text.len || (!lines && c == '\n')) {
            return wrong(t, f, "the string does not end");
        }
        if (lines ? sees(t, three) : c == (unsigned char)quote) {
            t->at += lines ? 3 : 1;
            take_quotes(t, quote, lines ? 2 : 0, out);
            return E_OK;
        }
        t->at++;
        if (c == '\\' && quote == '"') {
            enum err err = read_escape(t, lines, out, f);

            if (err) {
                return err;
            }
        } else if (is_control(c) && !(lines && (c == '\n' || c == '\r'))) {
            t->at--;
            return wrong(t, f, "a control character has to be escaped");
        } else {
            buf_addc(out, (char)c);
        }
    }
}

static bool
is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* One part of a key; new. */
static enum err
read_key(struct toml *t, char **key, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err = E_OK;

    if (peek(t) == '"' || peek(t) == '\'') {
        err = read_string(t, false, &text, f);
    } else {
        while (is_bare(peek(t))) {
            buf_addc(&text, t->text.data[t->at++]);
        }
        if (!text.len) {
            err = wrong(t, f, "here a key is to be");
        }
    }
    if (!err && text.len && memchr(text.data, '\0', text.len)) {
        err = wrong(t, f, "a key with a NUL in it is not understood here");
    }
    *key = err ? NULL : text.len ? buf_steal(&text) : xstrdup("");
    buf_fini(&text);
    return err;
}

/* a . "b" . c; the parts are freed by the caller on failure too. */
static enum err
read_keys(struct toml *t, char **keys, size_t *count, struct fault *f)
{
    enum err err;

    do {
        if (*count == TOML_KEYS_MAX) {
            return wrong(t, f, "a key of so many parts is not understood here");
        }
        skip_spaces(t);
        err = read_key(t, &keys[*count], f);
        *count += !err;
        skip_spaces(t);
    } while (!err && peek(t) == '.' && t->at++ < t->text.len);
    return err;
}

/* ---- Values ---- */

static enum err read_value(struct toml *t, size_t depth, json_t **value, struct fault *f);

static enum err
read_text(struct toml *t, json_t **value, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err = read_string(t, true, &text, f);

    if (!err) {
        *value = json_stringn(text.len ? text.data : "", text.len);
        err = *value ? E_OK : wrong(t, f, "the string before this is not UTF-8");
    }
    buf_fini(&text);
    return err;
}

static enum err
read_array(struct toml *t, size_t depth, json_t **value, struct fault *f)
{
    enum err err = E_OK;

    *value = json_array();
    t->at++;
    for (;;) {
        json_t *item = NULL;

        skip_lines(t);
        if (peek(t) == ']') {
            t->at++;
            return E_OK;
        }
        err = read_value(t, depth + 1, &item, f);
        if (err) {
            return err;
        }
        json_array_append_new(*value, item);
        skip_lines(t);
        if (peek(t) == ',') {
            t->at++;
        } else if (peek(t) != ']') {
            return wrong(t, f, "here a comma or ] is to be");
        }
    }
}

/* Puts 'value', which it takes, at a dotted key into 'object'. */
static enum err
put(struct toml *t, json_t *object, char *const *keys, size_t count, json_t *value, struct fault *f)
{
    for (size_t i = 0; i + 1 < count; i++) {
        json_t *inner = json_object_get(object, keys[i]);

        if (!inner) {
            inner = json_object();
            json_object_set_new(object, keys[i], inner);
        }
        object = inner;
    }
    if (!json_is_object(object) || json_object_get(object, keys[count - 1])) {
        json_decref(value);
        return wrong(t, f, "the key before this is here for the second time");
    }
    return json_object_set_new(object, keys[count - 1], value) == 0
               ? E_OK
               : wrong(t, f, "the key before this is not UTF-8");
}

static void
free_keys(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(keys[i]);
    }
}

/* key = value, into 'object'. */
static enum err
read_pair(struct toml *t, size_t depth, json_t *object, struct fault *f)
{
    char *keys[TOML_KEYS_MAX];
    size_t count = 0;
    json_t *value = NULL;
    enum err err = read_keys(t, keys, &count, f);

    if (!err && peek(t) != '=') {
        err = wrong(t, f, "after a key comes =");
    }
    if (!err) {
        t->at++;
        skip_spaces(t);
        err = read_value(t, depth, &value, f);
    }
    if (!err) {
        err = put(t, object, keys, count, value, f);
    } else {
        json_decref(value);
    }
    free_keys(keys, count);
    return err;
}

static enum err
read_inline_table(struct toml *t, size_t depth, json_t **value, struct fault *f)
{
    *value = json_object();
    t->at++;
    skip_spaces(t);
    if (peek(t) == '}') {
        t->at++;
        return E_OK;
    }
    for (;;) {
        enum err err = read_pair(t, depth + 1, *value, f);

        skip_spaces(t);
        if (err || peek(t) == '}') {
            t->at += !err;
            return err;
        }
        if (peek(t) != ',') {
            return wrong(t, f, "here a comma or } is to be");
        }
        t->at++;
    }
}

/* A number, '_' being left out; null if it is none. */
static json_t *
number_of(const char *text)
{
    const char *digits = text + strspn(text, "+-");
    bool prefixed = text[0] == '0' && text[1] && strchr("xob", text[1]);
    char *end = NULL;
    json_t *value;

    if (digits - text > 1 || !strspn(digits, "0123456789") ||
        (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')) {
        return NULL;
    }
    if (prefixed) {
        int base = text[1] == 'x' ? 16 : text[1] == 'o' ? 8 : 2;
        value = json_integer(strtoll(text + 2, &end, base));
    } else if (digits[strspn(digits, "0123456789")] == '\0') {
        value = json_integer(strtoll(text, &end, 10));
    } else {
        value = json_real(strtod(text, &end));
    }
    if (*end || end[-1] == '.' || (prefixed && end == text + 2)) {
        json_decref(value);
        value = NULL;
    }
    return value;
}

static bool
is_digits(const char *text, size_t from, size_t count)
{
    return strspn(text + from, "0123456789") >= count;
}

/* A date, a time, both, or what is beside the numbers; that is kept as text. */
static bool
is_other(const char *text, size_t len)
{
    const char *word = text + strspn(text, "+-");
    bool date = len >= 10 && is_digits(text, 0, 4) && text[4] == '-' && is_digits(text, 5, 2) &&
                text[7] == '-' && is_digits(text, 8, 2);
    bool time = len >= 8 && is_digits(text, 0, 2) && text[2] == ':' && is_digits(text, 3, 2) &&
                text[5] == ':' && is_digits(text, 6, 2);

    return date || time || (word - text <= 1 && (!strcmp(word, "inf") || !strcmp(word, "nan")));
}

/* The characters of what is no string and has no parts. */
static size_t
token_length(struct slice rest)
{
    size_t len = 0;

    while (len < rest.len && (is_bare(rest.data[len]) || memchr("+.:", rest.data[len], 3))) {
        len++;
        if (len == 10 && rest.len > 11 && rest.data[4] == '-' && rest.data[10] == ' ' &&
            rest.data[11] >= '0' && rest.data[11] <= '9') {
            len++; /* One space may stand between a date and its time. */
        }
    }
    return len;
}

static enum err
read_token(struct toml *t, json_t **value, struct fault *f)
{
    const char *start = t->text.data + t->at;
    size_t len = token_length((struct slice){start, t->text.len - t->at}), kept = 0;
    char text[64];

    if (len == 0 || len >= sizeof text) {
        return wrong(t, f, "here a value is to be, and there is none");
    }
    for (size_t i = 0; i < len; i++) {
        if (start[i] != '_') {
            text[kept++] = start[i];
        }
    }
    text[kept] = '\0';
    *value = strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? json_boolean(text[0] == 't')
             : is_other(text, kept)                                  ? json_stringn(start, len)
                                                                     : number_of(text);
    if (!*value) {
        return wrong(t, f, "here a value is to be, and this is none");
    }
    t->at += len;
    return E_OK;
}

static enum err
read_value(struct toml *t, size_t depth, json_t **value, struct fault *f)
{
    enum err err;

    *value = NULL;
    if (depth > TOML_DEPTH_MAX) {
        return wrong(t, f, "this is nested too deep");
    }
    err = peek(t) == '"' || peek(t) == '\'' ? read_text(t, value, f)
          : peek(t) == '['                  ? read_array(t, depth, value, f)
          : peek(t) == '{'                  ? read_inline_table(t, depth, value, f)
                                            : read_token(t, value, f);
    if (err) {
        json_decref(*value);
        *value = NULL;
    }
    return err;
}

/* ---- Statements ---- */

static enum err
read_header(struct toml *t, struct toml_statement *s, struct fault *f)
{
    const char *end;
    enum err err;

    s->kind = sees(t, "[[") ? TOML_ARRAY_TABLE : TOML_TABLE;
    end = s->kind == TOML_ARRAY_TABLE ? "]]" : "]";
    t->at += strlen(end);
    err = read_keys(t, s->keys, &s->key_count, f);
    if (!err && !sees(t, end)) {
        err = wrong(t, f, "the header of a table ends with ]");
    }
    t->at += err ? 0 : strlen(end);
    return err;
}

static enum err
read_assignment(struct toml *t, struct toml_statement *s, struct fault *f)
{
    enum err err = read_keys(t, s->keys, &s->key_count, f);

    s->kind = TOML_VALUE;
    if (!err && peek(t) != '=') {
        err = wrong(t, f, "after a key comes =");
    }
    if (!err) {
        t->at++;
        skip_spaces(t);
        err = read_value(t, 0, &s->value, f);
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
    skip_lines(t);
    s->start = s->end = t->at;
    if (t->at == t->text.len) {
        return E_OK;
    }
    err = peek(t) == '[' ? read_header(t, s, f) : read_assignment(t, s, f);
    if (!err) {
        s->end = t->at;
        skip_spaces(t);
        if (t->at < t->text.len && peek(t) != '#' && peek(t) != '\n' && !sees(t, "\r\n")) {
            err = wrong(t, f, "on this line there is something else already");
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
    free_keys(s->keys, s->key_count);
    json_decref(s->value);
    *s = (struct toml_statement){.kind = TOML_END};
}
