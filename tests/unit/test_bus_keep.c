/* What the bus does by the clock: heartbeats, and news of resources that events have changed. */
#include "tests/check.h"

#include "state/bus_keep.h"
#include "tests/fakes.h"

#include <jansson.h>
#include <semaphore.h>
#include <stdatomic.h>

struct rig {
    struct fake_clock clock;
    struct bus *bus;
    struct changes *changes;
    struct keeper *keeper;
    struct bus_keep *keep;
};

static void
rig_init(struct rig *r, unsigned heartbeat_ms)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    fake_clock_init(&r->clock);
    options.clock = &r->clock.clock;
    r->bus = bus_create(&options);
    r->changes = changes_create();
    CHECK(keeper_start(&r->keeper, NULL) == E_OK);
    r->keep = bus_keep_start(&(struct bus_keep_options){.bus = r->bus,
                                                        .changes = r->changes,
                                                        .keeper = r->keeper,
                                                        .clock = &r->clock.clock,
                                                        .started_mono = clock_mono(&r->clock.clock),
                                                        .heartbeat_ms = heartbeat_ms,
                                                        .tell_ms = 1});
}

static void
rig_fini(struct rig *r)
{
    bus_keep_stop(r->keep);
    bus_destroy(r->bus);
    changes_destroy(r->changes);
    keeper_stop(r->keeper);
}

static void
a_heartbeat_tells_that_the_server_lives(void **state)
{
    struct rig r;
    struct bus_event *event;
    json_t *parsed, *data;

    (void)state;
    rig_init(&r, BUS_HEARTBEAT_MS);
    fake_clock_pass(&r.clock, 7000000000);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .tenant = "acme"});
    bus_keep_beat(r.keep);
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){.tenant = NULL}, &event, 1), 1);
    parsed = json_loadb(event->text.data, event->text.len, 0, NULL);
    data = json_object_get(parsed, "data");
    CHECK_STR(json_string_value(json_object_get(parsed, "topic")), "system.heartbeat");
    CHECK(json_is_null(json_object_get(parsed, "tenant"))); /* For all to see. */
    CHECK_INT(json_integer_value(json_object_get(data, "uptime_seconds")), 7);
    CHECK_INT(json_integer_value(json_object_get(data, "events_published")), 1);
    CHECK_INT(json_integer_value(json_object_get(data, "clients")), 0);
    json_decref(parsed);
    bus_event_unref(event);
    rig_fini(&r);
}

static void
hearts_beat_by_themselves(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 1);
    while (bus_seq(r.bus) < 3) {
        sched_yield();
    }
    rig_fini(&r);
    bus_keep_stop(NULL);
}

/* ---- Resources ---- */

struct probe {
    struct listener listener; /* First. */
    _Atomic unsigned recent, status, config, others;
    const char *uri; /* Null: nobody asks for one by name. */
    _Atomic unsigned named, unnamed;
    sem_t told;
};

static enum err
begin(struct listener *l, struct fault *f)
{
    (void)l, (void)f;
    return E_OK;
}

static enum told
tell(struct listener *l, enum change change, const char *name)
{
    struct probe *p = (struct probe *)l;

    atomic_fetch_add(change != CHANGE_RESOURCE                          ? &p->others
                     : strcmp(name, "tandem://events/recent") == 0      ? &p->recent
                     : strcmp(name, "tandem://helpdesk/status") == 0    ? &p->status
                     : strcmp(name, "tandem://tenant/acme/config") == 0 ? &p->config
                                                                        : &p->others,
                     1);
    if (p->uri) {
        bool named = change == CHANGE_RESOURCE && strcmp(name, p->uri) == 0;
        atomic_fetch_add(named ? &p->named : &p->unnamed, 1);
    }
    sem_post(&p->told);
    return TOLD;
}

static void
over(struct listener *l)
{
    (void)l;
}

static const struct listener_class class = {begin, tell, over};

static bool
any(const struct listener *l, const void *arg)
{
    (void)l, (void)arg;
    return true;
}

static void
await(struct probe *p, const _Atomic unsigned *count, unsigned least)
{
    while (atomic_load(count) < least) {
        sem_wait(&p->told);
    }
}

static void
subscribers_of_resources_are_told(void **state)
{
    struct rig r;
    struct probe p = {.listener = {.class = &class}};

    (void)state;
    sem_init(&p.told, 0, 0);
    rig_init(&r, BUS_HEARTBEAT_MS);
    CHECK(listener_want(&p.listener, SLICE("tandem://events/recent"), NULL) == E_OK);
    CHECK(listener_want(&p.listener, SLICE("tandem://helpdesk/status"), NULL) == E_OK);
    CHECK(listener_want(&p.listener, SLICE("tandem://tenant/acme/config"), NULL) == E_OK);
    CHECK(changes_listen(r.changes, &p.listener, NULL) == E_OK);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a.b", .tenant = "acme"});
    await(&p, &p.recent, 1);
    CHECK_INT(p.status, 0);
    bus_publish(r.bus, &(struct bus_draft){.topic = "helpdesk.ready"});
    await(&p, &p.status, 1);
    await(&p, &p.recent, 2);
    CHECK_INT(p.others, 0);
    bus_publish(r.bus, &(struct bus_draft){.topic = "tenant.invalidated", .tenant = "other"});
    bus_publish(r.bus, &(struct bus_draft){.topic = "tenant.invalidated", .tenant = "acme"});
    await(&p, &p.config, 1);
    CHECK_INT(p.others, 0);
    CHECK(changes_take(r.changes, any, NULL) == &p.listener);
    listener_fini(&p.listener);
    rig_fini(&r);
    sem_destroy(&p.told);
}

/* What a row of EVENT_RESOURCES says: this event, that resource. */
static void
events_change_what_services_tell(void **state)
{
    static const struct {
        const char *topic, *data, *uri;
    } rows[] = {
        {"config.changed", NULL, "tandem://config"},
        {"failure.detected", NULL, "tandem://failures"},
        {"failure.fixed", NULL, "tandem://failures"},
        {"failure.learning", "{\"target\":\"qa\"}", "tandem://learnings/qa"},
        {"helpdesk.reloaded", NULL, "tandem://helpdesk/status"},
        {"quota.critical", NULL, "tandem://quota/summary"},
        {"quota.store_unreachable", NULL, "tandem://quota/summary"},
        {"relay.client_connected", NULL, "tandem://relay/status"},
        {"session.tokens", NULL, "tandem://session/current"},
        {"session.ended", "{\"session_id\":\"a:b\"}", "tandem://session/a%3Ab/resume"},
        {"tenant.invalidated", NULL, "tandem://tenant/acme/config"},
    };
    struct rig r;

    (void)state;
    rig_init(&r, BUS_HEARTBEAT_MS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct probe p = {.listener = {.class = &class}, .uri = rows[i].uri};
        json_t *data = rows[i].data ? json_loads(rows[i].data, 0, NULL) : NULL;

        sem_init(&p.told, 0, 0);
        CHECK(listener_want(&p.listener, slice_of(rows[i].uri), NULL) == E_OK);
        CHECK(changes_listen(r.changes, &p.listener, NULL) == E_OK);
        /* What lacks the name that is wanted changes nothing. */
        bus_publish(r.bus, &(struct bus_draft){.topic = "failure.learning"});
        bus_publish(r.bus,
                    &(struct bus_draft){.topic = rows[i].topic, .tenant = "acme", .data = data});
        await(&p, &p.named, 1);
        CHECK(changes_take(r.changes, any, NULL) == &p.listener);
        CHECK_INT(p.unnamed, 0);
        listener_fini(&p.listener);
        sem_destroy(&p.told);
    }
    rig_fini(&r);
}

/* Many events between two looks are told as one. */
static void
news_are_told_together(void **state)
{
    struct rig r;
    struct probe p = {.listener = {.class = &class}};

    (void)state;
    sem_init(&p.told, 0, 0);
    rig_init(&r, BUS_HEARTBEAT_MS);
    CHECK(listener_want(&p.listener, SLICE("tandem://events/recent"), NULL) == E_OK);
    CHECK(changes_listen(r.changes, &p.listener, NULL) == E_OK);
    for (int i = 0; i < 20000; i++) {
        bus_publish(r.bus, &(struct bus_draft){.topic = "a.b"});
    }
    await(&p, &p.recent, 1);
    CHECK(changes_take(r.changes, any, NULL) == &p.listener);
    CHECK(p.recent < 20000);
    listener_fini(&p.listener);
    rig_fini(&r);
    sem_destroy(&p.told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heartbeat_tells_that_the_server_lives),
        cmocka_unit_test(hearts_beat_by_themselves),
        cmocka_unit_test(subscribers_of_resources_are_told),
        cmocka_unit_test(events_change_what_services_tell),
        cmocka_unit_test(news_are_told_together),
    };
    return CHECK_RUN(tests);
}
