/* toml_private.h -- what the files of the reader of TOML share.
 *
 *   toml.c        statements: headers and assignments
 *   toml_text.c   strings and keys
 *   toml_value.c  values
 *
 * Each reads at 't->at' and leaves it behind what it has read.  Errors are E_PARSE with line and
 * column. */
#ifndef TANDEM_TOML_PRIVATE_H
#define TANDEM_TOML_PRIVATE_H

#include "server/edit/toml.h"

/* The next byte; NUL at the end. */
static inline char
toml_peek(const struct toml *t)
{
    return t->at < t->text.len ? t->text.data[t->at] : '\0';
}

/* Whether 'what' is next. */
static inline bool
toml_sees(const struct toml *t, const char *what)
{
    size_t len = strlen(what);

    return t->text.len - t->at >= len && memcmp(t->text.data + t->at, what, len) == 0;
}

static inline void
toml_skip_spaces(struct toml *t)
{
    while (toml_peek(t) == ' ' || toml_peek(t) == '\t') {
        t->at++;
    }
}

/* Letters, digits, _ and -, which need no quotes in a key. */
bool toml_is_bare(char c);
/* White space, comments and ends of lines. */
void toml_skip_lines(struct toml *t);
/* E_PARSE: 'what', here. */
enum err toml_wrong(const struct toml *t, struct fault *f, const char *what);

/* Adds a string of any kind, its quote being next, to 'out'; one of many lines only if it
 * 'may_span'. */
enum err toml_read_string(struct toml *t, bool may_span, struct buf *out, struct fault *f);
/* Adds the parts of a . "b" . c to the TOML_KEYS_MAX 'keys', for toml_free_keys(), on failure too.
 */
enum err toml_read_keys(struct toml *t, char **keys, size_t *count, struct fault *f);
void toml_free_keys(char **keys, size_t count);
/* Reads a value, new, in '*value'; null on failure.  It lies in 'depth' others. */
enum err toml_read_value(struct toml *t, size_t depth, json_t **value, struct fault *f);

#endif
