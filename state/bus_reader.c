/* bus_reader.c -- a list of what is replayed, then a ring of what is new.
 *
 * DESIGN.  The past is picked at once, as references to events that are kept already: later picking
 * would race with their being forgotten.  It stands in front of the ring and is not dropped; a gap
 * in what is new stands between the two.  Dropping is always from the front of the ring, so one gap
 * is enough: it grows until it is handed out. */
#include "state/bus_reader.h"

#include "state/bus_private.h"

#include <assert.h>
#include <stdio.h>

struct gap {
    uint64_t from, to; /* Both included; 'from' 0: there is none. */
};

/* What each event touches stands together. */
struct bus_reader {
    struct bus *bus; /* Borrowed; set once, as are the next four. */
    char *tenant;    /* Owned, or null. */
    size_t take_bytes;
    void (*wake)(void *arg);
    void *arg;
    struct bus_reader *next GUARDED_BY(LC_BUS), **self GUARDED_BY(LC_BUS);
    enum { ON, ENDING, OVER } life GUARDED_BY(LC_BUS);
    bool told GUARDED_BY(LC_BUS); /* The owner will look. */
    /* What came since it was opened. */
    struct bus_event **ring GUARDED_BY(LC_BUS); /* Owned; options.queue places. */
    unsigned first GUARDED_BY(LC_BUS), count GUARDED_BY(LC_BUS);
    size_t bytes GUARDED_BY(LC_BUS);
    struct gap gap GUARDED_BY(LC_BUS);
    /* What it was opened with. */
    struct gap past GUARDED_BY(LC_BUS);
    struct bus_event **replay GUARDED_BY(LC_BUS); /* Owned; null once it is handed out. */
    size_t replay_at GUARDED_BY(LC_BUS), replay_count GUARDED_BY(LC_BUS);
    struct bus_reader_stats stats GUARDED_BY(LC_BUS); /* The members that count. */
    struct bus_patterns patterns GUARDED_BY(LC_BUS);
    enum bus_over over GUARDED_BY(LC_BUS); /* Why. */
};

static bool
sees_locked(const struct bus_reader *r, const struct bus_event *event) REQUIRES(LC_BUS)
{
    return bus_event_is_for(event, r->tenant) && bus_patterns_match(&r->patterns, event->topic);
}

/* Whether readers may read it at all: the same for all of them. */
static bool
is_outside(const struct bus *bus, const struct bus_event *event)
{
    return bus_patterns_match(&bus->outside, event->topic);
}

static bool
sees_kept_locked(const struct bus_reader *r, const struct bus_event *event) REQUIRES(LC_BUS)
{
    return sees_locked(r, event) && is_outside(r->bus, event);
}

/* ---- What is new ---- */

static struct bus_event *
take_oldest_locked(struct bus_reader *r) REQUIRES(LC_BUS)
{
    struct bus_event *event = r->ring[r->first];

    r->first = (r->first + 1) % r->bus->options.queue;
    r->count--;
    r->bytes -= event->text.len;
    return event;
}

static void
drop_oldest_locked(struct bus_reader *r) REQUIRES(LC_BUS)
{
    struct bus_event *event = take_oldest_locked(r);

    r->gap.from = r->gap.from ? r->gap.from : event->seq;
    r->gap.to = event->seq;
    r->stats.dropped++;
    r->bus->stats.unread++;
    bus_event_unref(event);
}

static bool
has_room_locked(const struct bus_reader *r, const struct bus_event *event) REQUIRES(LC_BUS)
{
    const struct bus_options *o = &r->bus->options;

    return r->count < o->queue && (!r->count || r->bytes + event->text.len <= o->queue_bytes);
}

static void
tell_owner_locked(struct bus_reader *r) REQUIRES(LC_BUS)
{
    if (!r->told) {
        r->told = true;
        r->wake(r->arg);
    }
}

static void
push_locked(struct bus_reader *r, struct bus_event *event) REQUIRES(LC_BUS)
{
    bool full = !has_room_locked(r, event);

    r->bus->stats.overflows += full;
    if (full && r->bus->options.end_on_overflow) {
        r->life = ENDING;
        r->over = BUS_OVER_SLOW;
    } else {
        while (!has_room_locked(r, event)) {
            drop_oldest_locked(r);
        }
        r->ring[(r->first + r->count) % r->bus->options.queue] = bus_event_ref(event);
        r->count++;
        r->bytes += event->text.len;
    }
    tell_owner_locked(r);
}

void
bus_readers_push_locked(struct bus *bus, struct bus_event *event) REQUIRES(LC_BUS)
{
    struct bus_reader *r = is_outside(bus, event) ? bus->readers : NULL;

    for (; r; r = r->next) {
        if (r->life == ON && sees_locked(r, event)) {
            push_locked(r, event);
        }
    }
}

/* ---- The past ---- */

/* The places in the ring of what is kept that may be replayed: from the first whose number is
 * greater than 'seq' and that is not too old. */
static unsigned
skip_old_locked(struct bus *bus, uint64_t seq) REQUIRES(LC_BUS)
{
    int64_t oldest_ns = clock_mono(bus->options.clock) - bus->options.replay_ns;
    unsigned back = 0;

    while (back < bus->count && (bus_kept_locked(bus, back)->seq <= seq ||
                                 bus_kept_locked(bus, back)->mono_ns < oldest_ns)) {
        back++;
    }
    return back;
}

/* Where the newest 'last' begin that the reader sees. */
static unsigned
skip_to_last_locked(struct bus_reader *r, unsigned last) REQUIRES(LC_BUS)
{
    struct bus *bus = r->bus;
    unsigned back = bus->count;

    while (back > 0 && last > 0) {
        back--;
        last -= sees_kept_locked(r, bus_kept_locked(bus, back));
    }
    return back;
}

/* Takes along all that it sees from 'back' on. */
static void
pick_locked(struct bus_reader *r, unsigned back, struct bus_reader_start *start) REQUIRES(LC_BUS)
{
    struct bus *bus = r->bus;

    r->replay = xcalloc(bus->count - back + 1, sizeof(struct bus_event *));
    for (; back < bus->count; back++) {
        struct bus_event *event = bus_kept_locked(bus, back);

        if (sees_kept_locked(r, event)) {
            start->from = start->from ? start->from : event->seq;
            r->replay[r->replay_count++] = bus_event_ref(event);
        }
    }
    start->replay = r->replay_count;
}

static void
pick_since_locked(struct bus_reader *r, uint64_t seq, struct bus_reader_start *start)
    REQUIRES(LC_BUS)
{
    struct bus *bus = r->bus;
    unsigned back = skip_old_locked(bus, seq);
    uint64_t next = back < bus->count ? bus_kept_locked(bus, back)->seq : bus->seq + 1;

    if (next > seq + 1) {
        r->past = (struct gap){seq + 1, next - 1};
        start->complete = false;
    }
    pick_locked(r, back, start);
}

/* ---- Opening and closing ---- */

/* Picks what it is told of the past. */
static void
look_back_locked(struct bus_reader *r, const struct bus_reader_options *o,
                 struct bus_reader_start *start) REQUIRES(LC_BUS)
{
    struct bus *bus = r->bus;

    *start = (struct bus_reader_start){.epoch = bus->epoch, .seq = bus->seq, .complete = true};
    start->resumed = o->from == BUS_FROM_SEQ && (!o->epoch || strcmp(o->epoch, bus->epoch) == 0) &&
                     o->seq <= bus->seq;
    if (start->resumed) {
        pick_since_locked(r, o->seq, start);
    } else if (o->from != BUS_FROM_NOW && o->last) {
        pick_locked(r, skip_to_last_locked(r, o->last), start);
    }
    r->told = true;
}

static void
begin_locked(struct bus *bus, struct bus_reader *r, const struct bus_reader_options *o,
             struct bus_reader_start *start) REQUIRES(LC_BUS)
{
    look_back_locked(r, o, start);
    r->next = bus->readers;
    if (r->next) {
        r->next->self = &r->next;
    }
    r->self = &bus->readers;
    bus->readers = r;
    bus->stats.readers++;
}

/* Nobody else knows it. */
static UNSHARED void
free_reader(struct bus_reader *r)
{
    while (r->replay_at < r->replay_count) {
        bus_event_unref(r->replay[r->replay_at++]);
    }
    while (r->count) {
        bus_event_unref(take_oldest_locked(r));
    }
    bus_patterns_fini(&r->patterns);
    free(r->replay);
    free(r->ring);
    free(r->tenant);
    free(r);
}

UNSHARED enum err
bus_reader_open(struct bus *bus, const struct bus_reader_options *options,
                struct bus_reader **reader, struct bus_reader_start *start, struct fault *f)
{
    struct bus_reader *r = xcalloc(1, sizeof *r);
    bool room;

    assert(lock_none_held());
    r->bus = bus;
    r->tenant = options->tenant ? xstrdup(options->tenant) : NULL;
    r->take_bytes = options->take_bytes ? options->take_bytes : SIZE_MAX;
    r->wake = options->wake;
    r->arg = options->arg;
    r->ring = xcalloc(bus->options.queue, sizeof(struct bus_event *));
    if (options->patterns) {
        bus_patterns_copy(options->patterns, &r->patterns);
    }
    LOCK(BUS, &bus->lock);
    room = bus->stats.readers < bus->options.readers;
    if (room) {
        begin_locked(bus, r, options, start);
    } else {
        bus->stats.refused++;
    }
    UNLOCK(BUS, &bus->lock);
    *reader = room ? r : NULL;
    if (!room) {
        free_reader(r);
        fault_set(f, E_OVERLOAD, "%u clients read events already", bus->options.readers);
        return fault_remedy(f, "end one of them, or raise relay.max_clients");
    }
    return E_OK;
}

const char *
bus_reader_tenant(const struct bus_reader *r)
{
    return r->tenant;
}

void
bus_reader_close(struct bus_reader *r)
{
    if (!r) {
        return;
    }
    assert(lock_none_held());
    LOCK(BUS, &r->bus->lock);
    *r->self = r->next;
    if (r->next) {
        r->next->self = r->self;
    }
    r->bus->stats.readers--;
    UNLOCK(BUS, &r->bus->lock);
    free_reader(r);
}

/* ---- Reading ---- */

static void
hand_out_locked(struct bus_reader *r, struct bus_item *item, struct bus_event *event, bool replay)
    REQUIRES(LC_BUS)
{
    *item = (struct bus_item){.kind = BUS_ITEM_EVENT, .replay = replay, .event = event};
    r->stats.taken++;
    r->stats.last_seq = event->seq;
    r->bus->stats.read++;
}

static void
hand_out_gap(struct gap *gap, struct bus_item *item, bool replay)
{
    *item =
        (struct bus_item){.kind = BUS_ITEM_GAP, .replay = replay, .from = gap->from, .to = gap->to};
    *gap = (struct gap){0, 0};
}

static void
end_replay_locked(struct bus_reader *r) REQUIRES(LC_BUS)
{
    free(r->replay);
    r->replay = NULL;
    r->replay_at = r->replay_count = 0;
}

/* One that ends hands out what it has, and then that it is over. */
static bool
take_one_locked(struct bus_reader *r, struct bus_item *item) REQUIRES(LC_BUS)
{
    if (r->past.from) {
        hand_out_gap(&r->past, item, true);
    } else if (r->replay_at < r->replay_count) {
        hand_out_locked(r, item, r->replay[r->replay_at++], true);
    } else if (r->gap.from) {
        hand_out_gap(&r->gap, item, false);
    } else if (r->count) {
        hand_out_locked(r, item, take_oldest_locked(r), false);
    } else if (r->life == ENDING) {
        *item = (struct bus_item){.kind = BUS_ITEM_OVER, .over = r->over};
        r->life = OVER;
    } else {
        return false;
    }
    return true;
}

static bool
is_empty_locked(const struct bus_reader *r) REQUIRES(LC_BUS)
{
    return !r->past.from && r->replay_at == r->replay_count && !r->gap.from && !r->count &&
           r->life != ENDING;
}

static struct bus_reader_stats
stats_locked(const struct bus_reader *r) REQUIRES(LC_BUS)
{
    struct bus_reader_stats s = r->stats;

    s.waiting = r->count;
    s.waiting_bytes = r->bytes;
    s.replay = r->replay_count - r->replay_at;
    s.empty = is_empty_locked(r);
    return s;
}

/* Events that are not kept for others any more are freed here, under the lock: no more than a
 * reader's queue holds, and only when somebody asks for a replay. */
static void
drop_all_locked(struct bus_reader *r) REQUIRES(LC_BUS)
{
    while (r->replay_at < r->replay_count) {
        bus_event_unref(r->replay[r->replay_at++]);
    }
    end_replay_locked(r);
    while (r->count) {
        bus_event_unref(take_oldest_locked(r));
    }
    r->past = r->gap = (struct gap){0, 0};
}

void
bus_reader_rewind(struct bus_reader *r, uint64_t seq, struct bus_reader_start *start)
{
    const struct bus_reader_options behind = {.from = BUS_FROM_SEQ, .seq = seq};

    assert(lock_none_held());
    LOCK(BUS, &r->bus->lock);
    drop_all_locked(r);
    look_back_locked(r, &behind, start);
    UNLOCK(BUS, &r->bus->lock);
}

size_t
bus_reader_take(struct bus_reader *r, struct bus_item *items, size_t max,
                struct bus_reader_stats *stats)
{
    size_t taken = 0, bytes = 0;

    assert(lock_none_held());
    LOCK(BUS, &r->bus->lock);
    while (taken < max && bytes < r->take_bytes && take_one_locked(r, &items[taken])) {
        bytes += items[taken].event ? items[taken].event->text.len : 0;
        taken++;
    }
    if (r->replay && r->replay_at == r->replay_count) {
        end_replay_locked(r);
    }
    r->told = !is_empty_locked(r);
    if (stats) {
        *stats = stats_locked(r);
    }
    UNLOCK(BUS, &r->bus->lock);
    return taken;
}

void
bus_reader_choose(struct bus_reader *r, const struct bus_patterns *patterns)
{
    struct bus_patterns copy = {.count = 0}, old;

    bus_patterns_copy(patterns, &copy);
    LOCK(BUS, &r->bus->lock);
    old = r->patterns;
    r->patterns = copy;
    UNLOCK(BUS, &r->bus->lock);
    bus_patterns_fini(&old);
}

/* ---- By tenant ---- */

bool
bus_readers_next_tenant(struct bus *bus, const char *after, char tenant[TENANT_ID_SIZE])
{
    const char *next = NULL;

    LOCK(BUS, &bus->lock);
    for (struct bus_reader *r = bus->readers; r; r = r->next) {
        if (r->tenant && r->life == ON && (!after || strcmp(r->tenant, after) > 0) &&
            (!next || strcmp(r->tenant, next) < 0)) {
            next = r->tenant;
        }
    }
    if (next) { /* It lasts as long as its reader: under the lock. */
        snprintf(tenant, TENANT_ID_SIZE, "%s", next);
    }
    UNLOCK(BUS, &bus->lock);
    return next != NULL;
}

unsigned
bus_readers_end(struct bus *bus, const char *tenant)
{
    unsigned ended = 0;

    LOCK(BUS, &bus->lock);
    for (struct bus_reader *r = bus->readers; r; r = r->next) {
        if (r->tenant && r->life == ON && strcmp(r->tenant, tenant) == 0) {
            drop_all_locked(r);
            r->life = ENDING;
            r->over = BUS_OVER_TENANT;
            tell_owner_locked(r);
            ended++;
        }
    }
    UNLOCK(BUS, &bus->lock);
    return ended;
}

struct bus_reader_stats
bus_reader_stats(struct bus_reader *r)
{
    struct bus_reader_stats s;

    LOCK(BUS, &r->bus->lock);
    s = stats_locked(r);
    UNLOCK(BUS, &r->bus->lock);
    return s;
}
