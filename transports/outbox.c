/* outbox.c -- a ring of counted messages under one lock. */
#include "transports/outbox.h"

#include "state/base/lock.h"

#include <assert.h>

#define ROOM_FIRST 16   /* A power of two, as all sizes of the ring are. */
#define ROOM_KEPT 64    /* A ring that was larger is given back when it is empty. */
#define POP_MESSAGES 64 /* Dropped with the lock taken once. */

struct outbox {
    struct outbox_limits limits; /* These three are set once. */
    void (*wake)(void *arg);
    void *arg;
    struct lock lock;
    struct bytes **ring GUARDED_BY(LC_OUTBOX); /* Owned; the messages counted. */
    size_t room GUARDED_BY(LC_OUTBOX);
    size_t first GUARDED_BY(LC_OUTBOX), count GUARDED_BY(LC_OUTBOX);
    _Atomic size_t bytes; /* Changed under the lock, as is the next. */
    _Atomic bool told;    /* The owner will look.  Without that it is empty. */
    bool closed GUARDED_BY(LC_OUTBOX);
};

UNSHARED struct outbox *
outbox_create(const struct outbox_limits *limits, void (*wake)(void *arg), void *arg)
{
    struct outbox *ob = xcalloc(1, sizeof *ob);

    ob->limits = *limits;
    ob->wake = wake;
    ob->arg = arg;
    lock_init(&ob->lock, RANK_OUTBOX);
    return ob;
}

static struct bytes **
place_locked(struct outbox *ob, size_t index) REQUIRES(LC_OUTBOX)
{
    return &ob->ring[(ob->first + index) & (ob->room - 1)];
}

/* Makes the ring 'room' places large; it must hold what is there. */
static void
resize_locked(struct outbox *ob, size_t room) REQUIRES(LC_OUTBOX)
{
    struct bytes **ring = room ? xcalloc(room, sizeof(struct bytes *)) : NULL;

    for (size_t i = 0; i < ob->count; i++) {
        ring[i] = *place_locked(ob, i);
    }
    free(ob->ring);
    ob->ring = ring;
    ob->room = room;
    ob->first = 0;
}

static bool
fits_locked(const struct outbox *ob, size_t len) REQUIRES(LC_OUTBOX)
{
    const struct outbox_limits *max = &ob->limits;

    return ob->count == 0 || ((max->messages == 0 || ob->count < max->messages) &&
                              (max->bytes == 0 || atomic_load(&ob->bytes) + len <= max->bytes));
}

static void
tell_locked(struct outbox *ob) REQUIRES(LC_OUTBOX)
{
    if (!atomic_load(&ob->told) && !ob->closed) {
        atomic_store(&ob->told, true);
        ob->wake(ob->arg);
    }
}

static enum err
add(struct outbox *ob, struct bytes *message, bool owed)
{
    enum err err = E_OK;

    LOCK(OUTBOX, &ob->lock);
    if (ob->closed) {
        err = E_CANCELLED;
    } else if (!owed && !fits_locked(ob, message->len)) {
        err = E_LIMIT;
    } else {
        if (ob->count == ob->room) {
            resize_locked(ob, ob->room ? ob->room * 2 : ROOM_FIRST);
        }
        *place_locked(ob, ob->count) = message;
        ob->count++;
        atomic_fetch_add(&ob->bytes, message->len);
        tell_locked(ob);
    }
    UNLOCK(OUTBOX, &ob->lock);
    if (err) {
        bytes_unref(message);
    }
    return err;
}

enum err
outbox_add(struct outbox *ob, struct bytes *message)
{
    return add(ob, message, false);
}

enum err
outbox_add_owed(struct outbox *ob, struct bytes *message)
{
    return add(ob, message, true);
}

void
outbox_wake(struct outbox *ob)
{
    LOCK(OUTBOX, &ob->lock);
    tell_locked(ob);
    UNLOCK(OUTBOX, &ob->lock);
}

size_t
outbox_bytes(const struct outbox *ob)
{
    return atomic_load(&ob->bytes);
}

void
outbox_expect(struct outbox *ob)
{
    LOCK(OUTBOX, &ob->lock);
    atomic_store(&ob->told, true);
    UNLOCK(OUTBOX, &ob->lock);
}

size_t
outbox_peek(struct outbox *ob, struct bytes **messages, size_t max)
{
    size_t count;

    if (!atomic_load(&ob->told)) {
        return 0; /* Nothing has come since it was found empty, and what comes wakes. */
    }
    LOCK(OUTBOX, &ob->lock);
    count = ob->count < max ? ob->count : max;
    for (size_t i = 0; i < count; i++) {
        messages[i] = *place_locked(ob, i);
    }
    if (ob->count == 0) {
        atomic_store(&ob->told, false);
    }
    UNLOCK(OUTBOX, &ob->lock);
    return count;
}

/* Takes the oldest message out; the caller drops it once the lock is gone. */
static struct bytes *
take_locked(struct outbox *ob) REQUIRES(LC_OUTBOX)
{
    struct bytes *message = *place_locked(ob, 0);

    ob->first = (ob->first + 1) & (ob->room - 1);
    ob->count--;
    atomic_fetch_sub(&ob->bytes, message->len);
    return message;
}

/* Returns whether it is empty; 'look': the owner will not look again before it is woken. */
static bool
pop(struct outbox *ob, size_t count, bool look)
{
    struct bytes *popped[POP_MESSAGES];
    bool empty = false;

    while (count) {
        size_t n = count < POP_MESSAGES ? count : POP_MESSAGES;

        LOCK(OUTBOX, &ob->lock);
        assert(ob->count >= n);
        for (size_t i = 0; i < n; i++) {
            popped[i] = take_locked(ob);
        }
        empty = ob->count == 0;
        if (empty && look) {
            atomic_store(&ob->told, false);
        }
        if (empty && ob->room > ROOM_KEPT) {
            resize_locked(ob, 0);
        }
        UNLOCK(OUTBOX, &ob->lock);
        for (size_t i = 0; i < n; i++) {
            bytes_unref(popped[i]);
        }
        count -= n;
    }
    return empty;
}

void
outbox_pop(struct outbox *ob, size_t count)
{
    pop(ob, count, false);
}

bool
outbox_pop_and_look(struct outbox *ob, size_t count)
{
    return pop(ob, count, true);
}

void
outbox_close(struct outbox *ob)
{
    bool more = true;

    while (more) {
        struct bytes *message = NULL;

        LOCK(OUTBOX, &ob->lock);
        ob->closed = true;
        more = ob->count > 0;
        if (more) {
            message = take_locked(ob);
        }
        UNLOCK(OUTBOX, &ob->lock);
        bytes_unref(message);
    }
}

UNSHARED void
outbox_destroy(struct outbox *ob)
{
    if (!ob) {
        return;
    }
    for (size_t i = 0; i < ob->count; i++) {
        bytes_unref(*place_locked(ob, i));
    }
    free(ob->ring);
    lock_fini(&ob->lock);
    free(ob);
}
