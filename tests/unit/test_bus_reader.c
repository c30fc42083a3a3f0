/* Readers: what they are handed of the past and of what comes, when they are woken, what becomes of
 * one that does not read, and that nobody waits for it. */
#include "tests/check.h"

#include "state/bus.h"
#include "state/bus_reader.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <pthread.h>
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
    r->options.history = 20;
    r->options.queue = 10;
    r->options.readers = 3;
}

static void
publish(struct rig *r, const char *topic, unsigned count)
{
    while (count--) {
        CHECK(bus_publish(r->bus, &(struct bus_draft){.topic = topic}) == PUBLISHED_ACCEPTED);
    }
}

static void
count_wake(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static struct bus_reader *
open_reader(struct rig *r, struct bus_reader_options o, struct bus_reader_start *start)
{
    static _Atomic unsigned ignored;
    struct bus_reader_start unused;
    struct bus_reader *reader;
    struct fault f;

    o.wake = o.wake ? o.wake : count_wake;
    o.arg = o.arg ? o.arg : &ignored;
    CHECK(bus_reader_open(r->bus, &o, &reader, start ? start : &unused, &f) == E_OK);
    return reader;
}

/* Checks what comes next: "1 2 r3 g4-5 over" are events, one of the past, a gap, the end. */
static void
expect(struct bus_reader *reader, const char *items)
{
    struct buf got = BUF_INIT;
    struct bus_item item[3];
    size_t count;

    while ((count = bus_reader_take(reader, item, 3, NULL)) > 0) {
        for (size_t i = 0; i < count; i++) {
            buf_adds(&got, got.len ? " " : "");
            if (item[i].kind == BUS_ITEM_OVER) {
                buf_adds(&got, "over");
            } else if (item[i].kind == BUS_ITEM_GAP) {
                buf_addf(&got, "%sg%llu-%llu", item[i].replay ? "r" : "",
                         (unsigned long long)item[i].from, (unsigned long long)item[i].to);
            } else {
                buf_addf(&got, "%s%llu", item[i].replay ? "r" : "",
                         (unsigned long long)item[i].event->seq);
                bus_event_unref(item[i].event);
            }
        }
    }
    CHECK_STR(got.data ? got.data : "", items);
    buf_fini(&got);
}

static void
a_reader_gets_what_it_asked_for(void **state)
{
    struct rig r;
    struct bus_patterns patterns = {.count = 0}, others = {.count = 0};
    struct bus_reader *all, *some;
    struct bus_reader_stats s;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a.before", 1);
    CHECK(bus_patterns_add(&patterns, SLICE("b.*"), NULL) == E_OK);
    CHECK(bus_patterns_add(&others, SLICE("a.*"), NULL) == E_OK);
    all = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    some = open_reader(&r, (struct bus_reader_options){.patterns = &patterns}, NULL);
    publish(&r, "a.x", 1);
    publish(&r, "b.x", 2);
    s = bus_reader_stats(all);
    CHECK(s.waiting == 3 && s.waiting_bytes > 300 && s.taken == 0 && s.last_seq == 0);
    expect(all, "2 3 4");
    expect(some, "3 4");
    bus_reader_choose(some, &others);
    publish(&r, "a.x", 1);
    publish(&r, "b.x", 1);
    expect(some, "5");
    s = bus_reader_stats(some);
    CHECK(s.taken == 3 && s.last_seq == 5 && s.waiting == 0);
    CHECK_INT(bus_stats(r.bus).readers, 2);
    CHECK_INT(bus_stats(r.bus).read, 6);
    bus_reader_close(all);
    bus_reader_close(some);
    bus_reader_close(NULL);
    CHECK_INT(bus_stats(r.bus).readers, 0);
    bus_patterns_fini(&patterns);
    bus_patterns_fini(&others);
    bus_destroy(r.bus);
}

/* All readers, and what is kept, share one text. */
static void
one_text_serves_all(void **state)
{
    struct rig r;
    struct bus_reader *one, *two;
    struct bus_item a, b;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    one = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    two = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    publish(&r, "a", 1);
    CHECK(bus_reader_take(one, &a, 1, NULL) == 1 && bus_reader_take(two, &b, 1, NULL) == 1);
    CHECK(a.event == b.event);
    bus_reader_close(one);
    bus_reader_close(two);
    bus_destroy(r.bus);
    CHECK(slice_is(a.event->topic, "a")); /* Ours until we let it go. */
    bus_event_unref(a.event);
    bus_event_unref(b.event);
}

static void
relay_tenant_isolation(void **state)
{
    struct rig r;
    struct bus_reader *acme, *nobody;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .tenant = "acme"});
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .tenant = "other"});
    acme = open_reader(
        &r, (struct bus_reader_options){.tenant = "acme", .from = BUS_FROM_LAST, .last = 9}, NULL);
    nobody = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_LAST, .last = 9}, NULL);
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .tenant = "acme"});
    bus_publish(r.bus, &(struct bus_draft){.topic = "a", .tenant = "acm"});
    publish(&r, "a", 1);
    expect(acme, "r1 3 5");
    expect(nobody, "5");
    bus_reader_close(acme);
    bus_reader_close(nobody);
    bus_destroy(r.bus);
}

static void
settings_bound_what_leaves_the_process(void **state)
{
    struct rig r;
    struct bus_patterns outside = {.count = 0};
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    CHECK(bus_patterns_add(&outside, SLICE("hook.*"), NULL) == E_OK);
    r.options.outside = &outside;
    r.bus = bus_create(&r.options);
    bus_patterns_fini(&outside);
    publish(&r, "hook.stop", 1);
    publish(&r, "quota.threshold", 1);
    reader = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_LAST, .last = 9}, NULL);
    publish(&r, "quota.threshold", 1);
    publish(&r, "hook.stop", 1);
    expect(reader, "r1 4");
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

/* ---- Coming back ---- */

static struct bus_reader *
come_back(struct rig *r, const char *epoch, uint64_t seq, struct bus_reader_start *start)
{
    return open_reader(
        r, (struct bus_reader_options){.from = BUS_FROM_SEQ, .epoch = epoch, .seq = seq, .last = 2},
        start);
}

static void
relay_reconnect_replays_missed(void **state)
{
    struct rig r;
    struct bus_reader_start start;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a", 15);
    reader = come_back(&r, "boot", 4, &start);
    CHECK(start.resumed && start.complete && start.replay == 11 && start.from == 5);
    CHECK(start.seq == 15);
    CHECK_INT(bus_reader_stats(reader).replay, 11);
    publish(&r, "a", 2);
    /* More than a queue holds: the past does not count. */
    expect(reader, "r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15 16 17");
    bus_reader_close(reader);
    reader = come_back(&r, "boot", 17, &start);
    CHECK(start.resumed && start.complete && start.replay == 0 && start.from == 0);
    expect(reader, "");
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
past_the_ring_the_gap_is_told(void **state)
{
    struct rig r;
    struct bus_reader_start start;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a", 35); /* 16 to 35 are kept. */
    reader = come_back(&r, "boot", 15, &start);
    CHECK(start.complete && start.replay == 20);
    bus_reader_close(reader);
    reader = come_back(&r, "boot", 14, &start);
    CHECK(start.resumed && !start.complete && start.replay == 20 && start.from == 16);
    publish(&r, "a", 1);
    expect(reader, "rg15-15 r16 r17 r18 r19 r20 r21 r22 r23 r24 r25 r26 r27 r28 r29 r30 r31 r32 "
                   "r33 r34 r35 36");
    bus_reader_close(reader);
    bus_reset(r.bus); /* Nothing is kept any more. */
    reader = come_back(&r, "boot", 20, &start);
    CHECK(!start.complete && start.replay == 0);
    expect(reader, "rg21-36");
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
what_is_too_old_is_a_gap(void **state)
{
    struct rig r;
    struct bus_reader_start start;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.options.replay_ns = 1000;
    r.bus = bus_create(&r.options);
    publish(&r, "a", 3);
    fake_clock_pass(&r.clock, 1001);
    publish(&r, "a", 2);
    reader = come_back(&r, "boot", 1, &start);
    CHECK(!start.complete && start.replay == 2);
    expect(reader, "rg2-3 r4 r5");
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
relay_epoch_change(void **state)
{
    struct rig r;
    struct bus_reader_start start;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a", 5);
    reader = come_back(&r, "another", 2, &start);
    CHECK(!start.resumed && start.complete && start.replay == 2);
    expect(reader, "r4 r5");
    bus_reader_close(reader);
    reader = come_back(&r, "boot", 6, &start); /* A number that is not there yet. */
    CHECK(!start.resumed);
    expect(reader, "r4 r5");
    bus_reader_close(reader);
    reader = come_back(&r, NULL, 2, &start);
    CHECK(start.resumed && start.replay == 3);
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
the_last_are_those_that_match(void **state)
{
    struct rig r;
    struct bus_patterns patterns = {.count = 0};
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    CHECK(bus_patterns_add(&patterns, SLICE("b"), NULL) == E_OK);
    publish(&r, "b", 3);
    publish(&r, "a", 5);
    publish(&r, "b", 1);
    reader = open_reader(
        &r, (struct bus_reader_options){.patterns = &patterns, .from = BUS_FROM_LAST, .last = 3},
        NULL);
    expect(reader, "r2 r3 r9");
    bus_reader_close(reader);
    bus_patterns_fini(&patterns);
    bus_destroy(r.bus);
}

/* ---- Not reading ---- */

static void
relay_overflow_gap(void **state)
{
    struct rig r;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a", 1);
    reader = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_LAST, .last = 5}, NULL);
    publish(&r, "a", 10);
    CHECK_INT(bus_reader_stats(reader).dropped, 0);
    publish(&r, "a", 15);
    CHECK_INT(bus_reader_stats(reader).waiting, 10);
    CHECK_INT(bus_reader_stats(reader).dropped, 15);
    expect(reader, "r1 g2-16 17 18 19 20 21 22 23 24 25 26");
    publish(&r, "a", 11);
    expect(reader, "g27-27 28 29 30 31 32 33 34 35 36 37");
    CHECK_INT(bus_stats(r.bus).unread, 16);
    CHECK_INT(bus_stats(r.bus).overflows, 16);
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
a_queue_is_bounded_by_bytes_too(void **state)
{
    struct rig r;
    char text[1001];
    struct bus_reader *reader;
    struct bus_reader_stats s;

    (void)state;
    rig_init(&r);
    r.options.queue_bytes = 5000;
    r.bus = bus_create(&r.options);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    reader = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    for (int i = 0; i < 8; i++) {
        bus_publish(r.bus, &(struct bus_draft){.topic = "a", .data = json_string(text)});
    }
    s = bus_reader_stats(reader);
    CHECK(s.waiting_bytes <= 5000 && s.waiting == 4);
    expect(reader, "g1-4 5 6 7 8");
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
who_falls_behind_can_be_ended(void **state)
{
    struct rig r;
    _Atomic unsigned wakes = 0;
    struct bus_reader *reader;

    (void)state;
    rig_init(&r);
    r.options.end_on_overflow = true;
    r.bus = bus_create(&r.options);
    reader = open_reader(
        &r, (struct bus_reader_options){.from = BUS_FROM_NOW, .wake = count_wake, .arg = &wakes},
        NULL);
    expect(reader, "");
    publish(&r, "a", 30);
    CHECK_INT(wakes, 1);
    expect(reader, "1 2 3 4 5 6 7 8 9 10 over");
    publish(&r, "a", 1);
    expect(reader, "");
    CHECK_INT(wakes, 1);
    CHECK_INT(bus_stats(r.bus).overflows, 1);
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
wakes_come_once_until_nothing_is_left(void **state)
{
    struct rig r;
    _Atomic unsigned wakes = 0;
    struct bus_reader_stats left;
    struct bus_reader *reader;
    struct bus_item item;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    reader = open_reader(
        &r, (struct bus_reader_options){.from = BUS_FROM_NOW, .wake = count_wake, .arg = &wakes},
        NULL);
    publish(&r, "a", 1); /* Its owner takes anyway, right after it has opened it. */
    CHECK_INT(wakes, 0);
    expect(reader, "1");
    publish(&r, "a", 2);
    CHECK_INT(wakes, 1);
    CHECK_INT(bus_reader_take(reader, &item, 1, &left), 1);
    CHECK(!left.empty && left.waiting == 1 && left.taken == 2);
    bus_event_unref(item.event);
    publish(&r, "a", 1);
    CHECK_INT(wakes, 1);
    CHECK_INT(bus_reader_take(reader, &item, 1, NULL), 1);
    bus_event_unref(item.event);
    CHECK_INT(bus_reader_take(reader, &item, 1, &left), 1);
    CHECK(left.empty && left.waiting == 0 && left.taken == 4);
    bus_event_unref(item.event);
    publish(&r, "a", 1); /* The last was taken: the owner need not have looked once more. */
    CHECK_INT(wakes, 2);
    bus_reader_close(reader);
    publish(&r, "a", 1);
    CHECK_INT(wakes, 2);
    bus_destroy(r.bus);
}

static void
so_many_bytes_are_handed_out_at_once(void **state)
{
    struct rig r;
    struct bus_reader *reader;
    struct bus_item items[8];
    size_t each;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    publish(&r, "a", 3);
    each = bus_stats(r.bus).history_bytes / 3;
    reader = open_reader(
        &r, (struct bus_reader_options){.from = BUS_FROM_LAST, .last = 3, .take_bytes = 2 * each},
        NULL);
    publish(&r, "a", 3);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(bus_reader_take(reader, items, 8, NULL), 2);
        bus_event_unref(items[0].event);
        bus_event_unref(items[1].event);
    }
    CHECK_INT(bus_reader_take(reader, items, 8, NULL), 0);
    bus_reader_close(reader);
    reader = open_reader(&r, (struct bus_reader_options){.take_bytes = 1}, NULL);
    publish(&r, "a", 2);
    for (int i = 0; i < 2; i++) { /* One, however large. */
        CHECK_INT(bus_reader_take(reader, items, 8, NULL), 1);
        bus_event_unref(items[0].event);
    }
    CHECK_INT(bus_reader_take(reader, items, 8, NULL), 0);
    bus_reader_close(reader);
    bus_destroy(r.bus);
}

static void
a_reader_begins_anew_in_its_place(void **state)
{
    struct rig r;
    struct bus_reader *readers[3];
    struct bus_reader_start start;
    _Atomic unsigned wakes = 0;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    for (int i = 0; i < 3; i++) { /* All there may be. */
        readers[i] = open_reader(
            &r, (struct bus_reader_options){.wake = count_wake, .arg = i ? NULL : &wakes}, NULL);
    }
    publish(&r, "a", 25); /* 6 to 25 are kept, and 16 to 25 wait. */
    bus_reader_rewind(readers[0], 20, &start);
    CHECK(start.complete && start.resumed);
    CHECK_INT(start.replay, 5);
    CHECK_INT(start.from, 21);
    publish(&r, "a", 1);
    expect(readers[0], "r21 r22 r23 r24 r25 26");
    bus_reader_rewind(readers[0], 3, &start);
    CHECK(!start.complete);
    expect(readers[0], "rg4-6 r7 r8 r9 r10 r11 r12 r13 r14 r15 r16 r17 r18 r19 r20 r21 r22 r23 r24 "
                       "r25 r26");
    wakes = 0;
    publish(&r, "a", 1);
    CHECK_INT(wakes, 1); /* It had found nothing. */
    expect(readers[0], "27");
    bus_reader_rewind(readers[0], 99, &start); /* There was none yet: from now on. */
    CHECK(!start.resumed && start.replay == 0);
    publish(&r, "a", 1);
    expect(readers[0], "28");
    CHECK_INT(bus_stats(r.bus).readers, 3);
    CHECK_INT(bus_stats(r.bus).refused, 0);
    for (int i = 0; i < 3; i++) {
        bus_reader_close(readers[i]);
    }
    bus_destroy(r.bus);
}

static void
there_are_only_so_many_readers(void **state)
{
    struct rig r;
    struct bus_reader *readers[3], *more;
    struct bus_reader_start start;
    struct fault f;

    (void)state;
    rig_init(&r);
    r.bus = bus_create(&r.options);
    for (int i = 0; i < 3; i++) {
        readers[i] = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    }
    CHECK(bus_reader_open(r.bus, &(struct bus_reader_options){.wake = count_wake}, &more, &start,
                          &f) == E_OVERLOAD);
    CHECK(!more && f.text[0] && f.remedy[0]);
    CHECK_INT(bus_stats(r.bus).refused, 1);
    bus_reader_close(readers[1]); /* From the middle of the list. */
    readers[1] = open_reader(&r, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    for (int i = 0; i < 3; i++) {
        bus_reader_close(readers[i]);
    }
    bus_destroy(r.bus);
}

/* ---- Threads ---- */

struct crowd {
    struct rig rig;
    unsigned publishers, each;
    _Atomic unsigned at_work, wrong;
    _Atomic uint64_t read, missed;
};

static void
read_all(struct crowd *c, bool reopens)
{
    struct bus_reader_options o = {
        .from = BUS_FROM_SEQ, .epoch = "boot", .seq = 0, .wake = count_wake};
    _Atomic unsigned wakes = 0;
    struct bus_reader *reader;
    struct bus_reader_start start;
    struct bus_item items[16];
    uint64_t last = 0, all = (uint64_t)c->publishers * c->each;
    struct fault f;

    o.arg = &wakes;
    atomic_fetch_add(&c->wrong, bus_reader_open(c->rig.bus, &o, &reader, &start, &f) != E_OK);
    while (last < all) {
        size_t count = bus_reader_take(reader, items, 16, NULL);

        for (size_t i = 0; i < count; i++) {
            struct bus_item *item = &items[i];
            uint64_t first = item->kind == BUS_ITEM_GAP ? item->from : item->event->seq;

            atomic_fetch_add(&c->wrong, first != last + 1);
            last = item->kind == BUS_ITEM_GAP ? item->to : item->event->seq;
            if (item->kind == BUS_ITEM_GAP) {
                atomic_fetch_add(&c->missed, item->to - item->from + 1);
            } else {
                atomic_fetch_add(&c->read, 1);
                bus_event_unref(item->event);
            }
        }
        if (reopens && count && last < all) {
            bus_reader_close(reader); /* What it has not taken it asks for again. */
            o.seq = last;
            atomic_fetch_add(&c->wrong,
                             bus_reader_open(c->rig.bus, &o, &reader, &start, &f) != E_OK);
            atomic_fetch_add(&c->wrong, !start.resumed);
        }
    }
    bus_reader_close(reader);
}

static void
publish_or_read(void *arg, unsigned number)
{
    struct crowd *c = arg;

    if (number < c->publishers) {
        for (unsigned i = 0; i < c->each; i++) {
            atomic_fetch_add(&c->wrong,
                             bus_publish(c->rig.bus, &(struct bus_draft){.topic = "a.b"}) !=
                                 PUBLISHED_ACCEPTED);
        }
    } else {
        read_all(c, number % 2);
    }
}

/* Whatever comes between: every number is read once, or told to be in a gap. */
static void
nothing_is_lost_or_told_twice(void **state)
{
    struct crowd c = {.publishers = 8, .each = scaled(2000)};

    (void)state;
    rig_init(&c.rig);
    c.rig.options.history = 100;
    c.rig.options.queue = 64;
    c.rig.options.readers = 4;
    c.rig.bus = bus_create(&c.rig.options);
    threads_run(c.publishers + 4, publish_or_read, &c);
    CHECK_INT(c.wrong, 0);
    CHECK_INT(c.read + c.missed, 4u * c.publishers * c.each);
    bus_destroy(c.rig.bus);
}

/* A reader that never takes costs its queue, and nobody any time. */
static void
relay_slow_client_never_blocks_publish(void **state)
{
    struct crowd c = {.publishers = 8, .each = scaled(2000)};
    struct bus_reader *stalled;
    struct bus_reader_stats s;

    (void)state;
    rig_init(&c.rig);
    c.rig.bus = bus_create(&c.rig.options);
    stalled = open_reader(&c.rig, (struct bus_reader_options){.from = BUS_FROM_NOW}, NULL);
    threads_run(c.publishers, publish_or_read, &c);
    s = bus_reader_stats(stalled);
    CHECK_INT(c.wrong, 0);
    CHECK_INT(s.waiting, 10);
    CHECK_INT(s.dropped, c.publishers * c.each - 10);
    bus_reader_close(stalled);
    bus_destroy(c.rig.bus);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_gets_what_it_asked_for),
        cmocka_unit_test(one_text_serves_all),
        cmocka_unit_test(relay_tenant_isolation),
        cmocka_unit_test(settings_bound_what_leaves_the_process),
        cmocka_unit_test(relay_reconnect_replays_missed),
        cmocka_unit_test(past_the_ring_the_gap_is_told),
        cmocka_unit_test(what_is_too_old_is_a_gap),
        cmocka_unit_test(relay_epoch_change),
        cmocka_unit_test(the_last_are_those_that_match),
        cmocka_unit_test(relay_overflow_gap),
        cmocka_unit_test(a_queue_is_bounded_by_bytes_too),
        cmocka_unit_test(who_falls_behind_can_be_ended),
        cmocka_unit_test(wakes_come_once_until_nothing_is_left),
        cmocka_unit_test(so_many_bytes_are_handed_out_at_once),
        cmocka_unit_test(a_reader_begins_anew_in_its_place),
        cmocka_unit_test(there_are_only_so_many_readers),
        cmocka_unit_test(nothing_is_lost_or_told_twice),
        cmocka_unit_test(relay_slow_client_never_blocks_publish),
    };
    return CHECK_RUN(tests);
}
