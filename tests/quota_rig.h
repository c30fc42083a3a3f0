/* quota_rig.h -- a tracker of quotas with all around it: time, settings, a bus, a store. */
#ifndef TANDEM_TESTS_QUOTA_RIG_H
#define TANDEM_TESTS_QUOTA_RIG_H

#include "state/quota.h"
#include "state/settings.h"
#include "tests/fake_quota_store.h"
#include "tests/fakes.h"
#include "tests/tree.h"

struct quota_rig {
    struct fake_clock clock;
    struct settings *settings;
    struct bus *bus;
    struct tree *tree;             /* The data folder of the journal. */
    struct fake_database database; /* Of the shared store. */
    bool shared;
    struct quota *quota;
};

/* Services of the rig, if none are given. */
#define RIG_SERVICES "tiingo=500/month,finnhub=60/minute,sendgrid=100/day@0.5,hourly=10/hour"

/* A tracker without a thread; 'services' as in the settings, or null.  Its store is a journal in a
 * temporary folder, or with 'shared' a fake database. */
void quota_rig_init(struct quota_rig *rig, const char *services, bool shared);
void quota_rig_fini(struct quota_rig *rig);
/* Ends the tracker, and makes another on the same store. */
void quota_rig_restart(struct quota_rig *rig);
/* The same, but the first one is left as a crash would leave it: nothing is synced.  It is ended
 * after the other has read its files. */
void quota_rig_crash(struct quota_rig *rig);
/* A second tracker on the same fake database. */
struct quota *quota_rig_second(struct quota_rig *rig);
/* Makes other settings the tracker's: 'key' is 'value'. */
void quota_rig_set(struct quota_rig *rig, const char *key, const char *value);

/* The operations, for one of the server's services; aborts on errors but E_OVER_QUOTA. */
uint64_t rig_used(struct quota_rig *rig, const char *service);
enum err rig_acquire(struct quota_rig *rig, const char *service, uint64_t n, bool high);
void rig_record(struct quota_rig *rig, const char *service, uint64_t n);
struct quota_view rig_check(struct quota_rig *rig, const char *service, bool high);
/* How many events of a topic were published. */
unsigned rig_told(struct quota_rig *rig, const char *topic);

#endif
