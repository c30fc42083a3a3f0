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
/* What libFuzzer calls. */
typedef int hostile_target(const uint8_t *data, size_t size);

/* Calls 'fn' for every line of a JSON-lines file of the set, "own/x.jsonl".  Returns how many. */
size_t hostile_lines(const char *path, hostile_fn *fn, void *arg);
/* Calls 'fn' for every file of a folder of the set, by name.  Returns how many. */
size_t hostile_files(const char *folder, hostile_fn *fn, void *arg);
/* Calls 'fn' for every test of utf8/utf8tests.txt; its row says "valid".  Returns how many. */
size_t hostile_utf8(hostile_fn *fn, void *arg);
/* Calls 'fn' for every naughty string.  Returns how many. */
size_t hostile_strings(hostile_fn *fn, void *arg);
/* Calls 'fn' for every path that leads, or tries to lead, to the file 'target' ("etc/passwd").
 * Returns how many. */
size_t hostile_traversals(const char *target, hostile_fn *fn, void *arg);
/* Gives every file of tests/fuzz/corpus/'target' to its fuzz target's 'one'.  Returns how many. */
size_t hostile_corpus(const char *target, hostile_target *one);
/* A hostile_fn that gives a case to the fuzz target that 'arg' points to. */
void hostile_replay(const struct hostile_case *c, void *arg);
/* The bytes of one file of the set, new. */
struct buf hostile_read(const char *path);
/* True if the array 'key' of the row holds 'text', or is it. */
bool hostile_allows(const struct hostile_case *c, const char *key, const char *text);

#endif
