/* Subscribers in the process: order, once, failing, publishing and unsubscribing from within, and
 * the bound of what waits for them. */
#include "tests/check.h"

#include "state/bus.h"
#include "state/bus_private.h"
#include "state/bus_subscribe.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <semaphore.h>

static struct bus *
start(void)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    options.clock = clock_real();
    return bus_create(&options);
}

static void
publish(struct bus *bus, const char *topic, unsigned count)
{
    while (count--) {
        CHECK(bus_publish(bus, &(struct bus_draft){.topic = topic}) == PUBLISHED_ACCEPTED);
    }
}

/* A subscriber that counts, and says when it has had so many. */
struct ear {
    struct bus *bus;
    _Atomic unsigned heard, disordered;
    uint64_t last;
    unsigned enough;
    sem_t had_enough;
    uint64_t id;
    enum err says;
};

static void
ear_init(struct ear *ear, struct bus *bus, unsigned enough)
{
    *ear = (struct ear){.bus = bus, .enough = enough};
    sem_init(&ear->had_enough, 0, 0);
}

static enum err
hear(void *arg, const struct bus_event *event)
{
    struct ear *ear = arg;

    atomic_fetch_add(&ear->disordered, event->seq <= ear->last);
    ear->last = event->seq;
    if (atomic_fetch_add(&ear->heard, 1) + 1 == ear->enough) {
        sem_post(&ear->had_enough);
    }
    return ear->says;
}

static void
ear_wait(struct ear *ear)
{
    sem_wait(&ear->had_enough);
    sem_destroy(&ear->had_enough);
}

static void
listen_to(struct ear *ear, const char *pattern, bus_callback callback)
{
    struct bus_patterns patterns = {.count = 0};

    CHECK(bus_patterns_add(&patterns, slice_of(pattern), NULL) == E_OK);
    CHECK(bus_subscribe(ear->bus, &patterns, callback, ear, &ear->id, NULL) == E_OK);
    bus_patterns_fini(&patterns);
}

static void
subscribers_hear_what_matches_from_now_on(void **state)
{
    struct bus *bus = start();
    struct ear all, some;

    (void)state;
    publish(bus, "a.before", 3);
    ear_init(&all, bus, 3);
    ear_init(&some, bus, 2);
    CHECK(bus_subscribe(bus, NULL, hear, &all, &all.id, NULL) == E_OK);
    listen_to(&some, "a.*", hear);
    CHECK(all.id != some.id);
    CHECK_INT(bus_stats(bus).subscribers, 2);
    publish(bus, "a.x", 1);
    publish(bus, "b", 1);
    publish(bus, "a.y", 1);
    ear_wait(&all);
    ear_wait(&some);
    CHECK(bus_unsubscribe(bus, all.id) && !bus_unsubscribe(bus, all.id));
    CHECK(bus_unsubscribe(bus, some.id) && !bus_unsubscribe(bus, 99));
    publish(bus, "a.x", 5);
    CHECK_INT(all.heard, 3);
    CHECK_INT(some.heard, 2);
    CHECK_INT(all.disordered + some.disordered, 0);
    CHECK_INT(bus_stats(bus).subscribers, 0);
    bus_destroy(bus);
}

static void
once_is_once(void **state)
{
    struct bus *bus = start();
    struct ear once, after;

    (void)state;
    ear_init(&once, bus, 1);
    ear_init(&after, bus, 10);
    CHECK(bus_subscribe_once(bus, NULL, hear, &once, &once.id, NULL) == E_OK);
    CHECK(bus_subscribe(bus, NULL, hear, &after, &after.id, NULL) == E_OK);
    publish(bus, "a", 10);
    ear_wait(&once);
    ear_wait(&after);
    CHECK_INT(once.heard, 1);
    CHECK(!bus_unsubscribe(bus, once.id));
    CHECK_INT(bus_stats(bus).subscribers, 1);
    bus_destroy(bus); /* With a subscriber left. */
}

static void
bus_failing_callback_isolated(void **state)
{
    struct bus *bus = start();
    struct ear failing, sound;

    (void)state;
    ear_init(&failing, bus, 5);
    ear_init(&sound, bus, 5);
    failing.says = E_IO;
    CHECK(bus_subscribe(bus, NULL, hear, &failing, &failing.id, NULL) == E_OK);
    CHECK(bus_subscribe(bus, NULL, hear, &sound, &sound.id, NULL) == E_OK);
    publish(bus, "a", 5);
    ear_wait(&sound);
    ear_wait(&failing);
    bus_unsubscribe(bus, failing.id);
    CHECK_INT(bus_stats(bus).failed, 5);
    CHECK_INT(bus_stats(bus).published, 5);
    bus_destroy(bus);
}

static enum err
answer(void *arg, const struct bus_event *event)
{
    struct ear *ear = arg;

    (void)event;
    return bus_publish(ear->bus, &(struct bus_draft){.topic = "answer"}) == PUBLISHED_ACCEPTED
               ? E_OK
               : E_IO;
}

static void
bus_callback_publishes(void **state)
{
    struct bus *bus = start();
    struct ear asked, answered;

    (void)state;
    ear_init(&asked, bus, 0);
    ear_init(&answered, bus, 20);
    listen_to(&asked, "question", answer);
    listen_to(&answered, "answer", hear);
    publish(bus, "question", 20);
    ear_wait(&answered);
    CHECK_INT(bus_stats(bus).published, 40);
    CHECK_INT(answered.disordered, 0);
    sem_destroy(&asked.had_enough);
    bus_destroy(bus);
}

static enum err
leave(void *arg, const struct bus_event *event)
{
    struct ear *ear = arg;

    hear(arg, event);
    return bus_unsubscribe(ear->bus, ear->id) ? E_OK : E_STATE;
}

static void
a_callback_may_unsubscribe_itself(void **state)
{
    struct bus *bus = start();
    struct ear leaving, staying;

    (void)state;
    ear_init(&leaving, bus, 1);
    ear_init(&staying, bus, 3);
    listen_to(&leaving, "a", leave);
    listen_to(&staying, "a", hear);
    publish(bus, "a", 3);
    ear_wait(&staying);
    ear_wait(&leaving);
    CHECK_INT(leaving.heard, 1);
    CHECK_INT(bus_stats(bus).failed, 0);
    CHECK_INT(bus_stats(bus).subscribers, 1);
    bus_destroy(bus);
}

/* One that holds its thread up until it is let go. */
struct gate {
    sem_t entered, open;
};

static enum err
wait_at(void *arg, const struct bus_event *event)
{
    struct gate *gate = arg;

    (void)event;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return E_OK;
}

static void
what_waits_for_subscribers_is_bounded(void **state)
{
    struct bus *bus = start();
    struct gate gate;
    struct bus_event *kept[3];
    struct bus_stats s;
    uint64_t id;

    (void)state;
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    CHECK(bus_subscribe_once(bus, NULL, wait_at, &gate, &id, NULL) == E_OK);
    publish(bus, "first", 1);
    sem_wait(&gate.entered);
    CHECK(bus_subscribe(bus, NULL, wait_at, &gate, &id, NULL) == E_OK);
    publish(bus, "a", BUS_SUBSCRIBERS_QUEUE + 7);
    s = bus_stats(bus);
    CHECK_INT(s.waiting, BUS_SUBSCRIBERS_QUEUE);
    CHECK_INT(s.dropped, 7);
    CHECK_INT(s.published, BUS_SUBSCRIBERS_QUEUE + 8);
    CHECK_INT(bus_recent(bus, &(struct bus_query){.tenant = NULL}, kept, 3), 3);
    CHECK_INT(kept[2]->seq, BUS_SUBSCRIBERS_QUEUE + 8);
    for (int i = 0; i < 3; i++) {
        bus_event_unref(kept[i]);
    }
    sem_post(&gate.open);
    sem_wait(&gate.entered); /* The next one. */
    sem_post(&gate.open);
    for (unsigned i = 0; i < BUS_SUBSCRIBERS_QUEUE; i++) {
        sem_post(&gate.open);
    }
    CHECK(bus_unsubscribe(bus, id));
    bus_destroy(bus);
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
}

/* ---- Threads ---- */

struct crowd {
    struct bus *bus;
    unsigned each;
    _Atomic unsigned wrong, late;
};

struct guest {
    _Atomic bool there;
    struct crowd *crowd;
};

static enum err
greet(void *arg, const struct bus_event *event)
{
    struct guest *guest = arg;

    (void)event;
    atomic_fetch_add(&guest->crowd->late, !atomic_load(&guest->there));
    return E_OK;
}

static void
come_and_go_or_publish(void *arg, unsigned number)
{
    struct crowd *c = arg;

    for (unsigned i = 0; i < c->each; i++) {
        struct guest guest = {.there = true, .crowd = c};
        uint64_t id;

        if (number % 2) {
            atomic_fetch_add(&c->wrong,
                             bus_subscribe(c->bus, NULL, greet, &guest, &id, NULL) != E_OK);
            atomic_fetch_add(&c->wrong, !bus_unsubscribe(c->bus, id));
            atomic_store(&guest.there, false); /* From here on it is not called. */
        } else {
            bus_publish(c->bus, &(struct bus_draft){.topic = "a.b"});
        }
    }
}

static void
bus_unsubscribe_during_publish(void **state)
{
    struct crowd c = {.bus = start(), .each = scaled(500)};

    (void)state;
    threads_run(10, come_and_go_or_publish, &c);
    CHECK_INT(c.wrong, 0);
    CHECK_INT(c.late, 0);
    CHECK_INT(bus_stats(c.bus).subscribers, 0);
    bus_destroy(c.bus);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscribers_hear_what_matches_from_now_on),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(bus_failing_callback_isolated),
        cmocka_unit_test(bus_callback_publishes),
        cmocka_unit_test(a_callback_may_unsubscribe_itself),
        cmocka_unit_test(what_waits_for_subscribers_is_bounded),
        cmocka_unit_test(bus_unsubscribe_during_publish),
    };
    return CHECK_RUN(tests);
}
