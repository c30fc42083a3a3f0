/* corpus.h -- what a fuzz target asks of any bytes, asked of its corpus and of hostile inputs.
 *
 * A test program includes its target's file, and tells corpus_run() the rest. */
#ifndef TANDEM_TESTS_CORPUS_H
#define TANDEM_TESTS_CORPUS_H

#include "tests/hostile.h"

enum corpus_kind { CORPUS_END, CORPUS_LINES, CORPUS_FILES, CORPUS_STRINGS };

/* One set of the hostile inputs. */
struct corpus_set {
    enum corpus_kind kind;
    const char *path;   /* As hostile_lines() and hostile_files() take it; null for strings. */
    size_t least;       /* So many cases it has at least. */
    hostile_fn *replay; /* How one is given to the target; null: as it is. */
};

struct corpus {
    const char *name;              /* The folder in tests/fuzz/corpus; */
    size_t least;                  /* so many files are in it at least. */
    hostile_target *one;           /* The target. */
    int (*end)(void **);           /* Frees what the target has made; may be null. */
    const struct corpus_set *sets; /* Ended by CORPUS_END. */
};

/* Runs the tests and returns what main() does. */
int corpus_run(const struct corpus *corpus);

#endif
