/* workflow_expr_lex.c -- the tokens of the expression language.  See workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <errno.h>
#include <math.h>

static unsigned
column_of(const struct lexer *l, size_t at)
{
    return (unsigned)rune_count(
               (struct slice){l->source.data + l->line_start, at - l->line_start}) +
           1;
}

static enum err
refuse(struct lexer *l, size_t at, const char *what)
{
    return fault_at(l->fault, E_REFUSED, l->line, column_of(l, at), "%s", what);
}

static char
look(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->source.len ? l->source.data[l->at + ahead] : '\0';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name(char c)
{
    return c == '_' || is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void
skip_blanks(struct lexer *l)
{
    while (l->at < l->source.len) {
        char c = l->source.data[l->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return;
        }
        l->at++;
        if (c == '\n') {
            l->line++;
            l->line_start = l->at;
        }
    }
}

static enum err
lex_number(struct lexer *l, struct token *t)
{
    size_t start = l->at;
    bool real = false;
    char digits[64];

    while (is_digit(look(l, 0)) || look(l, 0) == '.') {
        real = real || look(l, 0) == '.';
        l->at++;
    }
    if (look(l, 0) == 'e' || look(l, 0) == 'E') {
        real = true;
        l->at += look(l, 1) == '-' || look(l, 1) == '+' ? 2 : 1;
        if (!is_digit(look(l, 0))) {
            return refuse(l, start, "a number that does not end");
        }
        while (is_digit(look(l, 0))) {
            l->at++;
        }
    }
    if (is_name(look(l, 0)) || l->at - start >= sizeof digits) {
        return refuse(l, start, "only decimal numbers are taken");
    }
    memcpy(digits, l->source.data + start, l->at - start);
    digits[l->at - start] = '\0';
    if (real) {
        char *end;
        t->kind = T_FLOAT;
        t->value = NUMBER(strtod(digits, &end));
        return *end || !isfinite(t->value.as.number) ? refuse(l, start, "not a number") : E_OK;
    }
    errno = 0;
    t->kind = T_INT;
    t->value = INTEGER(strtoll(digits, NULL, 10));
    if (errno == ERANGE) {
        return refuse(l, start, "an integer outside 64 bits");
    }
    return digits[0] == '0' && strspn(digits, "0") != strlen(digits)
               ? refuse(l, start, "an integer must not begin with 0")
               : E_OK;
}

/* Reads up to 'most' digits of 'base', at least 'least', from '*at' on. */
static bool
read_code(const struct lexer *l, size_t *at, unsigned base, unsigned least, unsigned most,
          uint32_t *code)
{
    unsigned n = 0;

    for (*code = 0; n < most && *at < l->source.len; n++, (*at)++) {
        char c = l->source.data[*at];
        unsigned digit = is_digit(c) ? (unsigned)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                             ? (unsigned)((c | 0x20) - 'a' + 10)
                             : 99;
        if (digit >= base) {
            break;
        }
        *code = *code * base + digit;
    }
    return n >= least && *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
}

/* Writes what the escape at the backslash 'at' stands for to '*out'; returns the place behind it,
 * or 0 if there is no such character. */
static size_t
read_escape(const struct lexer *l, size_t at, char **out)
{
    static const char names[] = "ntrabfv\\'\"", values[] = "\n\t\r\a\b\f\v\\'\"";
    char c = at + 1 < l->source.len ? l->source.data[at + 1] : '\0';
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t code = 0;
    bool good = true;

    if (name) {
        *(*out)++ = values[name - names];
        return at + 2;
    }
    if (c == '\n') {
        return at + 2;
    }
    at += 2;
    if (c >= '0' && c <= '7') {
        at--;
        good = read_code(l, &at, 8, 1, 3, &code);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        good = read_code(l, &at, 16, digits, digits, &code);
    } else {
        /* As in Python, an escape that stands for nothing stays as it is. */
        *(*out)++ = '\\';
        return c == 'N' ? 0 : at - 1;
    }
    *out += rune_encode(code, *out);
    return good ? at : 0;
}

static enum err
lex_string(struct lexer *l, struct token *t, bool raw)
{
    size_t start = l->at, at;
    char quote = look(l, 0), *text, *out;

    if (look(l, 1) == quote && look(l, 2) == quote) {
        return refuse(l, start, "texts in three quotes are not taken");
    }
    /* An escape is never shorter than what it stands for. */
    out = text = arena_take(l->arena, l->source.len - start + 4, 1);
    if (!text) {
        return fault_set(l->fault, E_OVERLOAD, "no memory for an expression");
    }
    for (at = start + 1; at < l->source.len && l->source.data[at] != quote;) {
        char c = l->source.data[at];
        if (c == '\n') {
            break;
        }
        if (c == '\\' && at + 1 < l->source.len) {
            if (raw) {
                *out++ = c;
                *out++ = l->source.data[at + 1];
                at += 2;
            } else if (!(at = read_escape(l, at, &out))) {
                return refuse(l, start, "a text with an escape that is no character");
            }
        } else {
            *out++ = c;
            at++;
        }
    }
    if (at >= l->source.len || l->source.data[at] != quote) {
        return refuse(l, start, "a text without its closing quote");
    }
    l->at = at + 1;
    t->kind = T_STRING;
    t->value = TEXT(((struct slice){text, (size_t)(out - text)}));
    return E_OK;
}

static enum err
lex_sign(struct lexer *l, struct token *t)
{
    static const char *const signs[] = {"**", "//", "<=", ">=", "==", "!=", ":=", "->", "<<",
                                        ">>", "+",  "-",  "*",  "/",  "%",  "<",  ">",  "(",
                                        ")",  "[",  "]",  "{",  "}",  ",",  ":",  ".",  NULL};
    static const char *const not_taken[] = {"**", ":=", "->", "<<", ">>", NULL};

    for (size_t i = 0; signs[i]; i++) {
        size_t len = strlen(signs[i]);
        if (l->source.len - l->at < len || memcmp(l->source.data + l->at, signs[i], len) != 0) {
            continue;
        }
        for (size_t k = 0; not_taken[k]; k++) {
            if (strcmp(not_taken[k], signs[i]) == 0) {
                return fault_at(l->fault, E_REFUSED, l->line, column_of(l, l->at),
                                "'%s' is not part of this language", signs[i]);
            }
        }
        t->kind = T_SIGN;
        l->at += len;
        return E_OK;
    }
    return refuse(l, l->at, "a character that is not part of this language");
}

enum err
expr_lex(struct lexer *l, struct token *t)
{
    size_t start;
    char c;
    enum err err;

    skip_blanks(l);
    start = l->at;
    c = look(l, 0);
    *t = (struct token){.kind = T_END, .line = l->line, .column = column_of(l, start)};
    if (start == l->source.len) {
        return E_OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(look(l, 1)))) {
        err = lex_number(l, t);
    } else if (c == '\'' || c == '"') {
        err = lex_string(l, t, false);
    } else if ((c == 'r' || c == 'R') && (look(l, 1) == '\'' || look(l, 1) == '"')) {
        l->at++;
        err = lex_string(l, t, true);
    } else if (is_name(c)) {
        while (is_name(look(l, 0))) {
            l->at++;
        }
        t->kind = T_NAME;
        err = look(l, 0) == '\'' || look(l, 0) == '"'
                  ? refuse(l, start, "a text may have no prefix but r")
                  : E_OK;
    } else {
        err = lex_sign(l, t);
    }
    t->text = (struct slice){l->source.data + start, l->at - start};
    return err;
}
