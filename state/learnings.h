/* learnings.h -- lessons that outlive the server: one file of JSON lines for each who learns.
 *
 * A lesson is in memory, and told to whoever asks, the moment it is added; a thread of its own
 * writes it behind everybody's back, at the latest when the server ends.  So kill -9 may cost the
 * lessons of the last moment, and a machine without power those of the last writes; a file is never
 * half a line nobody can read.  Each has LEARNINGS_BYTES at most: the oldest make room, and the
 * file is then written anew and put in the place of the old one, whole.
 *
 * The files are "learnings/TARGET.jsonl" in the data folder, "learnings/TENANT/TARGET.jsonl" for
 * all tenants but the default one.  Each tenant has as many as any other, whatever the others do;
 * when there are too many lessons in memory the tenant that has most gives up some that are in
 * files.  Any thread, holding no lock; takes FAILURES, under which
 * nothing is read or written. */
#ifndef TANDEM_LEARNINGS_H
#define TANDEM_LEARNINGS_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>

#define LEARNINGS_BYTES 81920u                /* Of a file. */
#define LEARNINGS_LINE_MAX 8192u              /* Of a lesson. */
#define LEARNINGS_TARGETS_MAX 64u             /* Files of a tenant. */
#define LEARNINGS_TENANTS_MAX 256u            /* Whose files are known at a time. */
#define LEARNINGS_MEMORY (8u * 1024u * 1024u) /* Of the lessons of all that are in memory. */
#define LEARNINGS_TARGET_SIZE 65u             /* Bytes of a name, with NUL. */

struct learnings;

/* True for what can be the name of who learns, and so of a file: a letter or digit, then letters,
 * digits, '-' and '_'. */
bool learnings_target_valid(const char *target);

/* New.  A reference to 'data' is taken; 'clock' is borrowed.  'home' is the tenant whose files are
 * right in the folder, copied.  It writes by learnings_write() until it is started. */
struct learnings *learnings_create(struct dir *data, const struct clock *clock, const char *home);
/* From here on a thread of its own writes.  At most once; others may use it meanwhile.  E_IO
 * without a thread. */
enum err learnings_start(struct learnings *l, struct fault *f);
/* Writes what is not written, ends the thread, frees.  Null is ignored. */
void learnings_destroy(struct learnings *l);

/* Adds a lesson, a JSON object, borrowed.  E_ARGUMENT: 'target' is no name; E_TOO_LARGE; E_LIMIT:
 * the tenant has too many targets; E_IO: its folder cannot be read. */
enum err learnings_add(struct learnings *l, const char *tenant, const char *target,
                       const json_t *lesson, struct fault *f);
/* The newest lessons of 'target', newest first, at most 'limit', as a new array; those of earlier
 * runs too.  E_ARGUMENT; E_IO: its file cannot be read; E_LIMIT: of too many tenants lessons wait
 * to be written. */
enum err learnings_get(struct learnings *l, const char *tenant, const char *target, size_t limit,
                       json_t **lessons, struct fault *f);
/* The names of those of 'tenant' who are known to have lessons, a new array: all, once anybody has
 * asked for some of that tenant. */
json_t *learnings_targets(struct learnings *l, const char *tenant);
/* Writes what is not written.  E_IO: some of it could not be; it is tried again with the next
 * lesson, whoever's. */
enum err learnings_write(struct learnings *l, struct fault *f);

struct learnings_counters {
    uint64_t added, dropped;    /* Lessons; the latter made room for others. */
    uint64_t written, rewrites; /* Lessons that are in a file; files that were written anew. */
    uint64_t failures;          /* Writes. */
    uint64_t unloaded;          /* Times that somebody's lessons were taken out of memory. */
    size_t targets, bytes;      /* Known, and of their lessons in memory, now. */
};
/* What is counted, as it is now. */
struct learnings_counters learnings_counters(struct learnings *l);

#endif
