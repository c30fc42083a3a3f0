/* The bus: envelopes, one order for all who publish, what is kept, filters, on and off. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/state.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>

struct rig {
    struct fake_clock clock;
    struct bus_options options;
    struct bus *bus;
};

static void
rig_init(struct rig *r)
{
    fake_clock_init(&r->clock);
    r->options = (struct bus_options)BUS_OPTIONS_INIT;
    r->options.clock = &r->clock.clock;
    r->options.epoch = "boot";
    r->bus = NULL;
}

static void
rig_start(struct rig *r)
{
    r->bus = bus_create(&r->options);
}

static enum published
publish(struct bus *bus, const char *topic)
{
    return bus_publish(bus, &(struct bus_draft){.topic = topic});
}

/* The newest event, parsed. */
static json_t *
newest(struct bus *bus)
{
    struct bus_event *event;
    json_t *parsed;

    CHECK_INT(bus_recent(bus, &(struct bus_query){.tenant = "acme"}, &event, 1), 1);
    CHECK_INT(event->text.data[event->text.len], '\0');
    parsed = json_loadb(event->text.data, event->text.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(parsed != NULL);
    bus_event_unref(event);
    return parsed;
}

static void
an_envelope_tells_all(void **state)
{
    struct rig r;
    struct bus_draft draft = {.topic = "workflow.session.started",
                              .tenant = "acme",
                              .session_id = "s\"1",
                              .correlation_id = "c-1",
                              .source = "engine"};
    json_t *event, *expected;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    draft.data = json_pack("{s:i}", "phase", 1);
    CHECK(bus_publish(r.bus, &draft) == PUBLISHED_ACCEPTED);
    event = newest(r.bus);
    expected = json_pack(
        "{s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:i}}", "v", 1, "seq", 1,
        "epoch", "boot", "id", "boot-1", "topic", "workflow.session.started", "type", "workflow",
        "subtype", "session.started", "source", "engine", "timestamp", "2023-11-14T22:13:20.000Z",
        "tenant", "acme", "session_id", "s\"1", "correlation_id", "c-1", "data", "phase", 1);
    CHECK(json_equal(event, expected));
    json_decref(event);
    json_decref(expected);
    CHECK(publish(r.bus, "system") == PUBLISHED_ACCEPTED);
    event = newest(r.bus);
    expected = json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:{}}", "v", 1, "seq",
                         2, "epoch", "boot", "id", "boot-2", "topic", "system", "type", "system",
                         "subtype", "generic", "source", "server", "timestamp",
                         "2023-11-14T22:13:20.000Z", "tenant", "data");
    CHECK(json_equal(event, expected));
    json_decref(event);
    json_decref(expected);
    bus_destroy(r.bus);
}

static void
data_over_64_kib_is_truncated(void **state)
{
    struct rig r;
    char *text = xcalloc(BUS_DATA_MAX + 1, 1);
    json_t *event;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    memset(text, 'x', BUS_DATA_MAX - 2);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .data = json_string(text)});
    event = newest(r.bus);
    CHECK_INT(json_string_length(json_object_get(event, "data")), BUS_DATA_MAX - 2);
    json_decref(event);
    CHECK_INT(bus_stats(r.bus).truncated, 0);
    text[BUS_DATA_MAX - 2] = 'x';
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .data = json_string(text)});
    event = newest(r.bus);
    CHECK(json_is_true(json_object_get(json_object_get(event, "data"), "truncated")));
    CHECK_INT(json_integer_value(json_object_get(json_object_get(event, "data"), "size")),
              BUS_DATA_MAX + 1);
    json_decref(event);
    CHECK_INT(bus_stats(r.bus).truncated, 1);
    free(text);
    bus_destroy(r.bus);
}

static void
what_is_no_event_is_said_and_counted(void **state)
{
    struct rig r;
    struct bus_stats s;
    struct fault f;

    (void)state;
    rig_init(&r);
    rig_start(&r);
    CHECK(bus_publish(NULL, &(struct bus_draft){.topic = "a", .data = json_object()}) ==
          PUBLISHED_DISABLED);
    CHECK(publish(r.bus, NULL) == PUBLISHED_INVALID);
    CHECK(publish(r.bus, "No topic") == PUBLISHED_INVALID);
    bus_enable(r.bus, false);
    CHECK(publish(r.bus, "a") == PUBLISHED_DISABLED);
    bus_enable(r.bus, true);
    CHECK(publish(r.bus, "a") == PUBLISHED_ACCEPTED);
    CHECK(bus_add_filter(r.bus, SLICE("b.*"), &f) == E_OK);
    CHECK(bus_add_filter(r.bus, SLICE("b*"), &f) == E_ARGUMENT);
    CHECK(publish(r.bus, "a") == PUBLISHED_FILTERED);
    CHECK(publish(r.bus, "b.c") == PUBLISHED_ACCEPTED);
    CHECK(bus_remove_filter(r.bus, SLICE("b.*")) && !bus_remove_filter(r.bus, SLICE("b.*")));
    CHECK(publish(r.bus, "a") == PUBLISHED_ACCEPTED);
    s = bus_stats(r.bus);
    CHECK(s.published == 3 && s.seq == 3 && s.filtered == 1 && s.disabled == 1 && s.invalid == 2);
    CHECK(s.enabled && s.history == 3 && s.filters == 0 && s.last_ns == FAKE_CLOCK_START);
    CHECK_STR(published_name(PUBLISHED_FILTERED), "filtered");
    bus_destroy(r.bus);
    bus_destroy(NULL);
}

static void
clients_may_not_speak_for_the_server(void **state)
{
    struct fault f;

    (void)state;
    CHECK(bus_check_topic(SLICE("build.finished"), &f) == E_OK);
    CHECK(bus_check_topic(SLICE("hook.pre_tool"), &f) == E_OK);
    CHECK(bus_check_topic(SLICE("quotas"), &f) == E_OK);
    CHECK(bus_check_topic(SLICE("quota.threshold"), &f) == E_ARGUMENT);
    CHECK(bus_check_topic(SLICE("system"), &f) == E_ARGUMENT);
    CHECK_STR(f.text, "topics of 'system' are the server's own");
    CHECK(bus_check_topic(SLICE("Build"), &f) == E_ARGUMENT);
    CHECK(f.remedy[0] != '\0');
}

static void
bus_history_bounded(void **state)
{
    struct rig r;
    struct bus_event *events[200];
    size_t count;

    (void)state;
    rig_init(&r);
    r.options.history = 100;
    rig_start(&r);
    for (int i = 0; i < 100 + 50; i++) {
        CHECK(publish(r.bus, i % 2 ? "odd.x" : "even.x") == PUBLISHED_ACCEPTED);
    }
    CHECK_INT(bus_stats(r.bus).history, 100);
    count = bus_recent(r.bus, &(struct bus_query){.tenant = NULL}, events, 200);
    CHECK_INT(count, 100);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(events[i]->seq, 51 + i);
        bus_event_unref(events[i]);
    }
    count = bus_recent(r.bus, &(struct bus_query){.after = 148}, events, 200);
    CHECK_INT(count, 2);
    CHECK_INT(events[0]->seq, 149);
    bus_event_unref(events[0]);
    bus_event_unref(events[1]);
    bus_destroy(r.bus);
}

static void
history_is_bounded_by_bytes_too(void **state)
{
    struct rig r;
    char text[10001];
    struct bus_stats s;

    (void)state;
    rig_init(&r);
    r.options.history_bytes = 100 * 1000;
    rig_start(&r);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 50; i++) {
        bus_publish(r.bus, &(struct bus_draft){.topic = "a", .data = json_string(text)});
    }
    s = bus_stats(r.bus);
    CHECK_INT(s.history, 9);
    CHECK(s.history_bytes <= 100 * 1000);
    bus_destroy(r.bus);
}

static void
tenants_see_their_own_and_the_servers(void **state)
{
    struct rig r;
    struct bus_event *events[4];
    struct bus_patterns patterns = {.count = 0};

    (void)state;
    rig_init(&r);
    rig_start(&r);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a.one", .tenant = "acme"});
    bus_publish(r.bus, &(struct bus_draft){.topic = "a.two", .tenant = "other"});
    publish(r.bus, "a.three");
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){.tenant = "acme"}, events, 4), 2);
    CHECK(slice_is(events[0]->topic, "a.one") && slice_is(events[1]->topic, "a.three"));
    CHECK_STR(events[0]->tenant, "acme");
    bus_event_unref(events[0]);
    bus_event_unref(events[1]);
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){.tenant = NULL}, events, 4), 1);
    bus_event_unref(events[0]);
    CHECK(bus_patterns_add(&patterns, SLICE("*.two"), NULL) == E_OK);
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){&patterns, "acme", 0}, events, 4), 0);
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){&patterns, "other", 0}, events, 4), 1);
    bus_event_unref(events[0]);
    bus_patterns_fini(&patterns);
    bus_destroy(r.bus);
}

static void
ids_are_read_back(void **state)
{
    char id[BUS_ID_SIZE], epoch[BUS_EPOCH_MAX + 1];
    static const char *const bad[] = {"",     "-",
                                      "a-",   "-1",
                                      "a-1x", "a-18446744073709551616",
                                      "a",    "0123456789012345678901234567890123-1"};
    uint64_t seq;

    (void)state;
    bus_event_write_id("boot", UINT64_MAX, id);
    CHECK_STR(id, "boot-18446744073709551615");
    CHECK(bus_event_read_id(slice_of(id), epoch, &seq));
    CHECK_STR(epoch, "boot");
    CHECK(seq == UINT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!bus_event_read_id(slice_of(bad[i]), epoch, &seq));
    }
}

/* ---- Threads ---- */

struct crowd {
    struct bus *bus;
    unsigned each;
    _Atomic unsigned accepted, disordered;
};

static void
publish_many(void *arg, unsigned number)
{
    struct crowd *c = arg;
    uint64_t seq, last = 0;

    (void)number;
    for (unsigned i = 0; i < c->each; i++) {
        struct bus_draft draft = {.topic = "crowd.event",
                                  .data = json_pack("{s:i, s:i}", "n", number, "i", i)};

        if (bus_publish_seq(c->bus, &draft, &seq) == PUBLISHED_ACCEPTED) {
            atomic_fetch_add(&c->accepted, 1);
            atomic_fetch_add(&c->disordered, seq <= last);
            last = seq;
        }
    }
}

static void
bus_publish_5x10_all_accepted(void **state)
{
    struct rig r;
    struct crowd c = {.each = 10};

    (void)state;
    rig_init(&r);
    rig_start(&r);
    c.bus = r.bus;
    threads_run(5, publish_many, &c);
    CHECK_INT(c.accepted, 50);
    CHECK_INT(c.disordered, 0);
    CHECK_INT(bus_stats(r.bus).published, 50);
    bus_destroy(r.bus);
}

static void
bus_publish_100_threads_seq_total_order(void **state)
{
    struct rig r;
    struct crowd c = {.each = scaled(20)};
    unsigned all = 100 * c.each, next[100] = {0};
    struct bus_event **events = xcalloc(all, sizeof *events);

    (void)state;
    rig_init(&r);
    r.options.history = all;
    rig_start(&r);
    c.bus = r.bus;
    threads_run(100, publish_many, &c);
    CHECK_INT(c.accepted, all);
    CHECK_INT(c.disordered, 0);
    CHECK_INT(bus_recent(r.bus, &(struct bus_query){.tenant = NULL}, events, all), all);
    for (unsigned i = 0; i < all; i++) {
        json_t *event = json_loadb(events[i]->text.data, events[i]->text.len, 0, NULL);
        const json_t *data = json_object_get(event, "data");
        unsigned n = (unsigned)json_integer_value(json_object_get(data, "n"));

        CHECK_INT(events[i]->seq, i + 1); /* No hole. */
        CHECK_INT(json_integer_value(json_object_get(event, "seq")), i + 1);
        CHECK_INT(json_integer_value(json_object_get(data, "i")), next[n]++);
        json_decref(event);
        bus_event_unref(events[i]);
    }
    free(events);
    bus_destroy(r.bus);
}

/* ---- The singleton ---- */

struct glance {
    struct state *state;
    struct bus *seen[15];
};

static void
look(void *arg, unsigned number)
{
    struct glance *g = arg;

    g->seen[number] = state_bus(g->state);
    publish(g->seen[number], "glance");
}

static void
bus_singleton(unsigned threads)
{
    struct fake_project p;
    struct glance g;

    fake_project_init(&p, NULL);
    g.state = p.state;
    threads_run(threads, look, &g);
    for (unsigned i = 0; i < threads; i++) {
        CHECK(g.seen[i] && g.seen[i] == g.seen[0]);
    }
    CHECK(bus_epoch(g.seen[0])[0] != '\0');
    CHECK_INT(bus_stats(g.seen[0]).published, threads);
    fake_project_fini(&p);
}

static void
bus_singleton_15_threads(void **state)
{
    (void)state;
    bus_singleton(15);
}

static void
bus_singleton_10_threads(void **state)
{
    (void)state;
    bus_singleton(10);
}

static void
reset_or_publish(void *arg, unsigned number)
{
    struct crowd *c = arg;

    if (number == 0) {
        for (unsigned i = 0; i < c->each; i++) {
            bus_reset(c->bus);
        }
    } else {
        publish_many(arg, number);
    }
}

static void
a_reset_under_load_keeps_the_order(void **state)
{
    struct rig r;
    struct crowd c = {.each = scaled(200)};

    (void)state;
    rig_init(&r);
    rig_start(&r);
    c.bus = r.bus;
    bus_add_filter(r.bus, SLICE("crowd.*"), NULL);
    threads_run(11, reset_or_publish, &c);
    CHECK_INT(c.accepted, 10 * c.each);
    CHECK_INT(c.disordered, 0);
    bus_reset(r.bus);
    CHECK(bus_stats(r.bus).seq == 10 * c.each && bus_stats(r.bus).history == 0);
    CHECK(bus_stats(r.bus).generation == c.each + 1 && bus_stats(r.bus).filters == 0);
    bus_destroy(r.bus);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_tells_all),
        cmocka_unit_test(data_over_64_kib_is_truncated),
        cmocka_unit_test(what_is_no_event_is_said_and_counted),
        cmocka_unit_test(clients_may_not_speak_for_the_server),
        cmocka_unit_test(bus_history_bounded),
        cmocka_unit_test(history_is_bounded_by_bytes_too),
        cmocka_unit_test(tenants_see_their_own_and_the_servers),
        cmocka_unit_test(ids_are_read_back),
        cmocka_unit_test(bus_publish_5x10_all_accepted),
        cmocka_unit_test(bus_publish_100_threads_seq_total_order),
        cmocka_unit_test(bus_singleton_15_threads),
        cmocka_unit_test(bus_singleton_10_threads),
        cmocka_unit_test(a_reset_under_load_keeps_the_order),
    };
    return CHECK_RUN(tests);
}
