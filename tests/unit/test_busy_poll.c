/* When a loop looks for the next message before it sleeps, decided at invented times; and that a
 * real loop is run to its end. */
#include "tests/check.h"

#include "transports/busy_poll.h"

#define START_NS INT64_C(1000000000)

static struct busy_poll
two_processors(void)
{
    return (struct busy_poll){.may = true};
}

/* Whether the loop looks after a turn at 'ns' in which something came. */
static bool
looks_after_message(struct busy_poll *b, int64_t ns)
{
    busy_poll_came(b, NULL);
    return busy_poll_decide(b, ns);
}

static void
quick_messages_are_looked_for(void **state)
{
    struct busy_poll b = two_processors();
    int64_t now = START_NS;

    (void)state;
    assert_false(looks_after_message(&b, now)); /* One alone is no run of them. */
    for (int i = 0; i < 100; i++) {
        now += BUSY_POLL_NS;
        assert_true(looks_after_message(&b, now));
    }
}

static void
slow_messages_never_cost_a_look(void **state)
{
    struct busy_poll b = two_processors();
    int64_t now = START_NS;

    (void)state;
    for (int i = 0; i < 100; i++) {
        now += BUSY_POLL_NS + 1;
        assert_false(looks_after_message(&b, now));
    }
}

static void
a_look_in_vain_ends_in_sleep(void **state)
{
    struct busy_poll b = two_processors();

    (void)state;
    looks_after_message(&b, START_NS);
    assert_true(looks_after_message(&b, START_NS + 1000));
    assert_true(busy_poll_decide(&b, START_NS + 1000 + BUSY_POLL_NS));
    assert_false(busy_poll_decide(&b, START_NS + 1000 + BUSY_POLL_NS + 1));
    /* Asleep, it stays so, whatever the time; and the late one starts no new run. */
    assert_false(busy_poll_decide(&b, START_NS + 1000));
    assert_false(looks_after_message(&b, START_NS + 10 * BUSY_POLL_NS));
    assert_true(looks_after_message(&b, START_NS + 11 * BUSY_POLL_NS));
}

static void
several_sources_are_waited_for_asleep(void **state)
{
    struct busy_poll b = two_processors();
    int64_t now = START_NS;
    char one, other;

    (void)state;
    for (int i = 0; i < 100; i++) { /* By turns. */
        busy_poll_came(&b, i % 2 ? &one : &other);
        assert_false(busy_poll_decide(&b, ++now));
    }
    for (int i = 0; i < 100; i++) { /* Both at once. */
        busy_poll_came(&b, &one);
        busy_poll_came(&b, &other);
        assert_false(busy_poll_decide(&b, ++now));
    }
    /* One alone is looked for, with what comes from nowhere of its own in between. */
    busy_poll_came(&b, &other);
    assert_true(busy_poll_decide(&b, ++now));
    assert_true(looks_after_message(&b, ++now));
    busy_poll_came(&b, &other);
    assert_true(busy_poll_decide(&b, ++now));
}

static void
one_processor_always_sleeps(void **state)
{
    struct busy_poll b = {.may = false};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_false(looks_after_message(&b, START_NS + i));
    }
}

static void
who_loses_the_processor_sleeps_for_a_second(void **state)
{
    struct busy_poll b = two_processors();
    int64_t now = START_NS, lost;

    (void)state;
    looks_after_message(&b, now);
    assert_true(looks_after_message(&b, now += 1000));
    assert_false(busy_poll_decide(&b, lost = now += BUSY_POLL_AWAY_NS));
    do {
        now += BUSY_POLL_NS;
        assert_int_equal(looks_after_message(&b, now), now >= lost + BUSY_POLL_OFF_NS);
    } while (now < lost + BUSY_POLL_OFF_NS);
    /* A turn that takes long because something came is no such look. */
    busy_poll_came(&b, NULL);
    assert_false(busy_poll_decide(&b, now += BUSY_POLL_AWAY_NS));
    assert_true(looks_after_message(&b, now + 1));
}

#define ROUNDS 1000

struct round {
    struct busy_poll busy_poll;
    uv_async_t wake;
    unsigned count;
};

static void
again(uv_async_t *wake)
{
    struct round *r = wake->data;

    busy_poll_came(&r->busy_poll, NULL);
    if (++r->count < ROUNDS) {
        uv_async_send(wake);
    } else {
        uv_close((uv_handle_t *)wake, NULL);
    }
}

static void
runs_until_no_handle_is_left(void **state)
{
    struct round r = {.count = 0};
    uv_loop_t loop;

    (void)state;
    busy_poll_init(&r.busy_poll);
    assert_int_equal(r.busy_poll.may, uv_available_parallelism() > 1);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_async_init(&loop, &r.wake, again), 0);
    r.wake.data = &r;
    uv_async_send(&r.wake);
    busy_poll_run(&r.busy_poll, &loop);
    assert_int_equal(r.count, ROUNDS);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(quick_messages_are_looked_for),
    cmocka_unit_test(slow_messages_never_cost_a_look),
    cmocka_unit_test(a_look_in_vain_ends_in_sleep),
    cmocka_unit_test(who_loses_the_processor_sleeps_for_a_second),
    cmocka_unit_test(several_sources_are_waited_for_asleep),
    cmocka_unit_test(one_processor_always_sleeps),
    cmocka_unit_test(runs_until_no_handle_is_left),
};

int
main(void)
{
    return CHECK_RUN(tests);
}
