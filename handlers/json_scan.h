/* json_scan.h -- JSON text read where it lies: one strict, bounded pass, no tree, no allocation.
 *
 * A scan walks over borrowed bytes and hands out slices of them.  It takes exactly what RFC 8259
 * allows, in strict UTF-8, with three further rules: no byte order mark, no lone surrogate written
 * as \u escape, and no \u0000 in a member's name (a reader of C strings would take "method\u0000"
 * for "method").  How deep and how many values are limits of the caller's.  What the values mean is
 * left to others: rpc.c knows messages, jansson builds trees of what a scan has let pass.
 *
 * Everything here is pure: no lock, no global, any thread. */
#ifndef TANDEM_JSON_SCAN_H
#define TANDEM_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/base/err.h"
#include "state/base/mem.h"

#define JSON_DEPTH_DEFAULT 64     /* Objects and arrays inside each other. */
#define JSON_DEPTH_TOP 512        /* No limit may be set higher. */
#define JSON_VALUES_DEFAULT 50000 /* Values of every kind in one text, names not counted. */
#define JSON_VALUES_TOP 500000

struct json_limits {
    unsigned depth;  /* 1..JSON_DEPTH_TOP. */
    unsigned values; /* 1..JSON_VALUES_TOP. */
};
#define JSON_LIMITS_INIT                        \
    {                                           \
        JSON_DEPTH_DEFAULT, JSON_VALUES_DEFAULT \
    }

enum json_kind {
    KIND_NONE, /* Not there.  Zeroed memory says so. */
    KIND_OBJECT,
    KIND_ARRAY,
    KIND_STRING,
    KIND_INTEGER, /* No fraction, no exponent; of any size. */
    KIND_REAL,
    KIND_TRUE,
    KIND_FALSE,
    KIND_NULL
};

/* One value: its bytes as they were written (a string with its quotes), and what it is. */
struct json_value {
    struct slice raw; /* Borrowed from the text. */
    enum json_kind kind;
};

/* clang-format off */
/* What can be wrong with a text.  A HARD flaw ends the scan.  A SOFT one is remembered and the scan
 * goes on, so that the id of a message refused for it can still be read and echoed. */
#define JSON_FLAWS(ROW)                                                                        \
    ROW(CUT,       HARD, E_PARSE, "the text ends in the middle of a value")                    \
    ROW(MARK,      HARD, E_PARSE, "a byte order mark is not allowed")                          \
    ROW(VALUE,     HARD, E_PARSE, "a value was expected")                                      \
    ROW(NUMBER,    HARD, E_PARSE, "a number is not written as JSON writes it")                 \
    ROW(NAME,      HARD, E_PARSE, "a member's name in double quotes was expected")             \
    ROW(COLON,     HARD, E_PARSE, "':' was expected")                                          \
    ROW(IN_OBJECT, HARD, E_PARSE, "',' or '}' was expected")                                   \
    ROW(IN_ARRAY,  HARD, E_PARSE, "',' or ']' was expected")                                   \
    ROW(CONTROL,   HARD, E_PARSE, "a control character in a string must be escaped")           \
    ROW(ESCAPE,    HARD, E_PARSE, "a backslash in a string begins no known escape")            \
    ROW(SURROGATE, HARD, E_PARSE, "an escaped surrogate has no partner")                       \
    ROW(UTF8,      HARD, E_PARSE, "the bytes are not UTF-8")                                   \
    ROW(REST,      HARD, E_PARSE, "there is more text after the end of the value")             \
    ROW(ABYSS,     HARD, E_PARSE, "objects and arrays lie too deep inside each other")         \
    ROW(DEPTH,     SOFT, E_PARSE, "objects and arrays lie too deep inside each other")         \
    ROW(VALUES,    SOFT, E_MESSAGE_LARGE, "there are too many values")                         \
    ROW(NUL_NAME,  SOFT, E_INVALID_REQUEST, "a member's name must not hold \\u0000")
/* clang-format on */

enum json_flaw {
    FLAW_NONE,
#define ROW(NAME, GRADE, ERR, TEXT) FLAW_##NAME,
    JSON_FLAWS(ROW)
#undef ROW
        FLAW_COUNT
};

/* A string's contents, without the quotes, as written. */
struct json_text {
    struct slice raw; /* Borrowed from the text. */
    bool escaped;     /* There is a backslash in it. */
    bool nul;         /* One of the escapes is \u0000. */
};

/* A walk over one text.  Members are the scanner's own; a caller reads 'flaw' and 'values'. */
struct json_scan {
    const unsigned char *start, *p, *end;
    const unsigned char *flaw_at;
    enum json_flaw flaw; /* The hard flaw, else the first soft one, else none. */
    unsigned depth;      /* Containers open around 'p'. */
    unsigned depth_limit;
    size_t values; /* Values begun so far. */
    size_t values_limit;
};

/* Begins at the start of 'text', which is borrowed until the last use of 's' and of what it hands
 * out.  'limits' may be null for the defaults; a limit out of its range is moved into it. */
void json_scan_init(struct json_scan *s, struct slice text, const struct json_limits *limits);

/* Steps over blanks and returns the byte there, or 0 at the end of the text (a NUL byte is never
 * right where this is asked). */
unsigned char json_scan_peek(struct json_scan *s);

/* Reads one whole value, whatever is inside it, and stores where it lies.  False on a hard flaw. */
bool json_scan_value(struct json_scan *s, struct json_value *value);

/* Reads one string, which is not counted as a value.  False on a hard flaw. */
bool json_scan_string(struct json_scan *s, struct json_text *text);

/* Steps into the object or array that begins here.  False on a hard flaw.  Then json_scan_member()
 * or json_scan_element() is called until it says that there is no more. */
bool json_scan_enter(struct json_scan *s);

enum json_step {
    STEP_VALUE, /* The scan stands before a value, which the caller must read. */
    STEP_END,   /* The object or array is over and has been left. */
    STEP_BROKEN /* A hard flaw. */
};
/* Reads the next member's name and colon; 'first' is true for the first call in an object. */
enum json_step json_scan_member(struct json_scan *s, struct json_text *name, bool first);
/* Steps to the next element; 'first' is true for the first call in an array. */
enum json_step json_scan_element(struct json_scan *s, bool first);

/* True if nothing but blanks is left; else a hard flaw is set. */
bool json_scan_end(struct json_scan *s);

/* "',' or '}' was expected"; borrowed for ever. */
const char *json_scan_flaw_text(enum json_flaw flaw);

/* The flaw as error and text, with its place, byte counted from 0; E_OK if there is none. */
enum err json_scan_fault(const struct json_scan *s, struct fault *f);

/* Reads the escape whose backslash is at 'p' and stores its character.  Returns what follows it; or
 * null, storing the flaw. */
const unsigned char *json_scan_escape(const unsigned char *p, const unsigned char *end,
                                      uint32_t *character, enum json_flaw *flaw);

#endif
