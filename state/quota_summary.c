/* quota_summary.c -- all that a tenant may use, at one moment.
 *
 * The store may have to be asked for a counter, and the lock is dropped meanwhile: so all of them
 * are asked for first, and then looked at together.  What was forgotten between the two (a reset of
 * memory) is asked for again. */
#include "state/quota_private.h"

#define TRIES 8

/* The services that a tenant may use: the server's, but where it has a rule of its own that one,
 * then its others. */
struct services {
    struct quota_rules *rules, *own; /* Counted; 'own' may be null. */
    const char *names[2 * QUOTA_RULES_MAX];
    size_t count;
};

static enum err
list_services(struct quota *q, const json_t *own, struct services *s, struct fault *f)
{
    unsigned warn, critical;
    enum err err;

    *s = (struct services){.count = 0};
    LOCK(QUOTA, &q->lock);
    s->rules = quota_rules_ref(q->rules);
    warn = q->warn;
    critical = q->critical;
    UNLOCK(QUOTA, &q->lock);
    err = quota_rules_load(own, warn, critical, &s->own, f);
    for (size_t i = 0; !err && i < s->rules->count; i++) {
        s->names[s->count++] = s->rules->items[i].service;
    }
    for (size_t i = 0; !err && s->own && i < s->own->count; i++) {
        if (!quota_rules_find(s->rules, s->own->items[i].service)) {
            s->names[s->count++] = s->own->items[i].service;
        }
    }
    return err;
}

/* Looks at all together; false if one is not there any more. */
static bool
look_at_all(struct quota *q, struct visit *visits, struct quota_summary *summary, size_t count)
{
    size_t i;

    LOCK(QUOTA, &q->lock);
    summary->reduced = q->reduced;
    for (i = 0; i < count; i++) {
        struct visit *v = &visits[i];
        struct counter *c = counter_find(q, v->key, &v->news.view.window);
        if (!c) {
            break;
        }
        visit_look(q, v, c);
        summary->views[i] = v->news.view;
    }
    UNLOCK(QUOTA, &q->lock);
    return i == count;
}

/* Has the store asked for each, then looks. */
static enum err
try_all(struct quota *q, struct visit *visits, struct quota_ask *asks,
        struct quota_summary *summary, size_t count, struct fault *f)
{
    enum err err = E_OK;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        size_t begun = 0;
        bool whole = false;

        for (; !err && begun < count; begun++) {
            struct counter *c;
            err = visit_begin(q, &asks[begun], &visits[begun], f);
            if (!err) {
                LOCK(QUOTA, &q->lock);
                err = visit_counter(q, &visits[begun], false, &c, f);
                if (!err) {
                    visit_look(q, &visits[begun], c);
                }
                UNLOCK(QUOTA, &q->lock);
            }
        }
        whole = !err && look_at_all(q, visits, summary, count);
        for (size_t i = 0; i < begun; i++) {
            visit_end(q, &visits[i]);
        }
        if (err || whole) {
            return err;
        }
    }
    fault_set(f, E_NOT_READY, "counts are being forgotten as fast as they are asked for");
    return fault_remedy(f, "try again");
}

enum err
quota_summary(struct quota *q, const char *tenant, const json_t *own, struct quota_summary *summary,
              struct fault *f)
{
    struct services s;
    struct visit *visits;
    struct quota_ask *asks;
    enum err err = list_services(q, own, &s, f);

    *summary = (struct quota_summary){.updated_ns = clock_wall(q->clock)};
    visits = xcalloc(s.count + 1, sizeof *visits);
    asks = xcalloc(s.count + 1, sizeof *asks);
    summary->views = xcalloc(s.count + 1, sizeof *summary->views);
    for (size_t i = 0; i < s.count; i++) {
        asks[i] =
            (struct quota_ask){.tenant = tenant, .own = own, .service = s.names[i], .count = 1};
    }
    err = err ? err : try_all(q, visits, asks, summary, s.count, f);
    for (size_t i = 0; !err && i < s.count; i++) {
        const struct quota_view *v = &summary->views[i];
        summary->count++;
        summary->total_today += v->today;
        summary->cost_today += (double)v->today * v->price;
    }
    quota_rules_unref(s.own);
    quota_rules_unref(s.rules);
    free(asks);
    free(visits);
    if (err) {
        quota_summary_fini(summary);
    }
    return err;
}

void
quota_glance(struct quota *q, struct quota_summary *summary)
{
    struct services s;

    list_services(q, NULL, &s, NULL); /* Without rules of a tenant it cannot fail. */
    *summary = (struct quota_summary){.updated_ns = clock_wall(q->clock)};
    summary->views = xcalloc(s.count + 1, sizeof *summary->views);
    for (size_t i = 0; i < s.count; i++) {
        struct quota_ask ask = {.tenant = "", .service = s.names[i], .count = 1};
        struct visit v;
        struct counter *c;
        enum err err = visit_begin(q, &ask, &v, NULL);

        v.hurried = true;
        if (!err) {
            LOCK(QUOTA, &q->lock);
            err = visit_counter(q, &v, false, &c, NULL);
            if (!err) {
                visit_look(q, &v, c);
                summary->views[summary->count++] = v.news.view;
            }
            UNLOCK(QUOTA, &q->lock);
        }
        visit_end(q, &v);
    }
    quota_rules_unref(s.rules);
}

void
quota_summary_fini(struct quota_summary *summary)
{
    free(summary->views);
    *summary = (struct quota_summary){.count = 0};
}
