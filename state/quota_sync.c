/* quota_sync.c -- the store: writing to it, what it is owed, the mode while it fails, and the
 * thread that flushes and tidies up.
 *
 * DESIGN.  A write that failed may have been made: it is tried again with its id, by the next sync,
 * and counts here meanwhile.  Should so many be owed that they are put together, one that was made
 * after all is counted twice: too much rather than too little. */
#include "state/quota_private.h"

#include "state/base/thread.h"

/* ---- What is owed ---- */

static void
add_amounts(struct quota_amounts *sum, const struct quota_amounts *more)
{
    sum->used += more->used;
    sum->released += more->released;
}

void
quota_owed(const struct quota *q, const char *key, const struct quota_window *window, int64_t day,
           struct quota_total *owed)
{
    *owed = (struct quota_total){{0, 0}, {0, 0}};
    for (const struct owed *o = q->owed; o; o = o->next) {
        if (strcmp(o->add.key, key) == 0) {
            if (quota_window_same(&o->add.window, window)) {
                add_amounts(&owed->window, &o->add.more);
            }
            if (o->add.day == day) {
                add_amounts(&owed->today, &o->add.more_today);
            }
        }
    }
}

static void
owe(struct quota *q, const struct quota_add *add) REQUIRES(LC_QUOTA)
{
    struct owed *o, *same = NULL;
    size_t count = 0;

    LL_FOREACH(q->owed, o) {
        count++;
        if (!same && o->add.day == add->day && strcmp(o->add.key, add->key) == 0 &&
            quota_window_same(&o->add.window, &add->window)) {
            same = o;
        }
    }
    if (count >= QUOTA_OWED_MAX && same) {
        add_amounts(&same->add.more, &add->more);
        add_amounts(&same->add.more_today, &add->more_today);
        same->add.id = q->next_id++;
        return;
    }
    o = xcalloc(1, sizeof *o);
    o->add = *add;
    o->add.bound = UINT64_MAX; /* The caller was told yes. */
    LL_APPEND(q->owed, o);
}

static void
take_off(struct quota_amounts *from, const struct quota_amounts *less)
{
    from->used -= less->used;
    from->released -= less->released;
}

/* 'paid', the first, was taken by the store.  More may have been put to it meanwhile. */
static void
strike(struct quota *q, const struct quota_add *paid) REQUIRES(LC_QUOTA)
{
    struct owed *o = q->owed;

    if (o->add.id == paid->id) {
        q->owed = o->next;
        free(o);
    } else {
        take_off(&o->add.more, &paid->more);
        take_off(&o->add.more_today, &paid->more_today);
    }
}

/* ---- The mode ---- */

/* Notes how a write went.  Only writes count: that something can be read says nothing about them.
 */
static void
note_write(struct quota *q, struct quota_news *news, bool good, int64_t mono_ns) REQUIRES(LC_QUOTA)
{
    q->successes = good ? q->successes + 1 : 0;
    q->failures = good ? 0 : q->failures + 1;
    q->counters.atomic_writes += good;
    q->counters.failed_writes += !good;
    q->lost_in_mode += !good;
    if (!q->reduced && q->failures >= q->reduce_after) {
        news->reduced = true;
        news->writes = q->failures;
        q->reduced_since_ns = mono_ns;
        q->lost_in_mode = q->failures;
    } else if (q->reduced && q->successes >= q->restore_after) {
        news->restored = true;
        news->writes = q->lost_in_mode;
        news->lasted_ns = mono_ns - q->reduced_since_ns;
    }
    if (news->reduced || news->restored) {
        q->reduced = news->reduced;
        q->failures = q->successes = 0;
        q->counters.reduced += news->reduced;
        q->counters.restored += news->restored;
    }
    if (q->reduced && !good && (!q->alerted || mono_ns - q->alerted_ns >= QUOTA_ALERT_NS)) {
        news->alert = true;
        q->alerted = true;
        q->alerted_ns = mono_ns;
        q->counters.alerts++;
    }
}

/* ---- Writing ---- */

/* The store has no room for what was counted here: others were faster. */
static void
take_back(struct counter *c, const struct quota_add *add)
{
    take_off(&c->all, &add->more);
    if (c->day == add->day) {
        take_off(&c->today, &add->more_today);
    }
}

/* There is something to flush, and to tidy up.  The thread sleeps by the machine's clock. */
static void
note_change(struct quota *q) REQUIRES(LC_QUOTA)
{
    if (q->dirty && q->changed) {
        return;
    }
    if (q->threaded) {
        int64_t now = clock_mono(clock_real());
        q->flush_due_ns = q->dirty ? q->flush_due_ns : now + q->flush_ns;
        q->sync_due_ns = q->changed ? q->sync_due_ns : now + q->sync_ns;
        cond_signal(&q->wanted);
    }
    q->dirty = q->changed = true;
}

enum err
quota_write(struct quota *q, struct visit *v, const struct quota_add *add)
{
    struct quota_news *news = &v->news;
    struct quota_total total = {{0, 0}, {0, 0}};
    struct counter *c;
    enum err err = q->store->class->add(q->store, add, &total, &news->fault);

    LOCK(QUOTA, &q->lock);
    note_write(q, news, !err || err == E_OVER_QUOTA, v->mono_ns);
    note_change(q);
    c = counter_find(q, add->key, &add->window);
    q->counters.refused += err == E_OVER_QUOTA;
    if (err == E_OVER_QUOTA && c) {
        take_back(c, add);
        shares_take(v, c);
    } else if (err && err != E_OVER_QUOTA) {
        owe(q, add);
        news->trouble = err;
    }
    if (c && !news->trouble) {
        total.today = c->day == add->day ? total.today : (struct quota_amounts){0, 0};
        counter_merge(c, &total);
        visit_cross(q, v, c);
    }
    if (c) {
        visit_look(q, v, c);
        v->counted = v->counted && err != E_OVER_QUOTA;
        if (!err && !q->owed && q->store->class->shared) {
            v->used = quota_amounts_net(&total.window); /* Others have numbers of theirs. */
        }
    }
    news->view.owed = news->trouble != E_OK;
    if (err != E_OVER_QUOTA) {
        news->view.verdict = QUOTA_ALLOWED;
        err = E_OK;
    }
    UNLOCK(QUOTA, &q->lock);
    return err;
}

/* ---- Syncs ---- */

/* One thread at a time has the store tidy up. */
static void
begin_alone(struct quota *q) REQUIRES(LC_QUOTA)
{
    while (q->syncing) {
        cond_wait(&q->synced, &q->lock, INT64_MAX);
    }
    q->syncing = true;
}

static void
end_alone(struct quota *q) REQUIRES(LC_QUOTA)
{
    q->syncing = false;
    cond_broadcast(&q->synced);
}

/* Hands the store the oldest that it is owed; false if there is none, or it does not take it. */
static bool
pay_one(struct quota *q, struct quota_news *news, struct fault *f)
{
    struct quota_total total = {{0, 0}, {0, 0}};
    struct quota_add add;
    struct counter *c;
    enum err err;

    LOCK(QUOTA, &q->lock);
    add = q->owed ? q->owed->add : (struct quota_add){.id = 0};
    UNLOCK(QUOTA, &q->lock);
    if (!add.key[0]) {
        return false;
    }
    err = q->store->class->add(q->store, &add, &total, f);
    LOCK(QUOTA, &q->lock);
    note_write(q, news, err == E_OK, clock_mono(q->clock));
    if (!err) {
        strike(q, &add);
        c = counter_find(q, add.key, &add.window);
        if (c) {
            total.today = c->day == add.day ? total.today : (struct quota_amounts){0, 0};
            counter_merge(c, &total);
        }
    }
    UNLOCK(QUOTA, &q->lock);
    news->trouble = err;
    return err == E_OK;
}

enum err
quota_sync(struct quota *q, uint64_t *owed, struct fault *f)
{
    const struct quota_store_class *class = q->store->class;
    struct fault fault = FAULT_INIT;
    bool more = true;
    struct owed *o;
    uint64_t left;
    enum err err;

    LOCK(QUOTA, &q->lock);
    begin_alone(q);
    q->sync_asked = q->changed = false;
    q->last_sync_ns = clock_mono(q->clock);
    UNLOCK(QUOTA, &q->lock);
    while (more) {
        struct quota_news news = {.levels = 0};
        more = pay_one(q, &news, &news.fault);
        fault = news.trouble ? news.fault : fault;
        quota_tell(q, NULL, &news);
    }
    err = fault.code;
    if (class->sync && class->sync(q->store, clock_wall(q->clock), &fault) != E_OK) {
        struct quota_news news = {.trouble = fault.code, .fault = fault};
        err = fault.code;
        quota_tell(q, NULL, &news);
    }
    LOCK(QUOTA, &q->lock);
    q->counters.syncs++;
    if (err) {
        q->changed = true; /* It is tried again. */
        q->sync_due_ns = clock_mono(clock_real()) + q->sync_ns;
    }
    counters_sweep(q, clock_wall(q->clock));
    LL_COUNT(q->owed, o, left);
    end_alone(q);
    UNLOCK(QUOTA, &q->lock);
    if (owed) {
        *owed = left;
    }
    if (err && f) {
        *f = fault;
    }
    return err;
}

bool
quota_claim_sync(struct quota *q, int64_t mono_ns)
{
    if (mono_ns - q->last_sync_ns < q->sync_ns) {
        return false;
    }
    q->last_sync_ns = mono_ns;
    return true;
}

void
quota_want_sync(struct quota *q)
{
    bool threaded;

    LOCK(QUOTA, &q->lock);
    threaded = q->threaded;
    q->sync_asked = q->sync_asked || threaded;
    cond_signal(&q->wanted);
    UNLOCK(QUOTA, &q->lock);
    if (!threaded) {
        quota_sync(q, NULL, NULL); /* What fails has been told. */
    }
}

/* ---- The thread ---- */

static void
flush(struct quota *q)
{
    struct quota_news news = {.levels = 0};

    LOCK(QUOTA, &q->lock);
    begin_alone(q);
    q->dirty = false;
    UNLOCK(QUOTA, &q->lock);
    if (q->store->class->flush) {
        news.trouble = q->store->class->flush(q->store, &news.fault);
    }
    LOCK(QUOTA, &q->lock);
    q->sync_asked = q->sync_asked || news.trouble; /* What may be lost is written anew. */
    end_alone(q);
    UNLOCK(QUOTA, &q->lock);
    quota_tell(q, NULL, &news);
}

/* When the next sync is due; INT64_MAX if there is nothing to do. */
static int64_t
sync_due(const struct quota *q) REQUIRES(LC_QUOTA)
{
    return q->sync_asked ? 0 : q->changed ? q->sync_due_ns : INT64_MAX;
}

static void *
run(void *arg)
{
    struct quota *q = arg;

    LOCK(QUOTA, &q->lock);
    while (!q->ending) {
        int64_t now = clock_mono(clock_real()), sync = sync_due(q);
        int64_t flushing = q->dirty ? q->flush_due_ns : INT64_MAX;

        if (sync > now && flushing > now) {
            cond_wait(&q->wanted, &q->lock, sync < flushing ? sync : flushing);
            continue;
        }
        UNLOCK(QUOTA, &q->lock);
        if (sync <= now) {
            quota_sync(q, NULL, NULL); /* What fails has been told. */
        } else {
            flush(q);
        }
        LOCK(QUOTA, &q->lock);
    }
    UNLOCK(QUOTA, &q->lock);
    return NULL;
}

static void
set_threaded(struct quota *q, bool threaded)
{
    LOCK(QUOTA, &q->lock);
    q->threaded = threaded;
    UNLOCK(QUOTA, &q->lock);
}

enum err
quota_start(struct quota *q, struct fault *f)
{
    set_threaded(q, true); /* Before it looks what there is to do. */
    if (thread_start(&q->thread, "tandem-quota", run, q) != 0) {
        set_threaded(q, false);
        return fault_set(f, E_IO, "there is no thread for quotas");
    }
    return E_OK;
}

void
quota_thread_end(struct quota *q)
{
    bool threaded;

    LOCK(QUOTA, &q->lock);
    threaded = q->threaded;
    q->ending = true;
    cond_signal(&q->wanted);
    UNLOCK(QUOTA, &q->lock);
    if (threaded) {
        pthread_join(q->thread, NULL);
        set_threaded(q, false);
    }
}
