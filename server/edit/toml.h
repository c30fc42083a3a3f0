/* toml.h -- reads TOML 1.0, statement by statement, telling where each one lies.
 *
 * What it does not do: build the whole document.  Whoever reads decides by its headers what of it
 * is wanted.  Dates and times become strings.  No bytes are copied but values; any thread. */
#ifndef TANDEM_TOML_H
#define TANDEM_TOML_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

#define TOML_DEPTH_MAX 64u /* Of arrays and inline tables in each other. */
#define TOML_KEYS_MAX 16u  /* Parts of a dotted key. */

struct toml {
    struct slice text; /* Borrowed. */
    size_t at;         /* Where the next statement is looked for. */
};

enum toml_kind { TOML_END, TOML_TABLE, TOML_ARRAY_TABLE, TOML_VALUE };

struct toml_statement {
    enum toml_kind kind;
    size_t start, end;         /* Offsets: of its first byte, and behind its last. */
    char *keys[TOML_KEYS_MAX]; /* Owned: of the header, or of the value. */
    size_t key_count;
    json_t *value; /* Owned; of TOML_VALUE. */
};

/* Begins at the start of 'text', after a byte-order mark. */
void toml_begin(struct toml *t, struct slice text);
/* Reads the next statement into 's', for toml_statement_fini() on success.  E_PARSE with line and
 * column. */
enum err toml_next(struct toml *t, struct toml_statement *s, struct fault *f);
void toml_statement_fini(struct toml_statement *s);

#endif
