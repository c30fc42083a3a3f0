/* quota.c -- asking and counting: what may be had, what was taken, what is given back.
 *
 * A call decides and counts under the lock, then writes, then says what is to be said, each with
 * nothing held. */
#include "state/quota_private.h"

#include "state/base/random.h"
#include "state/settings.h"

/* ---- Life ---- */

static enum err
rules_of(const struct settings *s, struct quota_rules **rules, struct fault *f)
{
    return quota_rules_parse(s->quota_services, s->quota_warn, s->quota_critical, rules, f);
}

static void
follow_locked(struct quota *q, const struct settings *s, struct quota_rules *rules)
    REQUIRES(LC_QUOTA)
{
    quota_rules_unref(q->rules);
    q->rules = rules;
    q->rules_version++;
    q->settings_version = s->version;
    q->warn = s->quota_warn;
    q->critical = s->quota_critical;
    q->reduce_after = s->quota_reduce_after;
    q->restore_after = s->quota_restore_after;
    q->sync_ns = s->quota_sync_interval;
    q->cache_ns = s->quota_cache_ttl;
    q->flush_ns = s->quota_flush;
}

UNSHARED enum err
quota_create(const struct quota_options *options, struct quota **quota, struct fault *f)
{
    struct quota *q = xcalloc(1, sizeof *q);
    struct quota_rules *rules;
    enum err err = rules_of(options->settings, &rules, f);
    int failed;

    *quota = NULL;
    if (err) {
        options->store->class->close(options->store);
        free(q);
        return err;
    }
    q->clock = options->clock;
    q->store = options->store;
    q->bus = options->bus;
    lock_init(&q->lock, RANK_QUOTA);
    cond_init(&q->loaded);
    cond_init(&q->wanted);
    cond_init(&q->synced);
    follow_locked(q, options->settings, rules);
    q->last_sync_ns = clock_mono(q->clock);
    if (!random_bytes(&q->next_id, sizeof q->next_id)) {
        q->next_id = (uint64_t)clock_wall(q->clock); /* As good, but for a shared store. */
    }
    q->jitter = q->next_id | 1;
    failed = options->thread ? quota_thread_start(q) : 0;
    if (failed) {
        err = fault_set(f, E_IO, "there is no thread for quotas");
        quota_destroy(q);
        return err;
    }
    *quota = q;
    return E_OK;
}

UNSHARED void
quota_destroy(struct quota *q)
{
    struct owed *owed, *next;

    if (!q) {
        return;
    }
    quota_thread_end(q);
    quota_sync(q, NULL, NULL); /* What fails has been logged. */
    q->store->class->close(q->store);
    LL_FOREACH_SAFE(q->owed, owed, next)
    {
        free(owed);
    }
    counters_drop(q);
    quota_rules_unref(q->rules);
    cond_fini(&q->loaded);
    cond_fini(&q->wanted);
    cond_fini(&q->synced);
    lock_fini(&q->lock);
    free(q);
}

void
quota_follow(struct quota *q, const struct settings *settings)
{
    struct quota_rules *rules;
    bool known;

    LOCK(QUOTA, &q->lock);
    known = q->settings_version >= settings->version;
    UNLOCK(QUOTA, &q->lock);
    if (known || rules_of(settings, &rules, NULL) != E_OK) {
        return;
    }
    LOCK(QUOTA, &q->lock);
    if (q->settings_version < settings->version) {
        follow_locked(q, settings, rules);
        rules = NULL;
        cond_signal(&q->wanted); /* Its pace may be another one. */
    }
    UNLOCK(QUOTA, &q->lock);
    quota_rules_unref(rules);
}

void
quota_clear(struct quota *q)
{
    LOCK(QUOTA, &q->lock);
    counters_drop(q);
    q->reduced = false;
    q->failures = q->successes = 0;
    q->alerted = false;
    cond_broadcast(&q->loaded);
    UNLOCK(QUOTA, &q->lock);
}

struct quota_counters
quota_counters(struct quota *q)
{
    struct quota_counters counters;
    struct owed *owed;
    uint64_t count;

    LOCK(QUOTA, &q->lock);
    counters = q->counters;
    LL_COUNT(q->owed, owed, count);
    counters.owed = count;
    counters.counters = HASH_COUNT(q->table);
    counters.lock_acquisitions = q->lock.acquisitions;
    counters.lock_waits = q->lock.waits;
    UNLOCK(QUOTA, &q->lock);
    return counters;
}

/* ---- The operations ---- */

static enum err
refuse(const struct quota_view *view, uint64_t count, struct fault *f)
{
    char reset[CLOCK_TEXT_SIZE];
    const char *what = "is exhausted";

    if (view->verdict == QUOTA_CRITICAL) {
        what = view->critical ? "is critical" : "would become critical";
    } else if (view->verdict == QUOTA_REDUCED) {
        what = "is held back while counts cannot be stored";
    } else if (count > 1 && view->remaining) {
        what = "has not so many left";
    }
    clock_format_utc(view->window.end * 1000000000, reset);
    fault_set(f, E_OVER_QUOTA, "'%s' %s: %llu of %llu units of this %s are used", view->service,
              what, (unsigned long long)view->used, (unsigned long long)view->limit,
              quota_period_name(view->window.period));
    return fault_remedy(f, "%s wait until %s, when it starts over",
                        view->verdict == QUOTA_CRITICAL ? "if it matters ask with priority high, or"
                                                        : "do without, or",
                        reset);
}

/* Counts: the step that must not be parted from judging. */
static void
count(struct quota *q, struct visit *v, struct counter *c, struct quota_add *add) REQUIRES(LC_QUOTA)
{
    uint64_t n = v->ask->count;

    *add = (struct quota_add){
        .id = q->next_id++,
        .window = c->window,
        .day = c->day,
        .more = {.used = n},
        .more_today = {.used = n},
        .bound = UINT64_MAX,
    };
    memcpy(add->key, c->key, sizeof add->key);
    c->all.used += n;
    c->today.used += n;
    visit_cross(q, v, c);
    visit_look(q, v, c);
    v->news.sync = v->news.sync || quota_claim_sync(q, v->mono_ns);
}

enum err
quota_check(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct visit v;
    struct counter *c;
    enum err err = visit_begin(q, ask, &v, f);

    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, false, &c, f);
        if (!err) {
            visit_look(q, &v, c);
        }
        UNLOCK(QUOTA, &q->lock);
    }
    *view = v.news.view;
    visit_end(q, &v);
    return err;
}

enum err
quota_acquire(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
              struct fault *f)
{
    struct visit v;
    struct counter *c;
    struct quota_add add;
    enum err err = visit_begin(q, ask, &v, f);

    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, false, &c, f);
        if (!err) {
            visit_look(q, &v, c);
            if (v.news.view.verdict == QUOTA_ALLOWED) {
                count(q, &v, c, &add);
                add.bound = counter_bound(q, &v.rule, ask->high);
            } else {
                q->counters.refused++;
                err = E_OVER_QUOTA;
            }
        }
        UNLOCK(QUOTA, &q->lock);
        err = err ? err : quota_write(q, &v, &add);
    }
    *view = v.news.view;
    visit_end(q, &v);
    return err == E_OVER_QUOTA ? refuse(view, ask->count, f) : err;
}

enum err
quota_record(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct visit v;
    struct counter *c;
    struct quota_add add;
    enum err err = visit_begin(q, ask, &v, f);

    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, true, &c, f);
        if (!err) {
            count(q, &v, c, &add);
        }
        UNLOCK(QUOTA, &q->lock);
        err = err ? err : quota_write(q, &v, &add);
    }
    *view = v.news.view;
    visit_end(q, &v);
    return err;
}

/* Takes 'n' units off the count, and 'today' off the day's. */
static void
give_back(struct quota *q, struct visit *v, struct counter *c, uint64_t n, uint64_t today,
          struct quota_add *add) REQUIRES(LC_QUOTA)
{
    *add = (struct quota_add){
        .id = q->next_id++,
        .window = c->window,
        .day = c->day,
        .more = {.released = n},
        .more_today = {.released = today},
        .bound = UINT64_MAX,
    };
    memcpy(add->key, c->key, sizeof add->key);
    c->all.released += n;
    c->today.released += today;
    visit_look(q, v, c);
    v->news.sync = quota_claim_sync(q, v->mono_ns);
}

enum err
quota_release(struct quota *q, const struct quota_ask *ask, int64_t reset_at, uint64_t *given,
              struct quota_view *view, struct fault *f)
{
    struct visit v;
    struct counter *c;
    struct quota_add add;
    enum err err = visit_begin(q, ask, &v, f);

    *given = 0;
    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, false, &c, f);
        if (!err && (reset_at == 0 || reset_at == c->window.end)) {
            uint64_t used = counter_used(q, c), today = counter_today(q, c);
            if (ask->count > used) {
                err = fault_set(f, E_ARGUMENT, "only %llu units of '%s' are used",
                                (unsigned long long)used, ask->service);
            } else {
                *given = ask->count;
                q->counters.released += *given;
                give_back(q, &v, c, *given, *given < today ? *given : today, &add);
            }
        }
        if (!err) {
            visit_look(q, &v, c);
        }
        UNLOCK(QUOTA, &q->lock);
        err = err || !*given ? err : quota_write(q, &v, &add);
    }
    *view = v.news.view;
    visit_end(q, &v);
    return err;
}

enum err
quota_reset(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct visit v;
    struct counter *c;
    struct quota_add add;
    enum err err = visit_begin(q, ask, &v, f);

    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, false, &c, f);
        if (!err) {
            give_back(q, &v, c, counter_used(q, c), 0, &add);
            c->reported = 0;
            v.news.reset = true;
            v.news.sync = true;
        }
        UNLOCK(QUOTA, &q->lock);
        err = err ? err : quota_write(q, &v, &add);
    }
    *view = v.news.view;
    visit_end(q, &v);
    return err;
}
