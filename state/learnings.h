/* learnings.h -- lessons that outlive the server: one file of JSON lines for each who learns.
 *
 * A lesson is in memory, and told to whoever asks, the moment it is added; a thread of its own
 * writes it behind everybody's back, at the latest when the server ends.  So kill -9 may cost the
 * lessons of the last moment, and a machine without power those of the last writes; a file is never
 * half a line nobody can read.  Each has LEARNINGS_BYTES at most: the oldest make room, and the
 * file is then written anew and put in the place of the old one, whole.
 *
 * The files are "learnings/TARGET.jsonl" in the data folder, "learnings/TENANT/TARGET.jsonl" for
 * all tenants but the default one.  Any thread, holding no lock; takes FAILURES, under which
 * nothing is read or written. */
#ifndef TANDEM_LEARNINGS_H
#define TANDEM_LEARNINGS_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>

#define LEARNINGS_BYTES 81920u     /* Of a file. */
#define LEARNINGS_LINE_MAX 8192u   /* Of a lesson. */
#define LEARNINGS_TARGETS_MAX 256u /* Files that are known at a time. */
#define LEARNINGS_TARGET_SIZE 65u  /* Bytes of a name, with NUL. */

struct learnings;

/* True for what can be the name of who learns, and so of a file: a letter or digit, then letters,
 * digits, '-' and '_'. */
bool learnings_target_valid(const char *target);

/* New.  A reference to 'data' is taken; 'clock' is borrowed.  'home' is the tenant whose files are
 * right in the folder, copied.  With 'thread' it writes by itself, else by learnings_write().
 * E_IO without a thread. */
enum err learnings_create(struct dir *data, const struct clock *clock, const char *home,
                          bool thread, struct learnings **learnings, struct fault *f);
/* Writes what is not written, ends the thread, frees.  Null is ignored. */
void learnings_destroy(struct learnings *l);

/* Adds a lesson, a JSON object, borrowed.  E_ARGUMENT: 'target' is no name; E_TOO_LARGE; E_LIMIT:
 * too many targets. */
enum err learnings_add(struct learnings *l, const char *tenant, const char *target,
                       const json_t *lesson, struct fault *f);
/* The newest lessons of 'target', newest first, at most 'limit', as a new array; those of earlier
 * runs too.  E_ARGUMENT; E_IO: its file cannot be read; E_LIMIT. */
enum err learnings_get(struct learnings *l, const char *tenant, const char *target, size_t limit,
                       json_t **lessons, struct fault *f);
/* The names of those of 'tenant' who have been given or asked for lessons since the start, a new
 * array. */
json_t *learnings_targets(struct learnings *l, const char *tenant);
/* Writes what is not written.  E_IO: some of it could not be; it is tried again with the next. */
enum err learnings_write(struct learnings *l, struct fault *f);

struct learnings_counters {
    uint64_t added, dropped, written, rewrites, failures;
    size_t targets;
};
struct learnings_counters learnings_counters(struct learnings *l);

#endif
