/* problems.h -- a list of what is wrong with a file: every problem, with its place.
 *
 * Parsers of packs, gates, task lists and settings add to one; "tandem check" prints it, and a
 * running server turns it into warnings.  Not shared between threads. */
#ifndef TANDEM_PROBLEMS_H
#define TANDEM_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

/* A hostile file may hold any number of mistakes: after this many the rest is only counted. */
#define PROBLEMS_MAX 200

enum problem_severity { PROBLEM_WARNING, PROBLEM_ERROR };

struct problem {
    enum problem_severity severity;
    char *file;            /* Relative to what is checked; owned. */
    unsigned line, column; /* From 1; 0 when unknown. */
    char *text;            /* Owned. */
};

struct problems {
    struct problem *items; /* Owned. */
    size_t count;
    size_t left_out; /* Found, but not kept: the list was full. */
    size_t errors;   /* Of severity PROBLEM_ERROR, kept or not. */
};
/* clang-format off */
#define PROBLEMS_INIT {.items = NULL}
/* clang-format on */

/* Frees what it holds. */
void problems_fini(struct problems *p);
/* Adds one; 'p' may be null, then nothing happens.  'file' is copied, and may be null. */
void problems_add(struct problems *p, enum problem_severity severity, const char *file,
                  unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
