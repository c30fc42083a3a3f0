/* test_changes.c -- who listens is told; who is taken out is told nothing more. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/changes.h"
#include "tests/threads.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

struct probe {
    struct listener listener; /* First. */
    enum err at_begin;
    _Atomic unsigned told, over;
    _Atomic bool slow;         /* tell() says that it shall come later. */
    _Atomic unsigned patience; /* tell() says that it is enough once told so often; 0: never. */
    unsigned begun;
    struct buf names; /* Of resources, with blanks between; under CHANGES. */
    sem_t telling;    /* Posted for each that is told. */
};

static struct changes *changes;

static enum err
begin(struct listener *l, struct fault *f)
{
    struct probe *p = (struct probe *)l;

    p->begun++;
    return p->at_begin ? fault_set(f, p->at_begin, "no") : E_OK;
}

static enum told
tell(struct listener *l, enum change change, const char *name)
{
    struct probe *p = (struct probe *)l;
    enum told told;

    if ((change == CHANGE_RESOURCE) != (name != NULL)) {
        return TOLD_ENOUGH;
    }
    if (atomic_load(&p->slow)) {
        return TELL_LATER;
    }
    if (name) {
        buf_addf(&p->names, "%s ", name);
    }
    told = atomic_fetch_add(&p->told, 1) + 1 == atomic_load(&p->patience) ? TOLD_ENOUGH : TOLD;
    sem_post(&p->telling);
    return told;
}

static void
over(struct listener *l)
{
    atomic_fetch_add(&((struct probe *)l)->over, 1);
}

static const struct listener_class class = {begin, tell, over};
#define PROBE(KINDS) ((struct probe){.listener = {.class = &class, .kinds = (KINDS)}})
#define TOOLS (1u << CHANGE_TOOLS)
#define PROMPTS (1u << CHANGE_PROMPTS)

static bool
is_it(const struct listener *l, const void *arg)
{
    return !arg || l == arg;
}

/* Before the listeners of a test go out of scope. */
static void
take_all(void)
{
    while (changes_take(changes, is_it, NULL)) {
    }
}

static int
set_up(void **unused)
{
    (void)unused;
    changes = changes_create();
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    changes_destroy(changes);
    return 0;
}

static void
each_is_told_what_it_listens_for(void **unused)
{
    struct probe tools = PROBE(TOOLS), both = PROBE(TOOLS | PROMPTS), none = PROBE(0);

    (void)unused;
    changes_publish(changes, CHANGE_TOOLS);
    CHECK_INT(changes_listen(changes, &tools.listener, NULL), E_OK);
    CHECK_INT(changes_listen(changes, &both.listener, NULL), E_OK);
    CHECK_INT(changes_listen(changes, &none.listener, NULL), E_OK);
    CHECK_INT(changes_count(changes, is_it, NULL), 3);
    changes_publish(changes, CHANGE_TOOLS);
    changes_publish(changes, CHANGE_PROMPTS);
    changes_publish(changes, CHANGE_RESOURCES);
    CHECK_INT(tools.told, 1);
    CHECK_INT(both.told, 2);
    CHECK_INT(none.told, 0);
    CHECK(changes_take(changes, is_it, &both) == &both.listener);
    CHECK(changes_take(changes, is_it, &both) == NULL);
    changes_publish(changes, CHANGE_TOOLS);
    CHECK_INT(tools.told, 2);
    CHECK_INT(both.told, 2);
    take_all();
}

static void
who_cannot_begin_or_take_more_is_out(void **unused)
{
    struct probe refused = PROBE(TOOLS), short_one = PROBE(TOOLS), other = PROBE(TOOLS);
    struct probe late = PROBE(TOOLS);
    struct fault f = FAULT_INIT;

    (void)unused;
    refused.at_begin = E_BUSY;
    short_one.patience = 2;
    CHECK_INT(changes_listen(changes, &refused.listener, &f), E_BUSY);
    CHECK_INT(changes_listen(changes, &other.listener, NULL), E_OK);
    CHECK_INT(changes_listen(changes, &short_one.listener, NULL), E_OK);
    for (int i = 0; i < 3; i++) {
        changes_publish(changes, CHANGE_TOOLS);
    }
    CHECK(refused.begun == 1 && refused.told == 0 && refused.over == 0);
    CHECK(short_one.told == 2 && short_one.over == 1);
    CHECK(other.told == 3 && other.over == 0);
    changes_close(changes);
    CHECK_INT(changes_listen(changes, &late.listener, &f), E_OVERLOAD);
    CHECK(late.begun == 0);
    take_all();
}

static void
expect_names(struct probe *p, const char *want)
{
    CHECK_STR(p->names.data ? p->names.data : "", want);
    buf_reset(&p->names);
    buf_adds(&p->names, "");
}

static void
resources_are_told_by_name(void **unused)
{
    struct probe p = PROBE(0), other = PROBE(TOOLS);

    (void)unused;
    CHECK_INT(listener_want(&p.listener, SLICE("a:x"), NULL), E_OK);
    CHECK_INT(listener_want(&p.listener, SLICE("a:x"), NULL), E_OK);
    CHECK_INT(listener_want(&p.listener, SLICE("a:x/y"), NULL), E_OK);
    CHECK_INT(listener_want(&p.listener, SLICE("b:folder/"), NULL), E_OK);
    CHECK_INT(p.listener.topic_count, 3);
    CHECK_INT(changes_listen(changes, &p.listener, NULL), E_OK);
    CHECK_INT(changes_listen(changes, &other.listener, NULL), E_OK);
    changes_publish_resource(changes, "a:x");
    changes_publish_resource(changes, "a:x/y");
    changes_publish_resource(changes, "a:x/z"); /* Below what is wanted. */
    changes_publish_resource(changes, "a:xy");
    changes_publish_resource(changes, "b:folder/f");
    changes_publish_resource(changes, "b:folder");
    expect_names(&p, "a:x a:x/y a:x/z b:folder/f ");
    changes_publish_below(changes, "a:");
    expect_names(&p, "a:x/y a:x ");
    CHECK_INT(changes_want(changes, is_it, &p, SLICE("c"), NULL), E_OK);
    CHECK_INT(changes_want(changes, is_it, &changes, SLICE("c"), NULL), E_NOT_FOUND);
    CHECK(changes_unwant(changes, is_it, &p, SLICE("a:x")));
    CHECK(!changes_unwant(changes, is_it, &p, SLICE("a:x")));
    CHECK(!changes_unwant(changes, is_it, &changes, SLICE("c")));
    CHECK(listener_wants(&p.listener, SLICE("c")) && !listener_wants(&p.listener, SLICE("a:x")));
    changes_publish_resource(changes, "a:x");
    changes_publish_resource(changes, "c");
    expect_names(&p, "c ");
    CHECK_INT(other.told, 0);
    take_all();
    listener_fini(&p.listener);
    CHECK_INT(p.listener.topic_bytes, 0);
    buf_fini(&p.names);
}

static void
what_is_wanted_is_bounded(void **unused)
{
    static char name[64 * 1024];
    struct probe *p = xcalloc(100, sizeof *p);
    struct fault f = FAULT_INIT;
    unsigned listening = 0;

    (void)unused;
    for (unsigned i = 0; i < CHANGES_TOPICS_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        CHECK_INT(listener_want(&p->listener, slice_of(text), &f), E_OK);
    }
    CHECK_INT(listener_want(&p->listener, SLICE("more"), &f), E_BUSY);
    CHECK_INT(listener_want(&p->listener, SLICE("7"), &f), E_OK);
    listener_fini(&p->listener);
    memset(name, 'x', sizeof name);
    for (enum err err = E_OK; !err; listening += !err) {
        p[listening] = PROBE(0);
        listener_want(&p[listening].listener, (struct slice){name, sizeof name}, NULL);
        err = changes_listen(changes, &p[listening].listener, &f);
    }
    CHECK(listening >= 60 && listening <= 64);
    CHECK_INT(f.code, E_BUSY);
    CHECK_INT(changes_want(changes, is_it, NULL, (struct slice){name, sizeof name - 1}, &f),
              E_BUSY);
    CHECK(changes_take(changes, is_it, &p[0]));
    CHECK_INT(changes_listen(changes, &p[listening].listener, &f), E_OK);
    take_all();
    for (unsigned i = 0; i <= listening; i++) {
        listener_fini(&p[i].listener);
    }
    free(p);
}

/* ---- With a keeper ---- */

static void
await(struct probe *p, unsigned times)
{
    while (times--) {
        while (sem_wait(&p->telling) != 0) {
        }
    }
}

struct storm {
    struct probe *p;
    const char *name;
};

/* On the keeper's thread: whatever waits is told when it is over. */
static void
publish_often(void *arg)
{
    const struct storm *s = arg;

    for (int i = 0; i < 1000; i++) {
        changes_publish(changes, CHANGE_TOOLS);
        changes_publish_resource(changes, s->name);
        changes_publish_resource(changes, i % 2 ? "s:b/one" : "s:b/two");
    }
}

static void
news_that_come_often_are_told_at_once_and_then_once(void **unused)
{
    struct probe p = PROBE(TOOLS);
    struct storm storm = {&p, "s:a/sub"};
    struct keeper *keeper;
    struct fault f = FAULT_INIT;

    (void)unused;
    sem_init(&p.telling, 0, 0);
    CHECK_INT(keeper_start(&keeper, &f), E_OK);
    changes_keep(changes, keeper);
    listener_want(&p.listener, SLICE("s:a"), NULL);
    listener_want(&p.listener, SLICE("s:b"), NULL);
    CHECK_INT(changes_listen(changes, &p.listener, NULL), E_OK);
    keeper_call(keeper, publish_often, &storm);
    await(&p, 6);
    atomic_store(&p.slow, true);
    while (sem_trywait(&p.telling) == 0) {
        fail();
    }
    CHECK(changes_take(changes, is_it, &p));
    CHECK_INT(p.told, 6);
    expect_names(&p, "s:a/sub s:b/two s:b s:a/sub ");
    /* Who is slow is told once he is no longer. */
    CHECK_INT(changes_listen(changes, &p.listener, NULL), E_OK);
    for (int i = 0; i < 5; i++) {
        changes_publish(changes, CHANGE_TOOLS);
        changes_publish_resource(changes, "s:a");
    }
    CHECK_INT(p.told, 6);
    atomic_store(&p.slow, false);
    await(&p, 2);
    CHECK_INT(p.told, 8);
    /* And who takes no more goes, also when it is the keeper who tells. */
    p.patience = 9;
    changes_publish(changes, CHANGE_TOOLS);
    await(&p, 1);
    while (!atomic_load(&p.over)) {
        changes_publish(changes, CHANGE_PROMPTS);
    }
    CHECK_INT(changes_count(changes, is_it, NULL), 0);
    listener_fini(&p.listener);
    buf_fini(&p.names);
    changes_destroy(changes);
    keeper_stop(keeper);
    changes = changes_create();
}

/* ---- Races ---- */

/* Many publish while many come and go: each listener is taken out exactly once, by whoever. */
static _Atomic unsigned own, others;

static void
come_and_go(void *arg, unsigned number)
{
    unsigned rounds = *(const unsigned *)arg;

    for (unsigned i = 0; i < rounds; i++) {
        struct probe p = PROBE(TOOLS);

        p.patience = number % 2 ? 3 : 0;
        changes_listen(changes, &p.listener, NULL);
        changes_publish(changes, CHANGE_TOOLS);
        if (changes_take(changes, is_it, &p)) {
            atomic_fetch_add(&own, 1);
        } else {
            while (!atomic_load(&p.over)) { /* Another thread is about to say so. */
                changes_publish(changes, CHANGE_PROMPTS);
            }
            atomic_fetch_add(&others, 1);
        }
    }
}

static void
each_is_taken_out_once(void **unused)
{
    unsigned rounds = scaled(400);

    (void)unused;
    threads_run(8, come_and_go, &rounds);
    CHECK_INT(own + others, 8 * rounds);
    CHECK_INT(changes_count(changes, is_it, NULL), 0);
}

/* Publishers and listeners that join, subscribe and leave; and at the end, one last change, which
 * each that still listens is told of. */
struct crowd {
    struct keeper *keeper;
    struct probe *stayers;
    unsigned rounds, threads;
};

static void
take_part(void *arg, unsigned number)
{
    struct crowd *c = arg;

    for (unsigned i = 0; i < c->rounds; i++) {
        if (number % 2) {
            changes_publish(changes, i % 3 ? CHANGE_TOOLS : CHANGE_PROMPTS);
            changes_publish_resource(changes, "r:a/1");
            changes_publish_below(changes, "r:");
        } else {
            struct probe p = PROBE(TOOLS | PROMPTS);

            sem_init(&p.telling, 0, 0);
            listener_want(&p.listener, SLICE("r:a"), NULL);
            changes_listen(changes, &p.listener, NULL);
            changes_want(changes, is_it, &p, SLICE("r:b"), NULL);
            changes_unwant(changes, is_it, &p, SLICE("r:a"));
            atomic_fetch_add(changes_take(changes, is_it, &p) ? &own : &others, 1);
            listener_fini(&p.listener);
            buf_fini(&p.names);
        }
    }
}

static void
no_last_change_is_lost(void **unused)
{
    (void)unused;
    for (const unsigned *size = race_sizes; *size && *size <= 50; size++) {
        struct crowd c = {.rounds = scaled(100), .threads = *size};
        struct fault f = FAULT_INIT;
        struct probe stayer = PROBE(PROMPTS);

        own = others = 0;
        CHECK_INT(keeper_start(&c.keeper, &f), E_OK);
        changes_keep(changes, c.keeper);
        sem_init(&stayer.telling, 0, 0);
        listener_want(&stayer.listener, SLICE("r:a"), NULL);
        changes_listen(changes, &stayer.listener, NULL);
        threads_run(*size, take_part, &c);
        CHECK_INT(own, (*size + 1) / 2 * c.rounds);
        CHECK_INT(others, 0);
        stayer.told = 0; /* What waits still may be told; the last one must be. */
        changes_publish_resource(changes, "r:a/last");
        await(&stayer, 1);
        while (changes_take(changes, is_it, NULL) == NULL) {
            fail();
        }
        CHECK(stayer.names.data && strstr(stayer.names.data, "r:a"));
        listener_fini(&stayer.listener);
        buf_fini(&stayer.names);
        tear_down(unused);
        keeper_stop(c.keeper);
        set_up(unused);
    }
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_is_told_what_it_listens_for),
        TEST(who_cannot_begin_or_take_more_is_out),
        TEST(resources_are_told_by_name),
        TEST(what_is_wanted_is_bounded),
        TEST(news_that_come_often_are_told_at_once_and_then_once),
        TEST(each_is_taken_out_once),
        TEST(no_last_change_is_lost),
    };
    return CHECK_RUN(tests);
}
