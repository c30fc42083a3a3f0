/* toml_value.c -- values of TOML: texts, numbers, dates, and what holds others, by recursive
 * descent. */
#include "server/edit/toml_private.h"

static enum err
read_text(struct toml *t, json_t **value, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err = toml_read_string(t, true, &text, f);

    if (!err) {
        *value = json_stringn(text.len ? text.data : "", text.len);
        err = *value ? E_OK : toml_wrong(t, f, "the string before this is not UTF-8");
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

        toml_skip_lines(t);
        if (toml_peek(t) == ']') {
            t->at++;
            return E_OK;
        }
        err = toml_read_value(t, depth + 1, &item, f);
        if (err) {
            return err;
        }
        json_array_append_new(*value, item);
        toml_skip_lines(t);
        if (toml_peek(t) == ',') {
            t->at++;
        } else if (toml_peek(t) != ']') {
            return toml_wrong(t, f, "here a comma or ] is to be");
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
        return toml_wrong(t, f, "the key before this is here for the second time");
    }
    return json_object_set_new(object, keys[count - 1], value) == 0
               ? E_OK
               : toml_wrong(t, f, "the key before this is not UTF-8");
}

/* key = value, into 'object'. */
static enum err
read_pair(struct toml *t, size_t depth, json_t *object, struct fault *f)
{
    char *keys[TOML_KEYS_MAX];
    size_t count = 0;
    json_t *value = NULL;
    enum err err = toml_read_keys(t, keys, &count, f);

    if (!err && toml_peek(t) != '=') {
        err = toml_wrong(t, f, "after a key comes =");
    }
    if (!err) {
        t->at++;
        toml_skip_spaces(t);
        err = toml_read_value(t, depth, &value, f);
    }
    if (!err) {
        err = put(t, object, keys, count, value, f);
    } else {
        json_decref(value);
    }
    toml_free_keys(keys, count);
    return err;
}

static enum err
read_inline_table(struct toml *t, size_t depth, json_t **value, struct fault *f)
{
    *value = json_object();
    t->at++;
    toml_skip_spaces(t);
    if (toml_peek(t) == '}') {
        t->at++;
        return E_OK;
    }
    for (;;) {
        enum err err = read_pair(t, depth + 1, *value, f);

        toml_skip_spaces(t);
        if (err || toml_peek(t) == '}') {
            t->at += !err;
            return err;
        }
        if (toml_peek(t) != ',') {
            return toml_wrong(t, f, "here a comma or } is to be");
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

    while (len < rest.len && (toml_is_bare(rest.data[len]) || memchr("+.:", rest.data[len], 3))) {
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
        return toml_wrong(t, f, "here a value is to be, and there is none");
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
        return toml_wrong(t, f, "here a value is to be, and this is none");
    }
    t->at += len;
    return E_OK;
}

enum err
toml_read_value(struct toml *t, size_t depth, json_t **value, struct fault *f)
{
    enum err err;

    *value = NULL;
    if (depth > TOML_DEPTH_MAX) {
        return toml_wrong(t, f, "this is nested too deep");
    }
    err = toml_peek(t) == '"' || toml_peek(t) == '\'' ? read_text(t, value, f)
          : toml_peek(t) == '['                       ? read_array(t, depth, value, f)
          : toml_peek(t) == '{'                       ? read_inline_table(t, depth, value, f)
                                                      : read_token(t, value, f);
    if (err) {
        json_decref(*value);
        *value = NULL;
    }
    return err;
}
