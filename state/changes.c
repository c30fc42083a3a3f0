/* changes.c -- a list of listeners under one lock: there are few, and news is rare. */
#include "state/changes.h"

#include "state/base/lock.h"
#include "state/base/mem.h"

#include <assert.h>

struct changes {
    struct lock lock;
    struct listener *first GUARDED_BY(LC_CHANGES);
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
        assert(!c->first);
        lock_fini(&c->lock);
        free(c);
    }
}

enum err
changes_listen(struct changes *c, struct listener *l, struct fault *f)
{
    enum err err = E_OK;

    LOCK(CHANGES, &c->lock);
    if (c->closed) {
        err = fault_set(f, E_OVERLOAD, "the server is ending");
    } else {
        err = l->class->begin(l, f);
    }
    if (!err) {
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
}

struct listener *
changes_take(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
             const void *arg)
{
    struct listener *l;

    LOCK(CHANGES, &c->lock);
    for (l = c->first; l && !wanted(l, arg);) {
        l = l->next;
    }
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

void
changes_publish(struct changes *c, enum change change)
{
    struct listener *over = NULL, *next;

    LOCK(CHANGES, &c->lock);
    for (struct listener *l = c->first; l; l = next) {
        next = l->next;
        if (l->kinds & 1u << change && !l->class->tell(l, change)) {
            take_out_locked(c, l);
            l->next = over;
            over = l;
        }
    }
    UNLOCK(CHANGES, &c->lock);
    for (; over; over = next) {
        next = over->next;
        over->class->over(over);
    }
}

void
changes_close(struct changes *c)
{
    LOCK(CHANGES, &c->lock);
    c->closed = true;
    UNLOCK(CHANGES, &c->lock);
}
