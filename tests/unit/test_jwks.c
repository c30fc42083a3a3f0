/* test_jwks.c -- keys come from files and URLs, one look at a time, seldom, and stay when a look
 * fails. */
#include "tests/check.h"

#include "state/base/log.h"
#include "state/jwks.h"
#include "tests/fakes.h"
#include "tests/key_server.h"
#include "tests/threads.h"
#include "tests/tokens.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)

static struct signer first, second;
static char *first_set, *second_set;
static struct key_server server;
static struct fake_clock fake;

static int
make_keys(void **state)
{
    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    signer_init(&first, JWT_EDDSA, "first");
    signer_init(&second, JWT_EDDSA, "second");
    first_set = signers_jwks(&first, 1);
    second_set = signers_jwks(&second, 1);
    return 0;
}

static int
free_keys(void **state)
{
    (void)state;
    signer_fini(&first);
    signer_fini(&second);
    free(first_set);
    free(second_set);
    return 0;
}

static int
start(void **state)
{
    (void)state;
    fake_clock_init(&fake);
    key_server_start(&server);
    key_server_say(&server, 200, first_set);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    key_server_stop(&server);
    return 0;
}

/* One who waits, and can be waited for. */
struct waiting {
    struct jwks_waiter waiter; /* First. */
    sem_t ready;
};

static void
tell(struct jwks_waiter *waiter)
{
    sem_post(&((struct waiting *)waiter)->ready);
}

/* Asks for a look, and waits if that is the answer. */
static enum jwks_look
look(struct jwks *j, uint64_t generation)
{
    struct waiting w = {.waiter = {.ready = tell}};
    enum jwks_look answer;

    sem_init(&w.ready, 0, 0);
    answer = jwks_look(j, generation, &w.waiter);
    while (answer == JWKS_WAIT && sem_wait(&w.ready) != 0) {
    }
    sem_destroy(&w.ready);
    return answer;
}

static bool
knows(struct jwks *j, const char *kid)
{
    uint64_t generation;
    struct jwk_set *keys = jwks_current(j, &generation);
    bool known = keys && jwk_set_find(keys, kid, JWT_EDDSA);

    CHECK((keys != NULL) == (generation > 0));
    jwk_set_unref(keys);
    return known;
}

static uint64_t
generation_of(struct jwks *j)
{
    uint64_t generation;

    jwk_set_unref(jwks_current(j, &generation));
    return generation;
}

static struct jwks *
create(const char *source)
{
    struct jwks *j = NULL;
    struct fault f = FAULT_INIT;
    const struct jwks_options options = {source, &fake.clock, 60000};

    CHECK_INT(jwks_create(&options, &j, &f), E_OK);
    return j;
}

static void
a_url_is_fetched_in_the_background(void **state)
{
    struct jwks *j;

    (void)state;
    atomic_store(&server.hold, true);
    j = create(server.url);
    key_server_await(&server);
    CHECK(!knows(j, "first")); /* And nobody waited. */
    CHECK_INT(jwks_look(j, 0, NULL), JWKS_TROUBLED);
    key_server_release(&server);
    look(j, 0);
    CHECK(knows(j, "first") && !knows(j, "second"));
    CHECK(atomic_load(&server.hits) == 1);
    jwks_destroy(j);
}

static void
an_unknown_key_is_looked_for_once_a_minute(void **state)
{
    struct jwks *j = create(server.url);

    (void)state;
    look(j, 0);
    CHECK_INT(look(j, 1), JWKS_WAIT);
    key_server_say(&server, 200, second_set);
    CHECK_INT(look(j, 1), JWKS_SETTLED);
    fake_clock_pass(&fake, MINUTE - 1);
    CHECK_INT(look(j, 1), JWKS_SETTLED);
    CHECK(knows(j, "first"));
    fake_clock_pass(&fake, 1);
    CHECK_INT(jwks_look(j, 1, NULL), JWKS_SETTLED); /* Who will not wait starts nothing. */
    CHECK_INT(look(j, 1), JWKS_WAIT);
    CHECK(!knows(j, "first") && knows(j, "second"));
    CHECK_INT(look(j, 1), JWKS_CHANGED);
    CHECK_INT(look(j, 2), JWKS_SETTLED);
    CHECK(atomic_load(&server.hits) == 3);
    jwks_destroy(j);
}

/* Somebody who knows that the source has changed need not wait until it has grown old. */
static void
a_refresh_looks_at_once(void **state)
{
    struct jwks *j = create(server.url);

    (void)state;
    look(j, 0);
    key_server_say(&server, 200, second_set);
    jwks_refresh(j);
    while (!knows(j, "second")) {
        sched_yield();
    }
    CHECK(atomic_load(&server.hits) == 2);
    jwks_destroy(j);
}

static void
what_says_the_same_changes_nothing(void **state)
{
    struct jwks *j = create(server.url);

    (void)state;
    look(j, 0);
    fake_clock_pass(&fake, MINUTE);
    CHECK_INT(look(j, 1), JWKS_WAIT);
    CHECK(generation_of(j) == 1 && jwks_counters(j).looks == 2 && jwks_counters(j).changes == 1);
    jwks_destroy(j);
}

static void
old_keys_are_fetched_anew_when_used(void **state)
{
    struct jwks *j = create(server.url);

    (void)state;
    look(j, 0);
    key_server_say(&server, 200, second_set);
    fake_clock_pass(&fake, 10 * MINUTE);
    atomic_store(&server.hold, true);
    CHECK(knows(j, "first")); /* It asks for a look, and answers from what is known. */
    key_server_await(&server);
    CHECK(knows(j, "first"));
    key_server_release(&server);
    look(j, 1);
    CHECK(knows(j, "second"));
    CHECK(atomic_load(&server.hits) == 2);
    jwks_destroy(j);
}

static void
keys_stay_when_a_look_fails(void **state)
{
    static const struct {
        int status;
        const char *body;
    } bad[] = {{500, "{}"}, {200, "<html>"}, {200, "{\"keys\":[]}"}, {302, ""}, {200, ""}};
    struct jwks *j = create(server.url);

    (void)state;
    look(j, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        key_server_say(&server, bad[i].status, bad[i].body);
        fake_clock_pass(&fake, MINUTE);
        CHECK_INT(look(j, 1), JWKS_WAIT);
        CHECK(knows(j, "first") && generation_of(j) == 1);
        CHECK_INT(look(j, 1), JWKS_TROUBLED); /* A moment later. */
    }
    CHECK(jwks_counters(j).failures == sizeof bad / sizeof bad[0]);
    /* It is tried again sooner than what works. */
    key_server_say(&server, 200, second_set);
    fake_clock_pass(&fake, 5 * SECOND);
    CHECK_INT(look(j, 1), JWKS_WAIT);
    CHECK(knows(j, "second"));
    jwks_destroy(j);
}

static void
a_server_that_is_down_is_tried_again(void **state)
{
    struct jwks *j = create("http://127.0.0.1:1/jwks");

    (void)state;
    look(j, 0);
    CHECK(!knows(j, "first"));
    CHECK_INT(look(j, 0), JWKS_TROUBLED);
    fake_clock_pass(&fake, 5 * SECOND);
    CHECK_INT(look(j, 0), JWKS_WAIT);
    CHECK(jwks_counters(j).failures == 2);
    jwks_destroy(j);
}

static void
an_end_does_not_wait_for_the_server(void **state)
{
    struct waiting w = {.waiter = {.ready = tell}};
    struct jwks *j;

    (void)state;
    atomic_store(&server.hold, true);
    j = create(server.url);
    key_server_await(&server);
    sem_init(&w.ready, 0, 0);
    CHECK_INT(jwks_look(j, 0, &w.waiter), JWKS_WAIT);
    jwks_destroy(j);
    CHECK(sem_trywait(&w.ready) == 0); /* Nobody is forgotten. */
    sem_destroy(&w.ready);
    jwks_destroy(NULL);
}

/* ---- Many at once ---- */

struct crowd {
    struct jwks *j;
    struct waiting *waiting;
    _Atomic unsigned wait, other;
};

static void
ask(void *arg, unsigned number)
{
    struct crowd *c = arg;
    struct waiting *w = &c->waiting[number];

    if (jwks_look(c->j, 1, &w->waiter) == JWKS_WAIT) {
        atomic_fetch_add(&c->wait, 1);
    } else {
        atomic_fetch_add(&c->other, 1);
    }
}

static void
a_crowd_makes_one_fetch(void **state)
{
    (void)state;
    for (const unsigned *n = race_sizes; *n; n++) {
        struct crowd c = {.j = create(server.url), .waiting = xcalloc(*n, sizeof *c.waiting)};
        unsigned before;

        look(c.j, 0);
        before = atomic_load(&server.hits);
        fake_clock_pass(&fake, MINUTE);
        atomic_store(&server.hold, true);
        for (unsigned i = 0; i < *n; i++) {
            c.waiting[i].waiter.ready = tell;
            sem_init(&c.waiting[i].ready, 0, 0);
        }
        threads_run(*n, ask, &c);
        CHECK(atomic_load(&c.wait) == *n && atomic_load(&c.other) == 0);
        key_server_await(&server);
        atomic_store(&server.hold, false);
        key_server_release(&server);
        for (unsigned i = 0; i < *n; i++) {
            while (sem_wait(&c.waiting[i].ready) != 0) {
            }
        }
        CHECK(atomic_load(&server.hits) == before + 1);
        jwks_destroy(c.j);
        for (unsigned i = 0; i < *n; i++) {
            CHECK(sem_trywait(&c.waiting[i].ready) != 0); /* Each was called once. */
            sem_destroy(&c.waiting[i].ready);
        }
        free(c.waiting);
    }
}

/* ---- Files ---- */

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
a_file_is_read_again_when_it_changed(void **state)
{
    char path[] = "/tmp/tandem-jwks-XXXXXX";
    struct jwks *j;

    (void)state;
    close(mkstemp(path));
    write_file(path, first_set);
    j = create(path);
    CHECK(knows(j, "first")); /* At once. */
    write_file(path, second_set);
    CHECK(knows(j, "first"));
    CHECK_INT(look(j, 1), JWKS_WAIT); /* Files are looked at as often as need be. */
    CHECK(knows(j, "second"));
    write_file(path, "{");
    CHECK_INT(look(j, 2), JWKS_WAIT);
    CHECK(knows(j, "second") && jwks_counters(j).failures == 1);
    unlink(path);
    CHECK_INT(look(j, 2), JWKS_WAIT);
    CHECK(knows(j, "second") && jwks_counters(j).failures == 2);
    jwks_destroy(j);
}

static void
a_bad_file_is_told_at_once(void **state)
{
    char path[] = "/tmp/tandem-jwks-XXXXXX";
    struct jwks *j;
    struct fault f = FAULT_INIT;
    struct buf huge = BUF_INIT;

    (void)state;
    CHECK_INT(jwks_create(&(struct jwks_options){"/nowhere/keys", &fake.clock, 1}, &j, &f),
              E_NOT_FOUND);
    CHECK_INT(jwks_create(&(struct jwks_options){"/tmp", &fake.clock, 1}, &j, &f), E_IO);
    close(mkstemp(path));
    CHECK_INT(jwks_create(&(struct jwks_options){path, &fake.clock, 1}, &j, &f), E_ARGUMENT);
    buf_reserve(&huge, JWK_TEXT_MAX + 2);
    memset(huge.data, ' ', JWK_TEXT_MAX + 1);
    huge.data[JWK_TEXT_MAX + 1] = '\0';
    write_file(path, huge.data);
    CHECK_INT(jwks_create(&(struct jwks_options){path, &fake.clock, 1}, &j, &f), E_TOO_LARGE);
    CHECK(!j && f.text[0]);
    buf_fini(&huge);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_url_is_fetched_in_the_background, start, stop),
        cmocka_unit_test_setup_teardown(an_unknown_key_is_looked_for_once_a_minute, start, stop),
        cmocka_unit_test_setup_teardown(a_refresh_looks_at_once, start, stop),
        cmocka_unit_test_setup_teardown(what_says_the_same_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(old_keys_are_fetched_anew_when_used, start, stop),
        cmocka_unit_test_setup_teardown(keys_stay_when_a_look_fails, start, stop),
        cmocka_unit_test_setup_teardown(a_server_that_is_down_is_tried_again, start, stop),
        cmocka_unit_test_setup_teardown(an_end_does_not_wait_for_the_server, start, stop),
        cmocka_unit_test_setup_teardown(a_crowd_makes_one_fetch, start, stop),
        cmocka_unit_test_setup_teardown(a_file_is_read_again_when_it_changed, start, stop),
        cmocka_unit_test_setup_teardown(a_bad_file_is_told_at_once, start, stop),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
