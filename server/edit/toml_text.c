/* toml_text.c -- strings and keys of TOML. */
#include "server/edit/toml_private.h"

#include "state/base/rune.h"

static enum err
read_code(struct toml *t, size_t digits, struct buf *out, struct fault *f)
{
    char text[9] = "", utf8[4];
    unsigned long code;

    if (t->text.len - t->at < digits) {
        return toml_wrong(t, f, "the text ends within an escape");
    }
    memcpy(text, t->text.data + t->at, digits);
    if (strspn(text, "0123456789abcdefABCDEF") != digits) {
        return toml_wrong(t, f, "here hexadecimal digits are to be");
    }
    code = strtoul(text, NULL, 16);
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return toml_wrong(t, f, "there is no such character");
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
    const char *known = toml_peek(t) ? strchr(names, toml_peek(t)) : NULL;

    if (known) {
        buf_addc(out, meant[known - names]);
        t->at++;
        return E_OK;
    }
    if (toml_peek(t) == 'u' || toml_peek(t) == 'U') {
        return read_code(t, t->text.data[t->at++] == 'u' ? 4 : 8, out, f);
    }
    if (lines) { /* The line goes on where the next text is. */
        size_t start = t->at;

        while (t->at < t->text.len && memchr(" \t\r\n", toml_peek(t), 4)) {
            t->at++;
        }
        if (memchr(t->text.data + start, '\n', t->at - start)) {
            return E_OK;
        }
        t->at = start;
    }
    return toml_wrong(t, f, "there is no such escape");
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
    t->at += toml_peek(t) == '\n' ? 1 : toml_sees(t, "\r\n") ? 2 : 0;
}

/* Up to so many quotes may stand before those of the end. */
static void
take_quotes(struct toml *t, char quote, int most, struct buf *out)
{
    for (; most > 0 && toml_peek(t) == quote; most--) {
        buf_addc(out, quote);
        t->at++;
    }
}

enum err
toml_read_string(struct toml *t, bool may_span, struct buf *out, struct fault *f)
{
    char quote = toml_peek(t);
    const char three[] = {quote, quote, quote, '\0'};
    bool lines = may_span && toml_sees(t, three);

    t->at += lines ? 3 : 1;
    if (lines) {
        skip_break(t);
    }
    for (;;) {
        unsigned char c = (unsigned char)toml_peek(t);

        if (t->at >= t->text.len || (!lines && c == '\n')) {
            return toml_wrong(t, f, "the string does not end");
        }
        if (lines ? toml_sees(t, three) : c == (unsigned char)quote) {
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
            return toml_wrong(t, f, "a control character has to be escaped");
        } else {
            buf_addc(out, (char)c);
        }
    }
}

bool
toml_is_bare(char c)
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

    if (toml_peek(t) == '"' || toml_peek(t) == '\'') {
        err = toml_read_string(t, false, &text, f);
    } else {
        while (toml_is_bare(toml_peek(t))) {
            buf_addc(&text, t->text.data[t->at++]);
        }
        if (!text.len) {
            err = toml_wrong(t, f, "here a key is to be");
        }
    }
    if (!err && text.len && memchr(text.data, '\0', text.len)) {
        err = toml_wrong(t, f, "a key with a NUL in it is not understood here");
    }
    *key = err ? NULL : text.len ? buf_steal(&text) : xstrdup("");
    buf_fini(&text);
    return err;
}

enum err
toml_read_keys(struct toml *t, char **keys, size_t *count, struct fault *f)
{
    enum err err;

    do {
        if (*count == TOML_KEYS_MAX) {
            return toml_wrong(t, f, "a key of so many parts is not understood here");
        }
        toml_skip_spaces(t);
        err = read_key(t, &keys[*count], f);
        *count += !err;
        toml_skip_spaces(t);
    } while (!err && toml_peek(t) == '.' && t->at++ < t->text.len);
    return err;
}

void
toml_free_keys(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(keys[i]);
    }
}
