/* schema_private.h -- what the files of the schema module share.  For schema*.c only. */
#ifndef TANDEM_SCHEMA_PRIVATE_H
#define TANDEM_SCHEMA_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "handlers/schema.h"
#include "state/base/mem.h"
#include "state/regex.h"

/* jansson's walks over objects ask for a pointer that is not const, and change nothing. */
static inline json_t *
walkable(const json_t *object)
{
    return (json_t *)(uintptr_t)object;
}

/* Where in the value a check stands: a chain of names and indexes on the stack, innermost first. */
struct place {
    const struct place *up;
    const char *name; /* Null for an element, then 'index' tells which. */
    size_t index;
};

/* Writes the place as a path, "arguments.filters[2].name", always ended by NUL, cut if need be. */
void place_text(const struct place *at, char *out, size_t size);
/* A few words for a value: 5, "text", an array of 3.  Always ended by NUL. */
void value_text(const json_t *value, char *out, size_t size);
/* The words for a "type" keyword: "a string", "an integer or null". */
void type_text(const json_t *type, char *out, size_t size);
/* The names of an object's members, or the values of an array: "a, b, c"; cut with "..." if need
 * be. */
void list_text(const json_t *list, char *out, size_t size);
/* A name cut to 60 bytes or less, for an error. */
struct short_name {
    char text[64];
};
struct short_name short_name(const char *name);
/* Ends a text that may have been cut inside of a character before that character. */
void mend_end(char *text);
/* The one of the object's names, or of the array's strings, that 'name' was probably meant to be;
 * or null.  Borrowed from 'list'. */
const char *likely_name(const json_t *list, const char *name);

/* Whether 'value' is of the type that a "type" keyword's word names. */
bool type_fits(const char *type, const json_t *value);
/* Whether the two are the same value: 1 is 1.0.  Takes its steps off '*work', and gives up, false,
 * when there are none left. */
bool schema_values_equal(const json_t *a, const json_t *b, size_t *work);

/* The schema that 'ref' leads to inside 'root', or null.  Borrowed from 'root'. */
const json_t *schema_resolve(const json_t *root, const char *ref);

enum keyword {
#define ROW(NAME, TEXT, RULE) KEYWORD_##NAME,
    SCHEMA_KEYWORDS(ROW)
#undef ROW
        KEYWORD_COUNT
};

/* Finds a keyword, or KEYWORD_COUNT. */
enum keyword schema_find_keyword(struct slice name);

/* One call of schema_validate(). */
struct check {
    const json_t *root;
    struct fault *fault; /* Null while alternatives are tried. */
    size_t work;         /* Steps left. */
    unsigned depth;
};

/* One schema against one value. */
struct node {
    const json_t *schema;
    const json_t *keyword[KEYWORD_COUNT]; /* Those that are there. */
    json_t *value;
    const struct place *at;
};

/* Checks one keyword, whose value in the schema is 'rule'. */
typedef enum err schema_rule_fn(struct check *c, const struct node *n, const json_t *rule);
#define ROW(NAME, TEXT, RULE) schema_rule_fn schema_rule_##RULE;
SCHEMA_KEYWORDS(ROW)
#undef ROW

/* Checks a value against a schema: an object, true, or false. */
enum err schema_check_value(struct check *c, const json_t *schema, json_t *value,
                            const struct place *at);
/* Checks a count of 'what' against a rule that is the least or the most. */
enum err schema_count(struct check *c, const struct node *n, const json_t *rule, size_t count,
                      bool least, const char *what);
/* Compiles a "pattern" keyword's text, new.  Errors as of regex_compile(). */
enum err schema_pattern(struct slice pattern, struct regex **regex, struct fault *f);
/* Says that the value does not fit.  Returns E_ARGUMENT. */
enum err schema_unfit(const struct check *c, const struct place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for "expected this, got that". */
enum err schema_expected(const struct check *c, const struct node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says that a bound was reached.  Returns E_TOO_LARGE. */
enum err schema_out_of_bounds(const struct check *c, const struct place *at, const char *what);

#endif
