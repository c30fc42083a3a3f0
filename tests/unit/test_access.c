/* test_access.c -- tokens are granted, remembered, refused and forgotten, whatever races. */
#include "tests/check.h"

#include "state/access.h"
#include "state/base/log.h"
#include "tests/fakes.h"
#include "tests/key_server.h"
#include "tests/threads.h"
#include "tests/tokens.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static struct signer first, second;
static char *first_set, *second_set, *both_sets;
static char path[32];
static struct fake_clock fake;

static int
make_keys(void **state)
{
    struct signer both[2];

    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    signer_init(&first, JWT_EDDSA, "first");
    signer_init(&second, JWT_ES256, "second");
    both[0] = first;
    both[1] = second;
    first_set = signers_jwks(&first, 1);
    second_set = signers_jwks(&second, 1);
    both_sets = signers_jwks(both, 2);
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
    free(both_sets);
    return 0;
}

/* Replaces the file at once: a reader sees the old or the new. */
static void
write_keys(const char *text)
{
    char aside[40];
    FILE *file;

    snprintf(aside, sizeof aside, "%s.new", path);
    file = fopen(aside, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0 && rename(aside, path) == 0);
}

static int
start(void **state)
{
    (void)state;
    fake_clock_init(&fake);
    atomic_store(&fake.wall_ns, TOKEN_NOW * SECOND);
    snprintf(path, sizeof path, "/tmp/tandem-access-XXXXXX");
    close(mkstemp(path));
    write_keys(first_set);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct access *
open_access(const char *source)
{
    const struct access_options options = {
        .keys = {source, &fake.clock, 60000},
        .issuer = TOKEN_ISSUER,
        .audience = TOKEN_AUDIENCE,
        .skew_ns = 30 * SECOND,
        .clock = &fake.clock,
    };
    struct access *a = NULL;

    CHECK_INT(access_create(&options, &a, NULL), E_OK);
    return a;
}

struct waiting {
    struct jwks_waiter waiter; /* First. */
    sem_t ready;
};

static void
tell(struct jwks_waiter *waiter)
{
    sem_post(&((struct waiting *)waiter)->ready);
}

/* Judges as a transport does: waits once, then asks for good. */
static enum access_answer
check(struct access *a, const char *token, struct grant **grant)
{
    struct waiting w = {.waiter = {.ready = tell}};
    struct fault f = FAULT_INIT;
    enum access_answer answer;

    sem_init(&w.ready, 0, 0);
    answer = access_check(a, slice_of(token), &w.waiter, grant, &f);
    if (answer == ACCESS_LATER) {
        while (sem_wait(&w.ready) != 0) {
        }
        answer = access_check(a, slice_of(token), NULL, grant, &f);
    }
    sem_destroy(&w.ready);
    return answer;
}

/* The same; the grant is of no interest. */
static enum access_answer
verdict(struct access *a, const char *token)
{
    struct grant *grant;
    enum access_answer answer = check(a, token, &grant);

    grant_unref(grant);
    return answer;
}

static void
a_grant_says_who_and_what(void **state)
{
    char *token = token_good(&first, ",\"scope\":\"tandem:read\",\"client_id\":\"ide\"");
    struct access *a = open_access(path);
    struct grant *grant;

    (void)state;
    CHECK_INT(check(a, token, &grant), ACCESS_GRANTED);
    CHECK_STR(grant->principal, TOKEN_ISSUER " alice");
    CHECK_STR(grant->scopes, "tandem:read");
    CHECK_STR(grant->client, "ide");
    CHECK(grant->ends_ns == (TOKEN_NOW + 330) * SECOND);
    access_destroy(a);
    CHECK_STR(grant->scopes, "tandem:read"); /* It outlives what gave it. */
    grant_unref(grant_ref(grant));
    grant_unref(grant);
    free(token);
}

static void
a_token_is_verified_once(void **state)
{
    char *token = token_good(&first, "");
    struct access *a = open_access(path);

    (void)state;
    for (int i = 0; i < 5; i++) {
        CHECK_INT(verdict(a, token), ACCESS_GRANTED);
    }
    CHECK(access_counters(a).verified == 1 && access_counters(a).remembered == 4);
    CHECK(access_counters(a).size == 1);
    /* Until it expires. */
    fake_clock_pass(&fake, 329 * SECOND);
    CHECK_INT(verdict(a, token), ACCESS_GRANTED);
    fake_clock_pass(&fake, SECOND);
    CHECK_INT(verdict(a, token), ACCESS_REFUSED);
    CHECK(access_counters(a).size == 0 && access_counters(a).refused == 1);
    access_destroy(a);
    free(token);
}

static void
what_is_no_good_is_refused(void **state)
{
    struct access *a = open_access(path);
    struct buf huge = BUF_INIT;

    (void)state;
    CHECK_INT(verdict(a, ""), ACCESS_REFUSED);
    CHECK_INT(verdict(a, "a.b.c"), ACCESS_REFUSED);
    for (int i = 0; i < 17 * 1024; i++) {
        buf_addc(&huge, 'a');
    }
    CHECK_INT(verdict(a, huge.data), ACCESS_REFUSED);
    CHECK(access_counters(a).refused == 3 && access_counters(a).size == 0);
    buf_fini(&huge);
    access_destroy(a);
}

static void
a_new_key_is_found_and_an_old_one_forgotten(void **state)
{
    char *old = token_good(&first, ""), *new = token_good(&second, "");
    struct access *a = open_access(path);

    (void)state;
    CHECK_INT(verdict(a, old), ACCESS_GRANTED);
    CHECK_INT(verdict(a, new), ACCESS_REFUSED);
    write_keys(both_sets);
    CHECK_INT(verdict(a, new), ACCESS_GRANTED);
    CHECK_INT(verdict(a, old), ACCESS_GRANTED);
    write_keys(second_set); /* The old key is taken back: its tokens die, remembered or not. */
    CHECK_INT(verdict(a, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA"), ACCESS_REFUSED);
    CHECK_INT(verdict(a, old), ACCESS_REFUSED);
    CHECK_INT(verdict(a, new), ACCESS_GRANTED);
    access_destroy(a);
    free(old);
    free(new);
}

static void
without_keys_nobody_can_say(void **state)
{
    char *token = token_good(&first, "");
    struct access *a = open_access("http://127.0.0.1:1/jwks");

    (void)state;
    CHECK_INT(verdict(a, token), ACCESS_UNKNOWN);
    access_destroy(a);
    access_destroy(NULL);
    free(token);
}

static void
memory_is_bounded(void **state)
{
    struct access *a = open_access(path);
    char *kept = NULL;

    (void)state;
    for (int i = 0; i < ACCESS_REMEMBERED + 50; i++) {
        char *more = xasprintf(",\"jti\":\"%d\"", i), *token = token_good(&first, more);

        CHECK_INT(verdict(a, token), ACCESS_GRANTED);
        if (i == 10) {
            kept = token;
        } else {
            free(token);
        }
        if (i > 10 && i % 100 == 0) {
            CHECK_INT(verdict(a, kept), ACCESS_GRANTED);
        }
        free(more);
    }
    CHECK(access_counters(a).size == ACCESS_REMEMBERED);
    CHECK(access_counters(a).verified == ACCESS_REMEMBERED + 50); /* What is used is kept. */
    access_destroy(a);
    free(kept);
}

static void
a_set_that_cannot_be_read_is_told(void **state)
{
    struct access *a;
    const struct access_options options = {.keys = {"/nowhere", &fake.clock, 1}};

    (void)state;
    CHECK_INT(access_create(&options, &a, NULL), E_NOT_FOUND);
    CHECK(!a);
}

/* ---- Races: many verify while the keys go to and fro, and look for what nobody has ---- */

struct race {
    struct access *a;
    char *lasting, *passing, *unknown;
    _Atomic unsigned granted, refused, wrong;
    unsigned rounds;
};

static void
race_body(void *arg, unsigned number)
{
    struct race *r = arg;

    for (unsigned i = 0; i < r->rounds; i++) {
        enum access_answer answer;

        if (number == 0) { /* The first turns the keys; the lasting one is always there. */
            write_keys(i % 2 ? first_set : both_sets);
            fake_clock_pass(&fake, SECOND / 100);
        }
        answer = verdict(r->a, r->lasting);
        atomic_fetch_add(answer == ACCESS_GRANTED ? &r->granted : &r->wrong, 1);
        answer = verdict(r->a, r->passing);
        atomic_fetch_add(answer == ACCESS_LATER || answer == ACCESS_UNKNOWN ? &r->wrong
                         : answer == ACCESS_GRANTED                         ? &r->granted
                                                                            : &r->refused,
                         1);
        answer = verdict(r->a, r->unknown);
        atomic_fetch_add(answer == ACCESS_REFUSED ? &r->refused : &r->wrong, 1);
    }
}

static void
verifying_looking_and_turning_race(void **state)
{
    struct race r = {.rounds = scaled(30)};

    (void)state;
    r.lasting = token_good(&first, "");
    r.passing = token_good(&second, "");
    r.unknown = token_of(&first, "{\"alg\":\"EdDSA\",\"kid\":\"nobody\"}", "{}");
    r.a = open_access(path);
    threads_run(20, race_body, &r);
    CHECK(atomic_load(&r.wrong) == 0);
    CHECK(atomic_load(&r.granted) + atomic_load(&r.refused) == 20 * 3 * r.rounds);
    access_destroy(r.a);
    free(r.lasting);
    free(r.passing);
    free(r.unknown);
}

/* 100 requests at once with a key that nobody knows: one fetch. */
struct flood {
    struct access *a;
    char *token;
    _Atomic unsigned refused, granted, asked;
};

static void
flood_body(void *arg, unsigned number)
{
    struct flood *d = arg;
    enum access_answer answer;

    (void)number;
    atomic_fetch_add(&d->asked, 1);
    answer = verdict(d->a, d->token);
    atomic_fetch_add(answer == ACCESS_GRANTED ? &d->granted : &d->refused, 1);
}

static void *
let_go_once_all_have_asked(void *arg)
{
    struct key_server *server = ((void **)arg)[0];
    struct flood *d = ((void **)arg)[1];

    key_server_await(server);
    while (atomic_load(&d->asked) < 100) {
        sched_yield();
    }
    atomic_store(&server->hold, false);
    key_server_release(server);
    return NULL;
}

static void
a_flood_of_unknown_keys_makes_one_fetch(void **state)
{
    struct key_server server;
    struct flood d;
    void *both[] = {&server, &d};
    char *known;
    pthread_t thread;

    (void)state;
    key_server_start(&server);
    key_server_say(&server, 200, first_set);
    d = (struct flood){.a = open_access(server.url), .token = token_good(&second, "")};
    known = token_good(&first, "");
    CHECK_INT(verdict(d.a, known), ACCESS_GRANTED); /* The fetch of the start is over. */
    CHECK(atomic_load(&server.hits) == 1);
    CHECK_INT(verdict(d.a, d.token), ACCESS_REFUSED);
    CHECK(atomic_load(&server.hits) == 2);
    key_server_say(&server, 200, both_sets); /* It is rotated in. */
    fake_clock_pass(&fake, 60 * SECOND);
    atomic_store(&server.hold, true);
    pthread_create(&thread, NULL, let_go_once_all_have_asked, both);
    threads_run(100, flood_body, &d);
    pthread_join(thread, NULL);
    CHECK(atomic_load(&server.hits) == 3);
    CHECK(atomic_load(&d.granted) == 100 && atomic_load(&d.refused) == 0);
    access_destroy(d.a);
    key_server_stop(&server);
    free(d.token);
    free(known);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_grant_says_who_and_what, start, stop),
        cmocka_unit_test_setup_teardown(a_token_is_verified_once, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_good_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_new_key_is_found_and_an_old_one_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(without_keys_nobody_can_say, start, stop),
        cmocka_unit_test_setup_teardown(memory_is_bounded, start, stop),
        cmocka_unit_test_setup_teardown(a_set_that_cannot_be_read_is_told, start, stop),
        cmocka_unit_test_setup_teardown(verifying_looking_and_turning_race, start, stop),
        cmocka_unit_test_setup_teardown(a_flood_of_unknown_keys_makes_one_fetch, start, stop),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
