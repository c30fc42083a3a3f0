/* fake_quota_store.h -- a store of quotas that others share, in memory, which fails when told to.
 *
 * It is one that keeps to its contract: adds are atomic, one that is tried again with its id is not
 * made twice, and it refuses what is over an add's bound.  Any thread. */
#ifndef TANDEM_TESTS_FAKE_QUOTA_STORE_H
#define TANDEM_TESTS_FAKE_QUOTA_STORE_H

#include "state/quota_store.h"

#include <pthread.h>
#include <stdatomic.h>

#define FAKE_IDS_MAX 65536u

struct quota_rows;

/* What all the processes see. */
struct fake_database {
    pthread_mutex_t mutex;
    struct quota_rows *rows;
    uint64_t ids[FAKE_IDS_MAX];          /* Of the adds that were made, in a table by id. */
    _Atomic unsigned adds, loads, syncs; /* Asked for. */
    _Atomic unsigned failing;            /* So many adds more fail, and are not made; */
    _Atomic unsigned deaf;               /* so many are made, and fail; */
    _Atomic unsigned blind;              /* so many loads fail. */
    _Atomic bool sync_fails;
};

void fake_database_init(struct fake_database *d);
void fake_database_fini(struct fake_database *d);
/* What one process opens; closed by its tracker. */
struct quota_store *fake_store_open(struct fake_database *d);
/* Units used of a service of the server, in the window of 'wall_ns'. */
uint64_t fake_database_used(struct fake_database *d, const char *key, enum quota_period period,
                            int64_t wall_ns);

#endif
