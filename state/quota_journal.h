/* quota_journal.h -- the built-in store of quotas: a journal and a snapshot in one folder.
 *
 * An add is one record, written to the end of the journal by one write(2) before it is
 * acknowledged.
 *
 *   kill -9   loses no acknowledged unit: what was written is the kernel's.
 *   power     loses what was acknowledged after the last flush, at most what is added in
 *             quota.flush_ms (and what the disk itself lies about).
 *
 * A sync begins a new journal, writes all counters as they were before it to a new snapshot, whole
 * and flushed, and removes the journals that this one covers.  Starting is the snapshot and what
 * the journals after it hold.  A record that a crash has torn was never acknowledged: it is skipped
 * and told.
 *
 *   snapshot       counters up to, and without, the generation that stands in its head
 *   journal-N      what was added in generation N
 *
 * The folder is one process' at a time: the project's lock sees to that.  Any thread; takes
 * QUOTA_STORE, under which nothing is written. */
#ifndef TANDEM_QUOTA_JOURNAL_H
#define TANDEM_QUOTA_JOURNAL_H

#include "state/base/file.h"
#include "state/quota_store.h"

/* Opens, or begins, the store in the folder "quota" of 'data' (a reference is taken), which is made
 * once there is something to write.  Its counters are those of 'wall_ns'.  E_IO if what is there
 * cannot be read; what is damaged is skipped, told in the log, and kept aside. */
enum err quota_journal_open(struct dir *data, int64_t wall_ns, struct quota_store **store,
                            struct fault *f);

#endif
