/* scenes.c -- MCP sessions, workflow sessions, slots, phases, quotas, the bus. */
#include "tests/prove/scenes.h"

#include "state/base/slots.h"
#include "state/bus_reader.h"
#include "state/bus_subscribe.h"
#include "state/mcp_session.h"
#include "tests/prove/sched.h"
#include "tests/quota_rig.h"
#include "tests/workflow_rig.h"

#include <stdio.h>

/* ---- MCP sessions: places are never given twice, an ended one is ended once and for all ---- */

#define CLIENTS 3

struct sessions_scene {
    struct mcp_sessions *table;
    struct fake_clock clock;
    bool expire;
    _Atomic unsigned held[2], all, ends, started;
    _Atomic(struct mcp_session *) shared; /* Of the first client, for the others to end. */
};
static const char *const principals[2] = {"ann", "bob"};

static void
end_session(struct sessions_scene *s, struct mcp_session *session)
{
    atomic_fetch_add(&s->ends, mcp_session_end(s->table, session));
    SCHED_CHECK(atomic_load(&session->ended));
}

static void
use_session(struct sessions_scene *s, struct mcp_session *session, unsigned who)
{
    struct slice id = slice_of(session->id), principal = slice_of(principals[who]);
    struct mcp_session *found;
    enum err err;

    mcp_session_busy(session);
    err = mcp_session_find(s->table, id, principal, &found, NULL);
    SCHED_CHECK(err == E_OK ? found == session : atomic_load(&session->ended));
    mcp_session_unref(found);
    SCHED_CHECK(mcp_session_find(s->table, id, slice_of(principals[!who]), &found, NULL) ==
                E_NO_SESSION);
    mcp_session_idle(session, clock_mono(&s->clock.clock));
    (void)mcp_session_send(session, SLICE("{}"));
    if (sched_pick(2)) {
        mcp_sessions_expire(s->table);
    }
}

static void
play_client(void *arg, unsigned i)
{
    struct sessions_scene *s = arg;
    struct mcp_session *session, *other, *found;
    unsigned who = i % 2;

    if (s->expire) {
        fake_clock_pass(&s->clock, 60);
    }
    if (mcp_session_start(s->table, slice_of(principals[who]), &session, NULL) == E_OK) {
        atomic_fetch_add(&s->started, 1);
        SCHED_CHECK(atomic_fetch_add(&s->held[who], 1) < 1 || s->expire);
        SCHED_CHECK(atomic_fetch_add(&s->all, 1) < 2 || s->expire);
        if (i == 0) {
            mcp_session_ref(session);
            atomic_store(&s->shared, session);
        }
        use_session(s, session, who);
        atomic_fetch_sub(&s->held[who], 1);
        atomic_fetch_sub(&s->all, 1);
        end_session(s, session);
        SCHED_CHECK(mcp_session_find(s->table, slice_of(session->id), slice_of(principals[who]),
                                     &found, NULL) == E_NO_SESSION);
        mcp_session_unref(session);
    }
    other = atomic_load(&s->shared);
    if (i > 0 && other && s->expire) {
        end_session(s, other);
    }
}

static void
play_sessions(void *unused)
{
    static struct sessions_scene s;
    struct mcp_session_limits limits = {
        .sessions = 2,
        .per_principal = 1,
        .idle_ns = 100,
        .streams = {.each = 1000, .all = 1500, .keep_ns = 1000, .open = 1},
    };
    struct mcp_sessions_counters c;

    (void)unused;
    memset(&s, 0, sizeof s);
    fake_clock_init(&s.clock);
    s.expire = sched_pick(2);
    s.table = mcp_sessions_create(&s.clock.clock, &limits);
    sched_together(CLIENTS, play_client, &s);
    c = mcp_sessions_counters(s.table);
    SCHED_CHECK(c.live == 0 && c.started == s.started && c.started == c.ended + c.expired);
    SCHED_CHECK(c.ended == s.ends);
    mcp_session_unref(s.shared);
    SCHED_CHECK(mcp_streams_counters(mcp_sessions_streams(s.table)).sets == 0);
    mcp_sessions_destroy(s.table);
}

/* ---- Workflow sessions: of all who start, one makes it; of all who look, one loads it ---- */

struct start_scene {
    struct store_rig rig;
    char ids[CLIENTS][RECORD_ID_SIZE];
    _Atomic unsigned made;
    _Atomic(struct live *) live;
};

static void
start_one(void *arg, unsigned i)
{
    struct start_scene *s = arg;
    bool resumed;

    SCHED_CHECK(store_rig_start(&s->rig, "pack", "a", false, s->ids[i], &resumed, NULL) == E_OK);
    atomic_fetch_add(&s->made, !resumed);
}

static void
look_up(void *arg, unsigned i)
{
    struct start_scene *s = arg;
    struct session_view view;
    struct live *none = NULL;

    SCHED_CHECK(workflow_store_get(s->rig.store, s->ids[i], &view, NULL) == E_OK);
    SCHED_CHECK(atomic_compare_exchange_strong(&s->live, &none, view.live) || none == view.live);
    workflow_store_release(s->rig.store, &view);
}

static void
play_starts(void *unused)
{
    static struct start_scene s;
    struct slots_counters before, after;

    (void)unused;
    store_rig_init(&s.rig);
    atomic_store(&s.made, 0);
    sched_together(CLIENTS, start_one, &s);
    SCHED_CHECK(s.made == 1);
    for (unsigned i = 1; i < CLIENTS; i++) {
        SCHED_CHECK(strcmp(s.ids[i], s.ids[0]) == 0);
    }
    workflow_store_forget(s.rig.store, s.ids[0]);
    before = workflow_store_counters(s.rig.store).sessions;
    atomic_store(&s.live, NULL);
    sched_together(CLIENTS, look_up, &s);
    after = workflow_store_counters(s.rig.store).sessions;
    SCHED_CHECK(after.misses - before.misses == 1);
    SCHED_CHECK(after.hits + after.double_loads - before.hits - before.double_loads == CLIENTS - 1);
    store_rig_fini(&s.rig);
}

/* ---- Phases: of all who complete one, one does; revisions rise; deleted is deleted ---- */

struct phase_scene {
    struct store_rig rig;
    char id[RECORD_ID_SIZE];
    bool delete;
    _Atomic unsigned good, deleted;
};

static void
read_revisions(struct phase_scene *s)
{
    struct session_view view;
    json_int_t last = 0;

    for (int n = 0; n < 3; n++) {
        enum err err = workflow_store_get(s->rig.store, s->id, &view, NULL);

        SCHED_CHECK(err == E_OK || (err == E_NOT_FOUND && s->delete));
        if (err == E_OK) {
            json_int_t revision = record_revision(view.record);
            SCHED_CHECK(revision >= last && revision <= 2);
            last = revision;
            workflow_store_release(s->rig.store, &view);
        }
    }
}

static void
play_phase(void *arg, unsigned i)
{
    struct phase_scene *s = arg;
    enum err err;

    if (i == 0) {
        read_revisions(s);
        return;
    }
    if (i == 1 && s->delete) {
        atomic_fetch_add(&s->deleted, workflow_store_delete(s->rig.store, s->id, NULL) == E_OK);
        return;
    }
    err = store_rig_complete(&s->rig, s->id, 0, true, (int)i, NULL);
    SCHED_CHECK(err == E_OK || err == E_STATE || (err == E_NOT_FOUND && s->delete));
    atomic_fetch_add(&s->good, err == E_OK);
}

static void
play_phases(void *unused)
{
    static struct phase_scene s;
    struct session_view view;
    struct dir_list files;
    bool resumed;
    enum err err;

    (void)unused;
    store_rig_init(&s.rig);
    atomic_store(&s.good, 0);
    atomic_store(&s.deleted, 0);
    s.delete = sched_pick(3) == 0;
    SCHED_CHECK(store_rig_start(&s.rig, "pack", "a", false, s.id, &resumed, NULL) == E_OK);
    if (sched_pick(2)) {
        workflow_store_forget(s.rig.store, s.id);
    }
    sched_together(4, play_phase, &s);
    err = workflow_store_get(s.rig.store, s.id, &view, NULL);
    if (s.delete) {
        SCHED_CHECK(s.deleted == 1 && s.good <= 1 && err == E_NOT_FOUND);
        SCHED_CHECK(dir_list(s.rig.dir, ".", 10, &files, NULL) == E_OK && files.count == 0);
        dir_list_fini(&files);
    } else {
        SCHED_CHECK(s.good == 1 && err == E_OK && record_revision(view.record) == 2);
        workflow_store_release(s.rig.store, &view);
        SCHED_CHECK(workflow_store_counters(s.rig.store).conflicts == 0);
    }
    store_rig_fini(&s.rig);
}

/* ---- Slots: one load at a time, a value lives while somebody has it ---- */

#define MAGIC 0x510751075107u
struct value {
    uint64_t magic;
    unsigned version;
};

struct slots_scene {
    struct slots_class class; /* Its 'reloads' is the seed's choice. */
    struct slots *slots;
    bool drops, fails;
    _Atomic unsigned loading, loads, freed, version, failures, asked;
};

static enum err
load_value(void *owner, const char *key, const char *version, void *arg, void **value,
           struct fault *f)
{
    struct slots_scene *s = owner;
    struct value *v;

    (void)key;
    (void)version;
    (void)arg;
    /* A drop lets a second one begin, but of a class that reloads. */
    SCHED_CHECK(atomic_fetch_add(&s->loading, 1) == 0 || (s->drops && !s->class.reloads));
    v = xcalloc(1, sizeof *v);
    v->magic = MAGIC;
    v->version = atomic_load(&s->version);
    sched_point();
    atomic_fetch_add(&s->loads, 1);
    atomic_fetch_sub(&s->loading, 1);
    if (s->fails && sched_pick(2)) {
        free(v);
        atomic_fetch_add(&s->failures, 1);
        return fault_set(f, E_IO, "it cannot be had");
    }
    *value = v;
    return E_OK;
}

static struct slots_scene *slots_scene; /* For free(), which is told of no owner. */

static void
free_value(void *value)
{
    struct value *v = value;

    SCHED_CHECK(v->magic == MAGIC);
    v->magic = 0;
    atomic_fetch_add(&slots_scene->freed, 1);
    free(v);
}

static void
play_slot(void *arg, unsigned i)
{
    struct slots_scene *s = arg;

    for (int n = 0; n < 2; n++) {
        unsigned version = atomic_load(&s->version);
        struct slot_pin pin, twin;
        enum err err;

        if (i == 0 && s->drops) {
            atomic_fetch_add(&s->version, 1);
            slots_drop(s->slots, "a", NULL);
            continue;
        }
        atomic_fetch_add(&s->asked, 1);
        err = slots_get(s->slots, "a", NULL, NULL, INT64_MAX, &pin, NULL);
        SCHED_CHECK(err == E_OK || (err == E_IO && s->fails) || (err == E_NOT_READY && s->drops));
        if (err) {
            continue;
        }
        /* What is loaded anew after a drop is never older than the drop. */
        SCHED_CHECK(!s->class.reloads || ((struct value *)pin.value)->version + 1 >= version);
        twin = slots_pin_again(s->slots, &pin);
        slots_unpin(s->slots, &pin);
        SCHED_CHECK(((struct value *)twin.value)->magic == MAGIC);
        slots_unpin(s->slots, &twin);
    }
}

static void
play_slots(void *unused)
{
    static struct slots_scene s;
    struct slots_counters c;

    (void)unused;
    memset(&s, 0, sizeof s);
    slots_scene = &s;
    s.class = (struct slots_class){
        .name = "scene", .load = load_value, .free = free_value, .reloads = sched_pick(2)};
    s.drops = sched_pick(2);
    s.fails = sched_pick(4) == 0;
    s.slots = slots_create(&s.class, &s, 2);
    sched_together(CLIENTS, play_slot, &s);
    c = slots_counters(s.slots);
    SCHED_CHECK(s.drops || s.fails || (c.misses == 1 && s.loads == 1));
    SCHED_CHECK(s.fails || c.hits + c.misses + c.double_loads == s.asked);
    SCHED_CHECK(c.load_failures <= s.failures);
    slots_destroy(s.slots);
    SCHED_CHECK(s.freed + s.failures == s.loads);
}

/* ---- Quotas: no more than there is, none lost, each count one's own ---- */

struct quota_scene {
    struct quota_rig rig;
    _Atomic unsigned seen[8]; /* Who was told this count. */
    _Atomic unsigned granted, given;
    bool gives;
};

static void
play_quota_client(void *arg, unsigned i)
{
    struct quota_scene *s = arg;
    struct quota_ask ask = {.tenant = "default", .service = "few", .count = 1, .high = true};
    struct quota_view view;
    uint64_t given;

    for (int n = 0; n < 2; n++) {
        enum err err = quota_acquire(s->rig.quota, &ask, &view, NULL);

        SCHED_CHECK(err == E_OK || err == E_OVER_QUOTA);
        SCHED_CHECK(view.used <= 4 && (err == E_OK || view.used == 4 || s->gives));
        if (err == E_OK) {
            atomic_fetch_add(&s->granted, 1);
            SCHED_CHECK(s->gives || atomic_fetch_add(&s->seen[view.used], 1) == 0);
        }
        if (err == E_OK && s->gives && i == 0) {
            SCHED_CHECK(quota_release(s->rig.quota, &ask, 0, &given, &view, NULL) == E_OK);
            atomic_fetch_add(&s->given, (unsigned)given);
        }
    }
    if (i == 1) {
        SCHED_CHECK(quota_sync(s->rig.quota, NULL, NULL) == E_OK);
    }
}

static void
play_quota(void *unused)
{
    static struct quota_scene s;
    unsigned used;

    (void)unused;
    quota_rig_init(&s.rig, "few=4/month", sched_pick(2));
    memset(s.seen, 0, sizeof s.seen);
    atomic_store(&s.granted, 0);
    atomic_store(&s.given, 0);
    s.gives = sched_pick(2);
    sched_together(CLIENTS, play_quota_client, &s);
    used = (unsigned)rig_used(&s.rig, "few");
    SCHED_CHECK(used == s.granted - s.given);
    SCHED_CHECK(s.gives || used == 4);
    quota_rig_restart(&s.rig);
    SCHED_CHECK(rig_used(&s.rig, "few") == used);
    quota_rig_fini(&s.rig);
}

/* ---- The bus: rising numbers, a gap for each hole, silence after the end ---- */

#define EVENTS_EACH 3

struct bus_scene {
    struct fake_clock clock;
    struct bus *bus;
    uint64_t subscription;
    _Atomic uint64_t told; /* By the subscriber's callback: the last number. */
    _Atomic unsigned calls, wakes;
    _Atomic bool over; /* It was unsubscribed. */
    _Atomic unsigned publishing;
};

static enum err
hear(void *arg, const struct bus_event *event)
{
    struct bus_scene *s = arg;

    SCHED_CHECK(!atomic_load(&s->over));
    SCHED_CHECK(atomic_load(&s->told) + 1 == event->seq);
    atomic_store(&s->told, event->seq);
    atomic_fetch_add(&s->calls, 1);
    SCHED_CHECK(!atomic_load(&s->over));
    return E_OK;
}

static void
count_wake(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

/* Takes what there is; returns the number up to which it knows. */
static uint64_t
drain(struct bus_reader *reader, uint64_t known)
{
    struct bus_item items[2];
    size_t count;

    while ((count = bus_reader_take(reader, items, 2, NULL)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (items[i].kind == BUS_ITEM_GAP) {
                SCHED_CHECK(items[i].from == known + 1 && items[i].to >= items[i].from);
                known = items[i].to;
            } else {
                SCHED_CHECK(items[i].kind == BUS_ITEM_EVENT && items[i].event->seq == known + 1);
                known = items[i].event->seq;
                bus_event_unref(items[i].event);
            }
        }
    }
    return known;
}

static void
read_bus(struct bus_scene *s)
{
    _Atomic unsigned wakes = 0;
    struct bus_reader_options o = {
        .from = BUS_FROM_SEQ, .seq = 0, .wake = count_wake, .arg = &wakes};
    struct bus_reader_start start;
    struct bus_reader *reader;
    uint64_t known = 0;
    unsigned left;

    SCHED_CHECK(bus_reader_open(s->bus, &o, &reader, &start, NULL) == E_OK);
    do {
        left = atomic_load(&s->publishing);
        unsigned before = atomic_load(&wakes);
        known = drain(reader, known);
        /* What is published from now on wakes: whoever sleeps until then misses nothing. */
        SCHED_CHECK(known == bus_seq(s->bus) || atomic_load(&wakes) > before ||
                    atomic_load(&s->publishing) > 0);
    } while (left > 0 && sched_pick(8));
    if (left == 0) {
        SCHED_CHECK(known == bus_seq(s->bus));
    }
    bus_reader_close(reader);
    left = atomic_load(&wakes);
    sched_point();
    SCHED_CHECK(atomic_load(&wakes) == left);
}

static void
play_bus_thread(void *arg, unsigned i)
{
    struct bus_scene *s = arg;

    if (i < 2) {
        for (int n = 0; n < EVENTS_EACH; n++) {
            SCHED_CHECK(bus_publish(s->bus, &(struct bus_draft){.topic = i ? "a.x" : "b.x"}) ==
                        PUBLISHED_ACCEPTED);
        }
        atomic_fetch_sub(&s->publishing, 1);
    } else if (i == 2) {
        read_bus(s);
    } else if (sched_pick(2)) {
        SCHED_CHECK(bus_unsubscribe(s->bus, s->subscription));
        atomic_store(&s->over, true);
    }
}

static void
play_bus(void *unused)
{
    static struct bus_scene s;
    struct bus_options options = BUS_OPTIONS_INIT;

    (void)unused;
    memset(&s, 0, sizeof s);
    fake_clock_init(&s.clock);
    options.clock = &s.clock.clock;
    options.history = 4;
    options.queue = 2;
    options.readers = 1;
    atomic_store(&s.publishing, 2);
    s.bus = bus_create(&options);
    SCHED_CHECK(bus_subscribe(s.bus, NULL, hear, &s, &s.subscription, NULL) == E_OK);
    sched_together(4, play_bus_thread, &s);
    SCHED_CHECK(bus_stats(s.bus).published == 2 * EVENTS_EACH && bus_seq(s.bus) == 2 * EVENTS_EACH);
    if (!s.over && sched_pick(2)) {
        SCHED_CHECK(bus_unsubscribe(s.bus, s.subscription));
        atomic_store(&s.over, true);
    }
    bus_destroy(s.bus);
    SCHED_CHECK(s.calls == s.told && s.told <= 2 * EVENTS_EACH);
}

const struct scene scenes[] = {
    {"sessions", "a place is given once, a session ends once, a foreign one is unknown",
     play_sessions},
    {"starts", "of all who start one makes the session, of all who look one loads it", play_starts},
    {"phases", "of all who complete a phase one does, revisions rise, deleted is deleted",
     play_phases},
    {"slots", "one load a key, values live while they are used, none is left", play_slots},
    {"quota", "no unit more than there is, each counted once, all of them on record", play_quota},
    {"bus", "every number in its order or in a gap, no wake and no call after the end", play_bus},
};
const unsigned scene_count = sizeof scenes / sizeof *scenes;
