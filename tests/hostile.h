/* hostile.h -- reads the hostile inputs below tests/fixtures/hostile, for the tests that use
 * them. */
#ifndef TANDEM_TESTS_HOSTILE_H
#define TANDEM_TESTS_HOSTILE_H

#include <jansson.h>

#include "state/base/mem.h"

struct hostile_case {
    const char *id;     /* The case's name, or the file's.  Borrowed for the call. */
    struct slice bytes; /* In memory of exactly this size, so that reads past it are seen. */
    const json_t *row;  /* The line it comes from; null for a file. */
};
typedef void hostile_fn(const struct hostile_case *c, void *arg);

/* Calls 'fn' for every line of a JSON-lines file of the set, "own/x.jsonl".  Returns how many. */
size_t hostile_lines(const char *path, hostile_fn *fn, void *arg);
/* Calls 'fn' for every file of a folder of the set, by name.  Returns how many. */
size_t hostile_files(const char *folder, hostile_fn *fn, void *arg);
/* The bytes of one file of the set, new. */
struct buf hostile_read(const char *path);
/* True if the array 'key' of the row holds 'text', or is it. */
bool hostile_allows(const struct hostile_case *c, const char *key, const char *text);

#endif
