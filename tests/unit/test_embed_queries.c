/* test_embed_queries.c -- one question for all who wait, nobody waits too long, and what comes late
 * is kept. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/embed_http.h"
#include "state/embed_queries.h"
#include "tests/fake_provider.h"
#include "tests/threads.h"

#include <sched.h>
#include <stdio.h>

static struct fake_provider provider;
static struct embed_queries *queries;

static int
start(void **state)
{
    struct embedder *e;

    (void)state;
    fake_provider_start(&provider);
    e = embed_http_create(&(struct embed_http_options){.dialect = EMBED_OLLAMA,
                                                       .url = provider.url,
                                                       .model = "m",
                                                       .batch = 16,
                                                       .timeout_ns = INT64_C(60000000000)});
    CHECK_INT(embed_queries_create(e, &queries, NULL), E_OK);
    embedder_unref(e);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    embed_queries_destroy(queries);
    fake_provider_stop(&provider);
    return 0;
}

static enum err
get(const char *text, int64_t wait_ms, struct fault *f)
{
    int64_t deadline =
        wait_ms < 0 ? INT64_MAX : clock_mono(clock_real()) + wait_ms * INT64_C(1000000);
    struct query_vector v;
    enum err err = embed_queries_get(queries, text, deadline, &v, f);

    CHECK(!err == (v.data != NULL) && (err || v.dimension == 32));
    embed_queries_release(queries, &v);
    embed_queries_release(queries, &v); /* Once more does no harm. */
    return err;
}

static void
a_vector_is_asked_for_once(void **state)
{
    struct slots_counters c;

    (void)state;
    CHECK_INT(get("one", -1, NULL), E_OK);
    CHECK_INT(get("one", -1, NULL), E_OK);
    CHECK_INT(get("one", 0, NULL), E_OK); /* It is there: nobody waits. */
    CHECK_INT(get("two", -1, NULL), E_OK);
    CHECK_INT(atomic_load(&provider.texts), 2);
    c = embed_queries_counters(queries);
    CHECK_INT(c.misses, 2);
    CHECK_INT(c.hits, 2);
}

struct race {
    _Atomic unsigned good;
    bool same;
};

static void
ask_in_race(void *arg, unsigned number)
{
    struct race *r = arg;
    char text[32];
    struct query_vector v;

    snprintf(text, sizeof text, "query %u", r->same ? 0 : number);
    if (embed_queries_get(queries, text, INT64_MAX, &v, NULL) == E_OK && v.dimension == 32) {
        atomic_fetch_add(&r->good, 1);
    }
    embed_queries_release(queries, &v);
}

static void
many_who_ask_the_same_cost_one_question(void **state)
{
    struct race r = {.same = true};

    (void)state;
    threads_run(20, ask_in_race, &r);
    CHECK_INT(atomic_load(&r.good), 20);
    CHECK_INT(atomic_load(&provider.texts), 1);
    CHECK_INT(embed_queries_counters(queries).misses, 1);
}

static void *
run_race(void *arg)
{
    threads_run(20, ask_in_race, arg);
    return NULL;
}

static void
many_who_ask_different_things_share_questions(void **state)
{
    struct race r = {.same = false};
    pthread_t thread;

    (void)state;
    fake_provider_hang(&provider, true); /* With the first of them: the others gather. */
    CHECK_INT(pthread_create(&thread, NULL, run_race, &r), 0);
    fake_provider_await(&provider, 1);
    while (embed_queries_counters(queries).size < 20) {
        sched_yield();
    }
    fake_provider_hang(&provider, false);
    pthread_join(thread, NULL);
    CHECK_INT(atomic_load(&r.good), 20);
    CHECK_INT(atomic_load(&provider.texts), 20);
    CHECK(atomic_load(&provider.requests) < 20);
}

static void
what_comes_late_is_kept_for_the_next(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    fake_provider_hang(&provider, true);
    CHECK_INT(get("late", 20, &f), E_TIMEOUT);
    CHECK_INT(get("late", 20, &f), E_TIMEOUT); /* It is on its way, and not asked for again. */
    fake_provider_await(&provider, 1);
    CHECK_INT(atomic_load(&provider.waiting), 1);
    fake_provider_hang(&provider, false);
    while (get("late", 0, NULL) != E_OK) {
        sched_yield();
    }
    CHECK_INT(atomic_load(&provider.texts), 1);
}

static void
after_trouble_nobody_waits(void **state)
{
    struct fake_trouble bad = {.times = 1000, .status = 500, .body = "{}"};
    struct fault f = FAULT_INIT;
    unsigned requests;
    enum err err;

    (void)state;
    fake_provider_trouble(&provider, &bad);
    CHECK_INT(get("one", -1, &f), E_IO);
    CHECK(strstr(f.text, "status 500"));
    do {
        requests = atomic_load(&provider.requests);
        err = get("two", -1, &f);
    } while (err == E_IO); /* The machine stood still for as long as nobody was to ask. */
    CHECK_INT(err, E_NOT_READY);
    CHECK(strstr(f.text, "status 500") && f.remedy[0]);
    CHECK_INT(atomic_load(&provider.requests), requests);
    fake_provider_trouble(&provider, &(struct fake_trouble){.times = 0});
    while (get("two", -1, &f) != E_OK) {
        sched_yield(); /* Until it is time to try again. */
    }
    CHECK_INT(get("one", -1, &f), E_OK);
}

static void
a_text_that_is_refused_is_no_trouble(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    fake_provider_shape(&provider, 32, 5);
    CHECK_INT(get("too long for it", -1, &f), E_REFUSED);
    CHECK_INT(get("short", -1, &f), E_OK);
}

static void
those_who_wait_are_bounded(void **state)
{
    struct fault f = FAULT_INIT;
    unsigned waiting = 0;
    char text[16];
    enum err err;

    (void)state;
    fake_provider_hang(&provider, true);
    do {
        snprintf(text, sizeof text, "%u", waiting++);
        err = get(text, 0, &f);
    } while (err == E_TIMEOUT);
    CHECK_INT(err, E_NOT_READY);
    CHECK_INT(waiting, 129);
}

static void
it_ends_while_the_provider_hangs(void **state)
{
    (void)state;
    fake_provider_hang(&provider, true);
    CHECK_INT(get("one", 0, NULL), E_TIMEOUT);
    fake_provider_await(&provider, 1);
    embed_queries_destroy(queries);
    queries = NULL;
    embed_queries_destroy(NULL);
}

int
main(void)
{
#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(a_vector_is_asked_for_once),
        WITH(many_who_ask_the_same_cost_one_question),
        WITH(many_who_ask_different_things_share_questions),
        WITH(what_comes_late_is_kept_for_the_next),
        WITH(after_trouble_nobody_waits),
        WITH(a_text_that_is_refused_is_no_trouble),
        WITH(those_who_wait_are_bounded),
        WITH(it_ends_while_the_provider_hangs),
    };
    return CHECK_RUN(tests);
}
