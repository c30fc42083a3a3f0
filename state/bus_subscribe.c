/* bus_subscribe.c -- one thread, one bounded queue, a short list of subscribers.
 *
 * DESIGN.  An event is queued if anyone wants it, once for all of them.  A subscription that is
 * being called stays in the list until the call returns, so that whoever walks the list may drop
 * the lock for it; who unsubscribes meanwhile waits for that, unless it is the callback itself. */
#include "state/bus_subscribe.h"

#include "state/bus_private.h"

#include <assert.h>

struct bus_subscription {
    uint64_t id;
    uint64_t from; /* The number after which it subscribed. */
    struct bus_patterns patterns;
    bus_callback callback;
    void *arg;
    bool once;
    bool running GUARDED_BY(LC_BUS);
    bool gone GUARDED_BY(LC_BUS); /* Not to be called again; freed once it does not run. */
    struct bus_subscription *next GUARDED_BY(LC_BUS);
};

/* ---- The list ---- */

static bool
wants_locked(const struct bus_subscription *s, const struct bus_event *event) REQUIRES(LC_BUS)
{
    return !s->gone && event->seq > s->from && bus_patterns_match(&s->patterns, event->topic);
}

static struct bus_subscription *
find_locked(struct bus *bus, uint64_t id) REQUIRES(LC_BUS)
{
    struct bus_subscription *s = bus->subscriptions;

    while (s && s->id != id) {
        s = s->next;
    }
    return s;
}

static void
remove_locked(struct bus *bus, struct bus_subscription *gone) REQUIRES(LC_BUS)
{
    struct bus_subscription **at = &bus->subscriptions;

    while (*at != gone) {
        at = &(*at)->next;
    }
    *at = gone->next;
    bus_patterns_fini(&gone->patterns);
    free(gone);
}

/* Marks one that is still there as gone. */
static void
end_locked(struct bus *bus, struct bus_subscription *s) REQUIRES(LC_BUS)
{
    s->gone = true;
    bus->stats.subscribers--;
}

/* ---- The queue ---- */

void
bus_subscribers_push_locked(struct bus *bus, struct bus_event *event) REQUIRES(LC_BUS)
{
    const struct bus_subscription *s = bus->subscriptions;

    while (s && !wants_locked(s, event)) {
        s = s->next;
    }
    if (!s) {
        return;
    }
    if (bus->queue_count == BUS_SUBSCRIBERS_QUEUE ||
        bus->queue_bytes + event->text.len > BUS_SUBSCRIBERS_BYTES) {
        bus->stats.dropped++;
        return;
    }
    *(bus->queue_count ? &bus->queue_last->behind : &bus->queue_first) = bus_event_ref(event);
    bus->queue_last = event;
    bus->queue_count++;
    bus->queue_bytes += event->text.len;
    cond_signal(&bus->work);
}

static struct bus_event *
pop_locked(struct bus *bus) REQUIRES(LC_BUS)
{
    struct bus_event *event = bus->queue_first;

    bus->queue_first = event->behind;
    bus->queue_count--;
    bus->queue_bytes -= event->text.len;
    return event;
}

/* ---- The thread ---- */

/* The next event, which is the caller's; null at the end. */
static struct bus_event *
wait_for_event(struct bus *bus)
{
    struct bus_event *event;

    LOCK(BUS, &bus->lock);
    while (!bus->stopping && !bus->queue_count) {
        cond_wait(&bus->work, &bus->lock, INT64_MAX);
    }
    event = bus->stopping ? NULL : pop_locked(bus);
    UNLOCK(BUS, &bus->lock);
    return event;
}

/* The first from 's' on that wants 'event', marked as running; or null. */
static struct bus_subscription *
begin_locked(struct bus *bus, struct bus_subscription *s, const struct bus_event *event)
    REQUIRES(LC_BUS)
{
    while (s && !wants_locked(s, event)) {
        s = s->next;
    }
    if (s) {
        s->running = true;
        if (s->once) {
            end_locked(bus, s);
        }
    }
    return s;
}

/* A call of 's' has returned: the one behind it. */
static struct bus_subscription *
end_call_locked(struct bus *bus, struct bus_subscription *s, enum err err) REQUIRES(LC_BUS)
{
    struct bus_subscription *next = s->next;

    s->running = false;
    bus->stats.failed += err != E_OK;
    if (s->gone) {
        remove_locked(bus, s);
        cond_broadcast(&bus->idle);
    }
    return next;
}

static void
tell_all(struct bus *bus, const struct bus_event *event)
{
    struct bus_subscription *s;

    LOCK(BUS, &bus->lock);
    s = begin_locked(bus, bus->subscriptions, event);
    UNLOCK(BUS, &bus->lock);
    while (s) {
        enum err err = s->callback(s->arg, event);

        assert(lock_none_held());
        LOCK(BUS, &bus->lock);
        s = begin_locked(bus, end_call_locked(bus, s, err), event);
        UNLOCK(BUS, &bus->lock);
    }
}

static void *
run(void *arg)
{
    struct bus *bus = arg;
    struct bus_event *event;

    while ((event = wait_for_event(bus))) {
        tell_all(bus, event);
        bus_event_unref(event);
    }
    return NULL;
}

static enum err
start_locked(struct bus *bus, struct fault *f) REQUIRES(LC_BUS)
{
    int failed = bus->started ? 0 : thread_start(&bus->thread, "tandem-bus", run, bus);

    if (failed) {
        return fault_set(f, E_IO, "the thread of the event bus cannot be started: %s",
                         strerror(failed));
    }
    bus->started = true;
    return E_OK;
}

/* ---- Subscribing ---- */

static enum err
subscribe(struct bus *bus, const struct bus_patterns *patterns, struct bus_subscription *s,
          uint64_t *id, struct fault *f)
{
    struct bus_subscription **at;
    enum err err;

    assert(lock_none_held());
    if (patterns) {
        bus_patterns_copy(patterns, &s->patterns);
    }
    LOCK(BUS, &bus->lock);
    err = start_locked(bus, f);
    if (!err) {
        for (at = &bus->subscriptions; *at; at = &(*at)->next) {
        }
        *at = s;
        s->from = bus->seq;
        *id = s->id = ++bus->last_subscription;
        bus->stats.subscribers++;
    }
    UNLOCK(BUS, &bus->lock);
    if (err) {
        bus_patterns_fini(&s->patterns);
        free(s);
    }
    return err;
}

enum err
bus_subscribe(struct bus *bus, const struct bus_patterns *patterns, bus_callback callback,
              void *arg, uint64_t *id, struct fault *f)
{
    struct bus_subscription *s = xcalloc(1, sizeof *s);

    s->callback = callback;
    s->arg = arg;
    return subscribe(bus, patterns, s, id, f);
}

enum err
bus_subscribe_once(struct bus *bus, const struct bus_patterns *patterns, bus_callback callback,
                   void *arg, uint64_t *id, struct fault *f)
{
    struct bus_subscription *s = xcalloc(1, sizeof *s);

    s->callback = callback;
    s->arg = arg;
    s->once = true;
    return subscribe(bus, patterns, s, id, f);
}

bool
bus_unsubscribe(struct bus *bus, uint64_t id)
{
    struct bus_subscription *s;
    bool found;

    assert(lock_none_held());
    LOCK(BUS, &bus->lock);
    s = find_locked(bus, id);
    found = s && !s->gone;
    if (found) {
        end_locked(bus, s);
    }
    if (s && !s->running) {
        remove_locked(bus, s);
    } else if (s && !pthread_equal(pthread_self(), bus->thread)) {
        while (find_locked(bus, id)) {
            cond_wait(&bus->idle, &bus->lock, INT64_MAX);
        }
    }
    UNLOCK(BUS, &bus->lock);
    return found;
}

/* ---- Its life ---- */

UNSHARED void
bus_subscribers_init(struct bus *bus)
{
    cond_init(&bus->work);
    cond_init(&bus->idle);
}

UNSHARED void
bus_subscribers_fini(struct bus *bus)
{
    if (bus->started) {
        LOCK(BUS, &bus->lock);
        bus->stopping = true;
        cond_signal(&bus->work);
        UNLOCK(BUS, &bus->lock);
        pthread_join(bus->thread, NULL);
    }
    while (bus->queue_count) {
        bus_event_unref(pop_locked(bus));
    }
    while (bus->subscriptions) {
        remove_locked(bus, bus->subscriptions);
    }
    cond_fini(&bus->work);
    cond_fini(&bus->idle);
}
