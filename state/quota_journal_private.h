/* quota_journal_private.h -- what the two halves of the journal share: counting, and starting. */
#ifndef TANDEM_QUOTA_JOURNAL_PRIVATE_H
#define TANDEM_QUOTA_JOURNAL_PRIVATE_H

#include "state/base/lock.h"
#include "state/quota_journal.h"
#include "state/quota_rows.h"

#include <stdatomic.h>

#define JOURNAL_NAME_SIZE 32
#define SNAPSHOT_NAME "snapshot"

/* One journal file that is, or was a moment ago, added to. */
struct journal_file {
    _Atomic int fd;        /* -1: not there yet. */
    _Atomic unsigned busy; /* Who is adding to it. */
    _Atomic bool dirty;    /* Written to since it was flushed. */
    _Atomic bool fresh;    /* Its name in the folder is not flushed. */
};

struct quota_journal {
    struct quota_store store;     /* First. */
    struct dir *data;             /* Counted. */
    _Atomic(struct dir *) dir;    /* Counted; null until there is something to write. */
    _Atomic uint64_t generation;  /* Of the journal that is added to. */
    struct journal_file files[2]; /* By its last bit. */
    struct lock lock;             /* RANK_QUOTA_STORE. */
    struct cond idle;             /* A file is no longer busy. */
    struct quota_rows *rows;      /* LC_QUOTA_STORE. */
    uint64_t oldest;              /* Generation of the oldest journal on disk.  sync() alone, */
    bool stale; /* as this: the snapshot lacks what a failed flush may have lost. */
};

void journal_name(uint64_t generation, char name[JOURNAL_NAME_SIZE]);
/* Reads snapshot and journals into the rows, and sets 'generation' and 'oldest'. */
enum err journal_replay(struct quota_journal *j, struct dir *dir, int64_t wall_ns, struct fault *f);
/* Writes 'count' rows as the snapshot that covers all generations before 'generation'. */
enum err journal_write_snapshot(struct dir *dir, uint64_t generation, const struct quota_row *rows,
                                size_t count, struct fault *f);

#endif
