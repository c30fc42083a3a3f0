/* bus.c -- publishing, and what is kept of it.
 *
 * DESIGN.  One lock, held for memory only: the number is given, and the event goes into the ring
 * and into each queue that it concerns, so that every order that anyone sees is that of the
 * numbers.  The text is made before (bus_event.c).  Consumers are woken under the lock; what a wake
 * may do is next to nothing, and so it never comes after its consumer has gone. */
#include "state/bus_private.h"

#include "state/base/keeper.h"
#include "state/base/lock.h"

#include <assert.h>

/* What the server tells of itself. */
static const char *const reserved[] = {
    "tenant", "helpdesk", "llm",      "ideas", "failure", "session", "config",
    "quota",  "relay",    "workflow", "rag",   "cache",   "system",
};

static bool
is_epoch(const char *epoch)
{
    size_t len = strspn(epoch, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return len > 0 && len <= BUS_EPOCH_MAX && !epoch[len];
}

UNSHARED struct bus *
bus_create(const struct bus_options *options)
{
    struct bus *bus = xcalloc(1, sizeof *bus);

    assert(is_epoch(options->epoch) && options->history > 0 && options->queue > 0);
    bus->options = *options;
    bus->options.epoch = bus->epoch;
    memcpy(bus->epoch, options->epoch, strlen(options->epoch));
    bus->options.outside = &bus->outside;
    if (options->outside) {
        bus_patterns_copy(options->outside, &bus->outside);
    }
    atomic_init(&bus->enabled, true);
    lock_init(&bus->lock, RANK_BUS);
    bus->ring = xcalloc(options->history, sizeof *bus->ring);
    bus_subscribers_init(bus);
    return bus;
}

UNSHARED void
bus_destroy(struct bus *bus)
{
    if (!bus) {
        return;
    }
    bus_subscribers_fini(bus);
    assert(!bus->readers);
    while (bus->count) {
        bus_event_unref(bus_kept_locked(bus, --bus->count));
    }
    bus_patterns_fini(&bus->filters);
    bus_patterns_fini(&bus->outside);
    lock_fini(&bus->lock);
    free(bus->ring);
    free(bus);
}

const char *
bus_epoch(const struct bus *bus)
{
    return bus->epoch;
}

uint64_t
bus_seq(struct bus *bus)
{
    uint64_t seq;

    LOCK(BUS, &bus->lock);
    seq = bus->seq;
    UNLOCK(BUS, &bus->lock);
    return seq;
}

void
bus_stirs(struct bus *bus, struct keeper_job *job)
{
    LOCK(BUS, &bus->lock);
    bus->stirred = job;
    UNLOCK(BUS, &bus->lock);
}

/* ---- What is kept ---- */

struct bus_event *
bus_kept_locked(struct bus *bus, unsigned back) REQUIRES(LC_BUS)
{
    return bus->ring[(bus->first + back) % bus->options.history];
}

static void
forget_oldest_locked(struct bus *bus) REQUIRES(LC_BUS)
{
    struct bus_event *event = bus_kept_locked(bus, 0);

    bus->first = (bus->first + 1) % bus->options.history;
    bus->count--;
    bus->bytes -= event->text.len;
    bus_event_unref(event);
}

static void
keep_locked(struct bus *bus, struct bus_event *event) REQUIRES(LC_BUS)
{
    while (bus->count && (bus->count == bus->options.history ||
                          bus->bytes + event->text.len > bus->options.history_bytes)) {
        forget_oldest_locked(bus);
    }
    bus->ring[(bus->first + bus->count) % bus->options.history] = bus_event_ref(event);
    bus->count++;
    bus->bytes += event->text.len;
}

static bool
asked_for_locked(const struct bus *bus, const struct bus_query *query,
                 const struct bus_event *event) REQUIRES(LC_BUS)
{
    return (!query->before || event->seq < query->before) &&
           bus_event_is_for(event, query->tenant) &&
           (!query->patterns || bus_patterns_match(query->patterns, event->topic)) &&
           (!query->outside || bus_patterns_match(&bus->outside, event->topic));
}

size_t
bus_recent(struct bus *bus, const struct bus_query *query, struct bus_event **events, size_t max)
{
    size_t found = 0;

    LOCK(BUS, &bus->lock);
    for (unsigned left = bus->count; left > 0 && found < max; left--) {
        struct bus_event *event = bus_kept_locked(bus, left - 1);

        if (event->seq <= query->after) {
            break;
        }
        if (asked_for_locked(bus, query, event)) {
            events[found++] = bus_event_ref(event);
        }
    }
    UNLOCK(BUS, &bus->lock);
    for (size_t i = 0; i < found / 2; i++) {
        struct bus_event *newer = events[i];

        events[i] = events[found - 1 - i];
        events[found - 1 - i] = newer;
    }
    return found;
}

/* ---- Publishing ---- */

static enum published
hand_out_locked(struct bus *bus, struct bus_event *event, bool truncated) REQUIRES(LC_BUS)
{
    if (!bus_patterns_match(&bus->filters, event->topic)) {
        bus->stats.filtered++;
        return PUBLISHED_FILTERED;
    }
    bus_event_number(event, bus->epoch, ++bus->seq);
    bus->stats.published++;
    bus->stats.truncated += truncated;
    bus->stats.last_ns = event->wall_ns;
    keep_locked(bus, event);
    bus_subscribers_push_locked(bus, event);
    bus_readers_push_locked(bus, event);
    if (bus->stirred) {
        keeper_stir(bus->stirred);
    }
    return PUBLISHED_ACCEPTED;
}

enum published
bus_publish_seq(struct bus *bus, const struct bus_draft *draft, uint64_t *seq)
{
    enum published published = PUBLISHED_FAILED;
    const struct clock *clock = bus ? bus->options.clock : NULL;
    struct bus_event *event = NULL;
    bool truncated = false;

    assert(lock_none_held());
    if (!bus) {
        published = PUBLISHED_DISABLED;
    } else if (!draft->topic || !bus_topic_valid(slice_of(draft->topic))) {
        atomic_fetch_add(&bus->invalid, 1);
        published = PUBLISHED_INVALID;
    } else if (!atomic_load(&bus->enabled)) {
        atomic_fetch_add(&bus->disabled, 1);
        published = PUBLISHED_DISABLED;
    } else {
        event = bus_event_new(draft, clock_wall(clock), clock_mono(clock), &truncated);
        atomic_fetch_add(&bus->failed, !event);
    }
    json_decref(draft->data);
    if (event) {
        LOCK(BUS, &bus->lock);
        published = hand_out_locked(bus, event, truncated);
        UNLOCK(BUS, &bus->lock);
        *seq = event->seq;
        bus_event_unref(event);
    }
    return published;
}

enum published
bus_publish(struct bus *bus, const struct bus_draft *draft)
{
    uint64_t seq;

    return bus_publish_seq(bus, draft, &seq);
}

const char *
published_name(enum published published)
{
    static const char *const names[] = {"accepted", "disabled", "filtered", "invalid", "failed"};

    return names[published];
}

enum err
bus_check_topic(struct slice topic, struct fault *f)
{
    const char *dot;
    struct slice type = topic;

    if (!bus_topic_valid(topic)) {
        fault_set(f, E_ARGUMENT, "this is no topic");
        return fault_remedy(f,
                            "a topic is words of a to z, 0 to 9 and _ with dots between them, "
                            "at most %d bytes: build.finished",
                            BUS_TOPIC_MAX);
    }
    dot = memchr(topic.data, '.', topic.len);
    type.len = dot ? (size_t)(dot - topic.data) : topic.len;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (slice_is(type, reserved[i])) {
            fault_set(f, E_ARGUMENT, "topics of '%s' are the server's own", reserved[i]);
            return fault_remedy(f, "begin the topic with another word, such as your program's");
        }
    }
    return E_OK;
}

/* ---- Filters, and on and off ---- */

enum err
bus_add_filter(struct bus *bus, struct slice pattern, struct fault *f)
{
    enum err err;

    LOCK(BUS, &bus->lock);
    err = bus_patterns_add(&bus->filters, pattern, f);
    UNLOCK(BUS, &bus->lock);
    return err;
}

bool
bus_remove_filter(struct bus *bus, struct slice pattern)
{
    bool found;

    LOCK(BUS, &bus->lock);
    found = bus_patterns_remove(&bus->filters, pattern);
    UNLOCK(BUS, &bus->lock);
    return found;
}

void
bus_set_filters(struct bus *bus, const struct bus_patterns *filters)
{
    struct bus_patterns copy = {.count = 0}, old;

    bus_patterns_copy(filters, &copy);
    LOCK(BUS, &bus->lock);
    old = bus->filters;
    bus->filters = copy;
    UNLOCK(BUS, &bus->lock);
    bus_patterns_fini(&old);
}

void
bus_filters(struct bus *bus, struct bus_patterns *filters)
{
    LOCK(BUS, &bus->lock);
    bus_patterns_copy(&bus->filters, filters);
    UNLOCK(BUS, &bus->lock);
}

void
bus_enable(struct bus *bus, bool enabled)
{
    atomic_store(&bus->enabled, enabled);
}

void
bus_reset(struct bus *bus)
{
    struct bus_patterns old;
    struct bus_stats fresh = {.generation = 0};

    LOCK(BUS, &bus->lock);
    while (bus->count) {
        forget_oldest_locked(bus);
    }
    old = bus->filters;
    bus->filters = (struct bus_patterns){.count = 0};
    fresh.generation = bus->stats.generation + 1;
    fresh.subscribers = bus->stats.subscribers;
    fresh.readers = bus->stats.readers;
    bus->stats = fresh;
    atomic_store(&bus->enabled, true);
    atomic_store(&bus->disabled, 0);
    atomic_store(&bus->invalid, 0);
    atomic_store(&bus->failed, 0);
    UNLOCK(BUS, &bus->lock);
    bus_patterns_fini(&old);
}

/* ---- What there is to know ---- */

struct bus_stats
bus_stats(struct bus *bus)
{
    struct lock_counters lock = lock_counters(&bus->lock);
    struct bus_stats s;

    LOCK(BUS, &bus->lock);
    s = bus->stats;
    s.seq = bus->seq;
    s.filters = bus->filters.count;
    s.history = bus->count;
    s.history_bytes = bus->bytes;
    s.waiting = bus->queue_count;
    UNLOCK(BUS, &bus->lock);
    s.enabled = atomic_load(&bus->enabled);
    s.disabled = atomic_load(&bus->disabled);
    s.invalid = atomic_load(&bus->invalid);
    s.failed += atomic_load(&bus->failed);
    s.lock_acquisitions = lock.acquisitions;
    s.lock_waits = lock.waits;
    return s;
}
