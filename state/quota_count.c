/* quota_count.c -- the counters: found, asked for at the store, rolled over, merged.
 *
 * DESIGN.  A counter may be forgotten (quota_clear()) while a call of it is at the store, so nobody
 * keeps a pointer to one over that: it is looked up again, and whoever finds another window, or
 * nothing, has nothing to merge.  Of a number that only grows the greatest one heard of is right.
 * What the store is owed is added to what it told whenever somebody looks, and never to what is
 * kept: an add whose answer was lost is in both for a while, and would be counted twice for good.
 */
#include "state/quota_private.h"

#include <string.h>

#define RETRY_NS 1000000000 /* After a load that failed. */
#define SWEEP_AT (QUOTA_COUNTERS_MAX / 2)

/* ---- Which one ---- */

static void
make_key(struct visit *v)
{
    size_t tenant = v->own ? strlen(v->ask->tenant) : 0, service = strlen(v->ask->service);

    memcpy(v->key, v->ask->tenant, tenant);
    v->key[tenant] = '/';
    memcpy(v->key + tenant + 1, v->ask->service, service + 1);
}

enum err
visit_begin(struct quota *q, const struct quota_ask *ask, struct visit *v, struct fault *f)
{
    unsigned warn, critical;
    enum err err = E_OK;

    *v = (struct visit){.ask = ask};
    if (ask->count > QUOTA_COUNT_MAX) {
        return fault_set(f, E_ARGUMENT, "%llu units at once are over the limit of %u",
                         (unsigned long long)ask->count, QUOTA_COUNT_MAX);
    }
    if (strlen(ask->service) >= QUOTA_SERVICE_SIZE || strlen(ask->tenant) >= QUOTA_TENANT_SIZE) {
        return quota_rules_unknown(NULL, NULL, "(a name too long)", f);
    }
    if (ask->own) {
        LOCK(QUOTA, &q->lock);
        warn = q->warn;
        critical = q->critical;
        UNLOCK(QUOTA, &q->lock);
        err = quota_rules_load(ask->own, warn, critical, &v->own_rules, f);
        v->own = quota_rules_find(v->own_rules, ask->service);
    }
    make_key(v);
    v->wall_ns = clock_wall(q->clock);
    v->mono_ns = clock_mono(q->clock);
    return err;
}

void
visit_end(struct quota *q, struct visit *v)
{
    quota_tell(q, v->own ? v->ask->tenant : NULL, &v->news);
    if (v->news.sync) {
        quota_want_sync(q);
    }
    quota_rules_unref(v->own_rules);
}

static struct counter *
find(struct quota *q, const char *key) REQUIRES(LC_QUOTA)
{
    struct counter *c;

    HASH_FIND_STR(q->table, key, c);
    return c;
}

struct counter *
counter_find(struct quota *q, const char *key, const struct quota_window *window)
{
    struct counter *c = find(q, key);

    return c && quota_window_same(&c->window, window) ? c : NULL;
}

static void
drop(struct quota *q, struct counter *c) REQUIRES(LC_QUOTA)
{
    HASH_DEL(q->table, c);
    shares_drop(c);
    free(c);
}

void
counters_drop(struct quota *q)
{
    struct counter *c, *next;

    HASH_ITER(hh, q->table, c, next) {
        drop(q, c);
    }
}

void
counters_sweep(struct quota *q, int64_t wall_ns)
{
    struct counter *c, *next;

    if (HASH_COUNT(q->table) < SWEEP_AT) {
        return;
    }
    HASH_ITER(hh, q->table, c, next) {
        if (!c->loading && c->window.end * 1000000000 <= wall_ns) {
            drop(q, c); /* The store knows it. */
        }
    }
}

/* Stores the rule that counts. */
static enum err
find_rule(struct quota *q, struct visit *v, const struct counter *c, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    const struct quota_rule *rule = v->own;

    if (!rule && c && c->rules_version == q->rules_version) {
        rule = &c->rule;
    } else if (!rule) {
        rule = quota_rules_find(q->rules, v->ask->service);
    }
    if (!rule) {
        return quota_rules_unknown(v->own_rules, q->rules, v->ask->service, f);
    }
    v->rule = *rule;
    return E_OK;
}

/* The counter, as new where it has to be. */
static enum err
find_or_add(struct quota *q, struct visit *v, struct counter **counter, struct fault *f)
    REQUIRES(LC_QUOTA)
{
    struct counter *c = find(q, v->key);
    enum err err = find_rule(q, v, c, f);

    if (err) {
        return err;
    }
    if (!c) {
        counters_sweep(q, v->wall_ns);
        if (HASH_COUNT(q->table) >= QUOTA_COUNTERS_MAX) {
            fault_set(f, E_LIMIT, "more than %u services of tenants are counted",
                      QUOTA_COUNTERS_MAX);
            return fault_remedy(f, "try again when their windows have ended");
        }
        c = xcalloc(1, sizeof *c);
        memcpy(c->key, v->key, sizeof c->key);
        c->window = quota_window_at(v->rule.period, v->wall_ns);
        c->day = quota_window_at(PERIOD_DAY, v->wall_ns).start;
        HASH_ADD_STR(q->table, key, c);
    }
    if (!v->own) {
        c->rule = v->rule;
        c->rules_version = q->rules_version;
    }
    *counter = c;
    return E_OK;
}

/* ---- Time ---- */

/* The clock may be set back: windows only follow each other. */
static void
roll_over(struct counter *c, const struct visit *v)
{
    int64_t now_s = v->wall_ns / 1000000000;

    if (c->window.period != v->rule.period || now_s >= c->window.end) {
        bool other = c->window.period != v->rule.period;
        c->window = quota_window_at(v->rule.period, v->wall_ns);
        c->all = c->told = (struct quota_amounts){0, 0};
        c->reported = 0;
        shares_drop(c);
        c->look_again_ns = 0;
        c->loaded = c->loaded && !other; /* A window that begins is empty; of another kind, not. */
    }
    if (now_s >= c->day + 86400) {
        c->day = quota_window_at(PERIOD_DAY, v->wall_ns).start;
        c->today = c->told_today = (struct quota_amounts){0, 0};
    }
}

/* ---- What the store tells ---- */

static void
raise_to(struct quota_amounts *known, const struct quota_amounts *told)
{
    known->used = told->used > known->used ? told->used : known->used;
    known->released = told->released > known->released ? told->released : known->released;
}

void
counter_merge(struct counter *c, const struct quota_total *total)
{
    raise_to(&c->all, &total->window);
    raise_to(&c->told, &total->window);
    raise_to(&c->today, &total->today);
    raise_to(&c->told_today, &total->today);
}

/* The greater of what is known here, and of what was told with what is owed: one that is owed may
 * have got there, so it is never added to what stays. */
static uint64_t
net_of(struct quota_amounts known, const struct quota_amounts *told,
       const struct quota_amounts *owed)
{
    struct quota_amounts sum = {told->used + owed->used, told->released + owed->released};

    raise_to(&known, &sum);
    return quota_amounts_net(&known);
}

uint64_t
counter_used(const struct quota *q, const struct counter *c)
{
    struct quota_total owed;

    quota_owed(q, c->key, &c->window, c->day, &owed);
    return net_of(c->all, &c->told, &owed.window);
}

uint64_t
counter_today(const struct quota *q, const struct counter *c)
{
    struct quota_total owed;

    if (c->window.period == PERIOD_DAY) {
        return counter_used(q, c);
    }
    quota_owed(q, c->key, &c->window, c->day, &owed);
    return net_of(c->today, &c->told_today, &owed.today);
}

/* Which levels have been reached that were not told in this window; they are from now on. */
static unsigned
cross(const struct quota *q, struct counter *c, const struct quota_rule *rule) REQUIRES(LC_QUOTA)
{
    uint64_t used = counter_used(q, c);
    unsigned reached = 0, fresh;

    if (rule->limit) {
        reached |= used >= quota_rule_share(rule, rule->warn) ? LEVEL_WARNING : 0;
        reached |= used >= quota_rule_share(rule, rule->critical) ? LEVEL_CRITICAL : 0;
        reached |= used >= rule->limit ? LEVEL_EXHAUSTED : 0;
    }
    fresh = reached & ~c->reported;
    c->reported |= reached;
    return fresh;
}

void
visit_cross(struct quota *q, struct visit *v, struct counter *c)
{
    unsigned fresh = cross(q, c, &v->rule);

    v->news.levels |= fresh;
    v->news.sync = v->news.sync || (fresh & LEVEL_CRITICAL);
    q->counters.warnings += !!(fresh & LEVEL_WARNING);
    q->counters.criticals += !!(fresh & LEVEL_CRITICAL);
    q->counters.exhausted += !!(fresh & LEVEL_EXHAUSTED);
}

/* Between 90 and 110 percent of 'ns', so that many processes do not ask at once. */
static int64_t
jittered(struct quota *q, int64_t ns) REQUIRES(LC_QUOTA)
{
    q->jitter ^= q->jitter << 13;
    q->jitter ^= q->jitter >> 7;
    q->jitter ^= q->jitter << 17;
    return ns / 10 * 9 + (int64_t)(q->jitter % 1024) * (ns / 5) / 1024;
}

/* Asks the store, with the lock dropped meanwhile; only the one who has set 'loading'. */
static enum err
load(struct quota *q, struct visit *v, struct counter *c, struct fault *f) REQUIRES(LC_QUOTA)
{
    struct quota_window window = c->window;
    struct quota_total total = {{0, 0}, {0, 0}};
    int64_t day = c->day;
    enum err err;

    UNLOCK(QUOTA, &q->lock);
    err = q->store->class->load(q->store, v->key, &window, day, &total, f);
    LOCK(QUOTA, &q->lock);
    c = counter_find(q, v->key, &window);
    if (c) {
        c->loading = false;
        if (!err) {
            bool known = c->loaded;
            total.today = c->day == day ? total.today : (struct quota_amounts){0, 0};
            counter_merge(c, &total);
            c->loaded = true;
            c->look_again_ns = v->mono_ns + jittered(q, q->cache_ns);
            if (known) {
                visit_cross(q, v, c);
            } else {
                cross(q, c, &v->rule); /* Whoever counted that has told it. */
            }
        } else {
            c->look_again_ns = v->mono_ns + RETRY_NS;
        }
    }
    q->counters.load_failures += err != E_OK;
    cond_broadcast(&q->loaded);
    return err;
}

/* Whether what is known will do for now. */
static bool
is_fresh(const struct quota *q, const struct counter *c, const struct visit *v) REQUIRES(LC_QUOTA)
{
    if (!c->loaded) {
        return false;
    }
    return !q->store->class->shared || v->mono_ns < c->look_again_ns;
}

static enum err
not_told(const struct visit *v, struct fault *f)
{
    fault_set(f, E_NOT_READY, "what was used of '%s' cannot be found out now", v->ask->service);
    return fault_remedy(f, "try again in a second");
}

enum err
visit_counter(struct quota *q, struct visit *v, bool anyhow, struct counter **counter,
              struct fault *f)
{
    bool asked = false;

    for (;;) {
        struct counter *c = NULL;
        enum err err = find_or_add(q, v, &c, f);

        if (err) {
            return err;
        }
        *counter = c;
        roll_over(c, v);
        if (is_fresh(q, c, v) || (c->loaded && (asked || c->loading))) {
            q->counters.hits += !asked;
            return E_OK; /* What was known last will do while it is asked for anew. */
        }
        if (v->hurried && q->store->class->shared) {
            return c->loaded ? E_OK : not_told(v, f);
        }
        if (c->loading) {
            cond_wait(&q->loaded, &q->lock, INT64_MAX); /* The store's time is bounded. */
        } else if (asked || v->mono_ns < c->look_again_ns) {
            return anyhow ? E_OK : not_told(v, f);
        } else {
            c->loading = true;
            asked = true;
            q->counters.misses++;
            load(q, v, c, NULL);
        }
    }
}

/* ---- What is shown ---- */

uint64_t
counter_bound(const struct quota *q, const struct quota_rule *rule, bool high)
{
    uint64_t bound = high ? rule->limit : quota_rule_share(rule, rule->critical);
    uint64_t reduced = rule->limit * QUOTA_REDUCED_PERCENT / 100;

    return q->reduced && reduced < bound ? reduced : bound;
}

static void
show_used(struct quota_view *view, const struct quota_rule *rule, uint64_t used)
{
    view->used = used;
    view->remaining = rule->limit > used ? rule->limit - used : 0;
    view->warning = rule->limit && used >= quota_rule_share(rule, rule->warn);
    view->critical = rule->limit && used >= quota_rule_share(rule, rule->critical);
    view->exhausted = used >= rule->limit;
}

/* Stores the counter in the view of the news. */
static void
show(const struct quota *q, struct visit *v, const struct counter *c) REQUIRES(LC_QUOTA)
{
    const struct quota_rule *rule = &v->rule;
    struct quota_view *view = &v->news.view;

    *view = (struct quota_view){
        .own = v->own != NULL,
        .window = c->window,
        .limit = rule->limit,
        .today = counter_today(q, c),
        .price = rule->price,
        .reduced = q->reduced,
    };
    memcpy(view->service, rule->service, sizeof view->service);
    show_used(view, rule, counter_used(q, c));
}

void
visit_answer(const struct visit *v, struct quota_view *view)
{
    *view = v->news.view;
    if (v->counted) {
        show_used(view, &v->rule, v->used);
    }
}

void
visit_look(const struct quota *q, struct visit *v, const struct counter *c)
{
    struct quota_view *view = &v->news.view;
    uint64_t after;

    show(q, v, c);
    after = view->used + v->ask->count;
    if (after <= counter_bound(q, &v->rule, v->ask->high)) {
        view->verdict = QUOTA_ALLOWED;
    } else if (after > v->rule.limit) {
        view->verdict = QUOTA_EXHAUSTED;
    } else {
        view->verdict = q->reduced ? QUOTA_REDUCED : QUOTA_CRITICAL;
    }
}
