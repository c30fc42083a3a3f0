/* changes.c -- a list of listeners under one lock: there are few, and news is rare.
 *
 * DESIGN.  Nothing is queued here, so nothing can grow: what waits to be told is a bit of a list,
 * or a mark on a topic that the listener brought itself.  The first news is told at once and lays
 * its list or topic to rest; the keeper wakes it a moment later and tells what came meanwhile. */
#include "state/changes.h"

#include "state/base/lock.h"
#include "state/changes_topics.h"

#include <assert.h>

struct changes {
    struct keeper_job *waking; /* Null without a keeper: then nothing ever rests.  Set once. */
    struct lock lock;
    struct listener *first GUARDED_BY(LC_CHANGES);
    size_t topic_bytes GUARDED_BY(LC_CHANGES); /* Of all who listen. */
    bool closed GUARDED_BY(LC_CHANGES);
};

UNSHARED struct changes *
changes_create(void)
{
    struct changes *c = xcalloc(1, sizeof *c);

    lock_init(&c->lock, RANK_CHANGES);
    return c;
}

UNSHARED void
changes_destroy(struct changes *c)
{
    if (c) {
        keeper_drop(c->waking);
        assert(!c->first);
        lock_fini(&c->lock);
        free(c);
    }
}

static enum err
check_room_locked(struct changes *c, size_t more, struct fault *f) REQUIRES(LC_CHANGES)
{
    if (more > CHANGES_TOPICS_BYTES - c->topic_bytes) {
        fault_set(f, E_BUSY, "too many resources are subscribed to");
        return fault_remedy(f, "unsubscribe from some, or wait until others have");
    }
    return E_OK;
}

enum err
changes_listen(struct changes *c, struct listener *l, struct fault *f)
{
    enum err err = E_OK;

    LOCK(CHANGES, &c->lock);
    err = c->closed ? fault_set(f, E_OVERLOAD, "the server is ending")
                    : check_room_locked(c, l->topic_bytes, f);
    if (!err) {
        err = l->class->begin(l, f);
    }
    if (!err) {
        c->topic_bytes += l->topic_bytes;
        l->prev = NULL;
        l->next = c->first;
        if (c->first) {
            c->first->prev = l;
        }
        c->first = l;
    }
    UNLOCK(CHANGES, &c->lock);
    return err;
}

static void
take_out_locked(struct changes *c, struct listener *l) REQUIRES(LC_CHANGES)
{
    *(l->prev ? &l->prev->next : &c->first) = l->next;
    if (l->next) {
        l->next->prev = l->prev;
    }
    l->next = l->prev = NULL;
    c->topic_bytes -= l->topic_bytes;
}

static struct listener *
find_locked(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
            const void *arg) REQUIRES(LC_CHANGES)
{
    struct listener *l = c->first;

    while (l && !wanted(l, arg)) {
        l = l->next;
    }
    return l;
}

struct listener *
changes_take(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
             const void *arg)
{
    struct listener *l;

    LOCK(CHANGES, &c->lock);
    l = find_locked(c, wanted, arg);
    if (l) {
        take_out_locked(c, l);
    }
    UNLOCK(CHANGES, &c->lock);
    return l;
}

unsigned
changes_count(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
              const void *arg)
{
    unsigned count = 0;

    LOCK(CHANGES, &c->lock);
    for (const struct listener *l = c->first; l; l = l->next) {
        count += wanted(l, arg);
    }
    UNLOCK(CHANGES, &c->lock);
    return count;
}

enum err
changes_want(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
             const void *arg, struct slice name, struct fault *f)
{
    enum err err = E_NOT_FOUND;
    struct listener *l;

    LOCK(CHANGES, &c->lock);
    l = find_locked(c, wanted, arg);
    if (l) {
        size_t before = l->topic_bytes;

        err = listener_wants(l, name) ? E_OK : check_room_locked(c, topic_cost(name), f);
        err = err ? err : listener_want(l, name, f);
        c->topic_bytes += l->topic_bytes - before;
    }
    UNLOCK(CHANGES, &c->lock);
    return err;
}

bool
changes_unwant(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
               const void *arg, struct slice name)
{
    bool found = false;
    struct listener *l;

    LOCK(CHANGES, &c->lock);
    l = find_locked(c, wanted, arg);
    if (l) {
        size_t before = l->topic_bytes;

        found = topic_remove(l, name);
        c->topic_bytes -= before - l->topic_bytes;
    }
    UNLOCK(CHANGES, &c->lock);
    return found;
}

/* ---- Telling ---- */

/* What one publication, or one waking, comes to. */
struct round {
    bool rests;            /* There is something to wake. */
    struct listener *over; /* Those who take no more. */
};

/* Takes note of what tell() said.  False if the listener takes no more. */
static bool
went_on(enum told told, bool *resting, bool *waiting)
{
    *resting = told == TOLD;
    *waiting = told == TELL_LATER;
    return told != TOLD_ENOUGH;
}

static bool
tell_list(struct listener *l, enum change list)
{
    unsigned bit = 1u << list;
    bool resting, waiting, more;

    more = went_on(l->class->tell(l, list, NULL), &resting, &waiting);
    l->resting = (l->resting & ~bit) | (resting ? bit : 0);
    l->waiting = (l->waiting & ~bit) | (waiting ? bit : 0);
    return more;
}

/* Tells of 'name', and of what waits there already. */
static bool
tell_topic(struct listener *l, struct topic *t, const char *name)
{
    bool waits, more;

    if (t->waiting) {
        topic_wait(t, name);
        name = t->waiting;
    }
    more = went_on(l->class->tell(l, CHANGE_RESOURCE, name), &t->resting, &waits);
    if (waits) {
        topic_wait(t, name);
    } else {
        topic_told(t);
    }
    return more;
}

/* Takes out who takes no more; and nothing rests where nobody wakes. */
static void
settle_locked(struct changes *c, struct listener *l, bool more, struct round *r)
    REQUIRES(LC_CHANGES)
{
    if (!more) {
        take_out_locked(c, l);
        l->next = r->over;
        r->over = l;
    } else if (!c->waking) {
        l->resting = 0;
        topics_wake(l);
    }
    r->rests = true;
}

/* With no lock held: ends the listeners, and wakes the keeper. */
static void
end_round(struct changes *c, const struct round *r)
{
    struct listener *next;

    for (struct listener *l = r->over; l; l = next) {
        next = l->next;
        l->next = NULL;
        l->class->over(l);
    }
    if (r->rests && c->waking) {
        keeper_stir(c->waking);
    }
}

void
changes_each(struct changes *c, void (*act)(struct listener *l, void *arg), void *arg)
{
    LOCK(CHANGES, &c->lock);
    for (struct listener *l = c->first; l; l = l->next) {
        act(l, arg);
    }
    UNLOCK(CHANGES, &c->lock);
}

void
changes_publish(struct changes *c, enum change list)
{
    struct round r = {.rests = false};
    struct listener *next;

    assert(list < CHANGE_LISTS);
    LOCK(CHANGES, &c->lock);
    for (struct listener *l = c->first; l; l = next) {
        next = l->next;
        if (!(l->kinds & 1u << list)) {
            continue;
        }
        if (l->resting & 1u << list) {
            l->waiting |= 1u << list;
        } else {
            settle_locked(c, l, tell_list(l, list), &r);
        }
    }
    UNLOCK(CHANGES, &c->lock);
    end_round(c, &r);
}

/* The topic by which a listener wants 'name', or null: itself, or else what it is below. */
static struct topic *
topic_of(const struct listener *l, const char *name)
{
    struct topic *covering = NULL;

    for (struct topic *t = l->topics; t; t = t->next) {
        if (topic_covers(t, name)) {
            if (!name[t->len]) {
                return t;
            }
            covering = t;
        }
    }
    return covering;
}

/* Tells now what does not rest; '*told' if there was any. */
static bool
tell_or_wait(struct listener *l, struct topic *t, const char *name, bool *told)
{
    if (t->resting) {
        topic_wait(t, name);
        return true;
    }
    *told = true;
    return tell_topic(l, t, name);
}

/* Tells one listener of 'name', or, if that is null, of each topic that begins with 'head'. */
static bool
tell_topics(struct listener *l, const char *name, const char *head, bool *told)
{
    bool more = true;

    if (name) {
        struct topic *t = topic_of(l, name);

        return t ? tell_or_wait(l, t, name, told) : true;
    }
    for (struct topic *t = l->topics; t && more; t = t->next) {
        if (topic_begins(t, head)) {
            more = tell_or_wait(l, t, t->name, told);
        }
    }
    return more;
}

static void
publish_topics(struct changes *c, const char *name, const char *head)
{
    struct round r = {.rests = false};
    struct listener *next;

    LOCK(CHANGES, &c->lock);
    for (struct listener *l = c->first; l; l = next) {
        bool told = false, more = tell_topics(l, name, head, &told);

        next = l->next;
        if (told) {
            settle_locked(c, l, more, &r);
        }
    }
    UNLOCK(CHANGES, &c->lock);
    end_round(c, &r);
}

void
changes_publish_resource(struct changes *c, const char *name)
{
    publish_topics(c, name, NULL);
}

void
changes_publish_below(struct changes *c, const char *head)
{
    publish_topics(c, NULL, head);
}

/* ---- Waking ---- */

/* Tells what changed again while it rested; '*rests' if there is anything to wake for. */
static bool
tell_waiting(struct listener *l, bool *rests)
{
    unsigned waiting = l->waiting;
    bool more = true;

    l->resting = l->waiting = 0;
    for (enum change list = 0; list < CHANGE_LISTS && more; list++) {
        if (waiting & 1u << list) {
            more = tell_list(l, list);
        }
    }
    *rests |= (l->resting | l->waiting) != 0;
    for (struct topic *t = l->topics; t && more; t = t->next) {
        t->resting = false;
        if (t->waiting) {
            more = tell_topic(l, t, t->waiting);
        }
        *rests |= t->resting || t->waiting;
    }
    return more;
}

static bool
wake(void *arg)
{
    struct changes *c = arg;
    struct round r = {.rests = false};
    struct listener *next;
    bool rests = false;

    LOCK(CHANGES, &c->lock);
    for (struct listener *l = c->first; l; l = next) {
        next = l->next;
        if (!tell_waiting(l, &rests)) {
            settle_locked(c, l, false, &r);
        }
    }
    UNLOCK(CHANGES, &c->lock);
    r.rests = false; /* The job says itself whether it runs again. */
    end_round(c, &r);
    return rests;
}

UNSHARED void
changes_keep(struct changes *c, struct keeper *keeper)
{
    c->waking = keeper_every(keeper, CHANGES_MS, wake, c);
}

void
changes_close(struct changes *c)
{
    LOCK(CHANGES, &c->lock);
    c->closed = true;
    UNLOCK(CHANGES, &c->lock);
}
