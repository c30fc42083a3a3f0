/* test_changes.c -- who listens is told; who is taken out is told nothing more. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/changes.h"
#include "tests/threads.h"

#include <stdatomic.h>

struct probe {
    struct listener listener; /* First. */
    enum err at_begin;
    _Atomic unsigned told, over;
    unsigned begun, patience; /* tell() says false once it was told that often; 0: never. */
};

static struct changes *changes;

static enum err
begin(struct listener *l, struct fault *f)
{
    struct probe *p = (struct probe *)l;

    p->begun++;
    return p->at_begin ? fault_set(f, p->at_begin, "no") : E_OK;
}

static bool
tell(struct listener *l, enum change change)
{
    struct probe *p = (struct probe *)l;

    (void)change;
    return atomic_fetch_add(&p->told, 1) + 1 != p->patience;
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

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_is_told_what_it_listens_for),
        TEST(who_cannot_begin_or_take_more_is_out),
        TEST(each_is_taken_out_once),
    };
    return CHECK_RUN(tests);
}
