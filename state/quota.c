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

const char *
quota_verdict_name(enum quota_verdict verdict)
{
    static const char *const names[] = {
        [QUOTA_ALLOWED] = NULL,
        [QUOTA_CRITICAL] = "critical",
        [QUOTA_EXHAUSTED] = "exhausted",
        [QUOTA_REDUCED] = "reduced_rate",
    };

    return names[verdict];
}

static enum err
refuse(const struct quota *q, const struct quota_view *view, uint64_t count, struct fault *f)
{
    int64_t wait_ns = view->window.end * 1000000000 - clock_wall(q->clock);
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
    if (f) {
        f->reason = quota_verdict_name(view->verdict);
        f->retry_s = wait_ns > 0 ? (unsigned)(wait_ns / 1000000000 + 1) : 1;
    }
    return fault_remedy(f, "%s wait until %s, when it starts over",
                        view->verdict == QUOTA_CRITICAL ? "if it matters ask with priority high, or"
                                                        : "do without, or",
                        reset);
}

/* What a call does with its counter, the step that must not be parted from judging. */
struct step {
    enum err (*take)(struct quota *q, struct visit *v, struct counter *c, struct step *step,
                     struct fault *f);
    bool anyhow;          /* Also if the store does not tell what was used. */
    int64_t reset_at;     /* Of quota_release(). */
    struct quota_add add; /* What it counted, to be written; with no key nothing. */
};

/* One call, whichever it is. */
static enum err
run(struct quota *q, const struct quota_ask *ask, struct step *step, struct quota_view *view,
    struct fault *f)
{
    struct visit v;
    struct counter *c;
    enum err err = visit_begin(q, ask, &v, f);

    if (!err) {
        LOCK(QUOTA, &q->lock);
        err = visit_counter(q, &v, step->anyhow, &c, f);
        err = err ? err : step->take(q, &v, c, step, f);
        UNLOCK(QUOTA, &q->lock);
    }
    if (!err && step->add.key[0]) {
        err = quota_write(q, &v, &step->add);
    }
    visit_answer(&v, view);
    visit_end(q, &v);
    return err;
}

static enum err
look(struct quota *q, struct visit *v, struct counter *c, struct step *step, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    (void)step, (void)f;
    visit_look(q, v, c);
    return E_OK;
}

enum err
quota_check(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct step step = {.take = look};

    return run(q, ask, &step, view, f);
}

/* What the counter grows by, of the window and of the day. */
static struct quota_add
make_add(struct quota *q, const struct counter *c, struct quota_amounts more,
         struct quota_amounts more_today) REQUIRES(LC_QUOTA)
{
    struct quota_add add = {.id = q->next_id++,
                            .window = c->window,
                            .day = c->day,
                            .more = more,
                            .more_today = more_today,
                            .bound = UINT64_MAX};

    memcpy(add.key, c->key, sizeof add.key);
    return add;
}

static void
count(struct quota *q, struct visit *v, struct counter *c, struct step *step) REQUIRES(LC_QUOTA)
{
    struct quota_amounts more = {.used = v->ask->count};

    step->add = make_add(q, c, more, more);
    c->all.used += more.used;
    c->today.used += more.used;
    visit_cross(q, v, c);
    visit_look(q, v, c);
    v->counted = true;
    v->used = v->news.view.used;
    v->news.sync = v->news.sync || quota_claim_sync(q, v->mono_ns);
}

static enum err
acquire(struct quota *q, struct visit *v, struct counter *c, struct step *step, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    (void)f;
    visit_look(q, v, c);
    if (v->news.view.verdict != QUOTA_ALLOWED) {
        q->counters.refused++;
        return E_OVER_QUOTA;
    }
    count(q, v, c, step);
    step->add.bound = counter_bound(q, &v->rule, v->ask->high);
    shares_add(v, c);
    return E_OK;
}

enum err
quota_acquire(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
              struct fault *f)
{
    struct step step = {.take = acquire};
    enum err err = run(q, ask, &step, view, f);

    return err == E_OVER_QUOTA ? refuse(q, view, ask->count, f) : err;
}

static enum err
record(struct quota *q, struct visit *v, struct counter *c, struct step *step, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    enum err err = shares_check_record(v, f);

    if (!err) {
        count(q, v, c, step);
    }
    return err;
}

enum err
quota_record(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct step step = {.take = record, .anyhow = true};

    return run(q, ask, &step, view, f);
}

/* Takes 'n' units off the count, and 'today' off the day's. */
static void
give_back(struct quota *q, struct visit *v, struct counter *c, uint64_t n, uint64_t today,
          struct step *step) REQUIRES(LC_QUOTA)
{
    const struct quota_amounts all = {.released = n}, of_today = {.released = today};

    step->add = make_add(q, c, all, of_today);
    c->all.released += n;
    c->today.released += today;
    visit_look(q, v, c);
    v->news.sync = quota_claim_sync(q, v->mono_ns);
}

static enum err
release(struct quota *q, struct visit *v, struct counter *c, struct step *step, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    uint64_t n = v->ask->count, used = counter_used(q, c), today = counter_today(q, c);
    enum err err;

    visit_look(q, v, c);
    if (step->reset_at && step->reset_at != c->window.end) {
        return E_OK;
    }
    err = shares_check(v, c, f);
    if (!err && n > used) {
        err = fault_set(f, E_ARGUMENT, "only %llu units of '%s' are used", (unsigned long long)used,
                        v->ask->service);
    }
    if (!err) {
        shares_take(v, c);
        q->counters.released += n;
        give_back(q, v, c, n, n < today ? n : today, step);
    }
    return err;
}

enum err
quota_release(struct quota *q, const struct quota_ask *ask, int64_t reset_at, uint64_t *given,
              struct quota_view *view, struct fault *f)
{
    struct step step = {.take = release, .reset_at = reset_at};
    enum err err = run(q, ask, &step, view, f);

    *given = step.add.more.released;
    return err;
}

static enum err
start_over(struct quota *q, struct visit *v, struct counter *c, struct step *step, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    (void)f;
    give_back(q, v, c, counter_used(q, c), 0, step);
    shares_drop(c);
    c->reported = 0;
    v->news.reset = true;
    v->news.sync = true;
    return E_OK;
}

enum err
quota_reset(struct quota *q, const struct quota_ask *ask, struct quota_view *view, struct fault *f)
{
    struct step step = {.take = start_over};

    return run(q, ask, &step, view, f);
}
