/* fake_quota_store.c -- counters in memory, behind a mutex. */
#include "tests/fake_quota_store.h"

#include "state/quota_rows.h"

#include <stdlib.h>
#include <string.h>

struct fake_store {
    struct quota_store store; /* First. */
    struct fake_database *database;
};

void
fake_database_init(struct fake_database *d)
{
    memset(d, 0, sizeof *d);
    pthread_mutex_init(&d->mutex, NULL);
    d->rows = quota_rows_create();
}

void
fake_database_fini(struct fake_database *d)
{
    quota_rows_destroy(d->rows);
    pthread_mutex_destroy(&d->mutex);
}

static struct fake_database *
database_of(struct quota_store *s)
{
    return ((struct fake_store *)s)->database;
}

/* Takes one from '*left'; false if there is none. */
static bool
take(_Atomic unsigned *left)
{
    unsigned n = atomic_load(left);

    while (n > 0 && !atomic_compare_exchange_weak(left, &n, n - 1)) {
    }
    return n > 0;
}

/* Notes the id; false if it was there. */
static bool
is_new(struct fake_database *d, uint64_t id)
{
    size_t at = id % FAKE_IDS_MAX;

    while (d->ids[at] && d->ids[at] != id) {
        at = (at + 1) % FAKE_IDS_MAX;
    }
    if (d->ids[at]) {
        return false;
    }
    d->ids[at] = id;
    return true;
}

static enum err
fake_add(struct quota_store *s, const struct quota_add *add, struct quota_total *total,
         struct fault *f)
{
    struct fake_database *d = database_of(s);
    enum err err = E_OK;

    atomic_fetch_add(&d->adds, 1);
    if (take(&d->failing)) {
        return fault_set(f, E_IO, "the fake store is told to fail");
    }
    pthread_mutex_lock(&d->mutex);
    quota_rows_load(d->rows, add->key, &add->window, add->day, total);
    if (add->more.used && add->bound != UINT64_MAX &&
        quota_amounts_net(&total->window) + add->more.used > add->bound) {
        err = E_OVER_QUOTA;
    } else if (is_new(d, add->id)) {
        quota_rows_add(d->rows, PART_BASE, add, total);
    }
    pthread_mutex_unlock(&d->mutex);
    if (!err && take(&d->deaf)) {
        return fault_set(f, E_TIMEOUT, "the fake store's answer is lost");
    }
    return err;
}

static enum err
fake_load(struct quota_store *s, const char *key, const struct quota_window *window, int64_t day,
          struct quota_total *total, struct fault *f)
{
    struct fake_database *d = database_of(s);

    atomic_fetch_add(&d->loads, 1);
    if (take(&d->blind)) {
        return fault_set(f, E_IO, "the fake store is told to be blind");
    }
    pthread_mutex_lock(&d->mutex);
    quota_rows_load(d->rows, key, window, day, total);
    pthread_mutex_unlock(&d->mutex);
    return E_OK;
}

static enum err
fake_sync(struct quota_store *s, int64_t wall_ns, struct fault *f)
{
    struct fake_database *d = database_of(s);

    (void)wall_ns;
    atomic_fetch_add(&d->syncs, 1);
    return atomic_load(&d->sync_fails) ? fault_set(f, E_IO, "the fake store cannot be synced")
                                       : E_OK;
}

static void
fake_close(struct quota_store *s)
{
    free(s);
}

static const struct quota_store_class fake_class = {
    .name = "fake",
    .shared = true,
    .add = fake_add,
    .load = fake_load,
    .sync = fake_sync,
    .close = fake_close,
};

struct quota_store *
fake_store_open(struct fake_database *d)
{
    struct fake_store *s = xcalloc(1, sizeof *s);

    *s = (struct fake_store){{&fake_class}, d};
    return &s->store;
}

uint64_t
fake_database_used(struct fake_database *d, const char *key, enum quota_period period,
                   int64_t wall_ns)
{
    struct quota_window window = quota_window_at(period, wall_ns);
    struct quota_total total;

    pthread_mutex_lock(&d->mutex);
    quota_rows_load(d->rows, key, &window, quota_window_at(PERIOD_DAY, wall_ns).start, &total);
    pthread_mutex_unlock(&d->mutex);
    return quota_amounts_net(&total.window);
}
