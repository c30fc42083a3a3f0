/* test_mcp_tasks.c -- MCP tasks: whose they are, how they end, once, and when they are forgotten.
 */
#include "tests/check.h"

#include "state/base/lock.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)

static struct fake_clock fake;
static struct mcp_tasks *tasks;

static int
set_up(void **unused)
{
    struct mcp_task_limits limits = {.tasks = 8,
                                     .per_principal = 5,
                                     .bytes = 10010,
                                     .bytes_per_principal = 6000,
                                     .ttl_ns = 60 * SECOND,
                                     .ttl_most_ns = 100 * SECOND};

    (void)unused;
    fake_clock_init(&fake);
    tasks = mcp_tasks_create(&fake.clock, &limits);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    mcp_tasks_destroy(tasks);
    return 0;
}

static struct mcp_task *
start(const char *principal)
{
    struct mcp_task *task = NULL;

    CHECK_INT(mcp_task_start(tasks, slice_of(principal), NULL, -1, &task, NULL), E_OK);
    return task;
}

static enum err
find(const char *id, const char *principal)
{
    struct mcp_task *task = NULL;
    enum err err = mcp_task_find(tasks, slice_of(id), slice_of(principal), &task, NULL);

    CHECK((task != NULL) == (err == E_OK));
    mcp_task_unref(task);
    return err;
}

static void
check_status(struct mcp_task *task, enum mcp_task_status status, const char *message)
{
    struct mcp_task_look look;

    mcp_task_look(task, &look);
    CHECK_INT(look.status, status);
    CHECK_STR(look.message, message);
    mcp_task_look_fini(&look);
}

static void
an_id_is_random_and_belongs_to_its_principal(void **unused)
{
    struct mcp_task *a = start("ann"), *b = start("bob");
    struct fault f = FAULT_INIT;
    struct mcp_task *none = a;

    (void)unused;
    CHECK_INT(strlen(mcp_task_id(a)), 32);
    CHECK(strcmp(mcp_task_id(a), mcp_task_id(b)) != 0);
    CHECK_INT(find(mcp_task_id(a), "ann"), E_OK);
    CHECK_INT(find(mcp_task_id(a), "bob"), E_PARAMS);
    CHECK_INT(find(mcp_task_id(a), ""), E_PARAMS);
    CHECK_INT(find("", "ann"), E_PARAMS);
    CHECK_INT(find("00000000000000000000000000000000", "ann"), E_PARAMS);
    CHECK_INT(mcp_task_find(tasks, SLICE_NONE, SLICE_NONE, &none, &f), E_PARAMS);
    CHECK(!none);
    CHECK_STR(f.text, "this task is unknown, or its time is over");
    mcp_task_unref(a);
    mcp_task_unref(b);
}

static void
it_works_waits_and_ends_once(void **unused)
{
    struct mcp_task *task = start("ann");
    struct mcp_task_look look;

    (void)unused;
    CHECK(mcp_task_runs(task));
    mcp_task_say(task, "half way");
    check_status(task, MCP_TASK_WORKING, "half way");
    CHECK(mcp_task_input(task, SLICE("{\"a\":1}")));
    mcp_task_look(task, &look);
    CHECK_INT(look.status, MCP_TASK_INPUT_REQUIRED);
    CHECK(look.input && strcmp(look.input->data, "{\"a\":1}") == 0);
    mcp_task_look_fini(&look);
    fake_clock_pass(&fake, SECOND);
    CHECK(mcp_task_input(task, SLICE_NONE));
    mcp_task_look(task, &look);
    CHECK_INT(look.status, MCP_TASK_WORKING);
    CHECK(!look.input && !look.result);
    CHECK_INT(look.updated_ns - look.created_ns, SECOND);
    CHECK_INT(look.ttl_ms, 60000);
    mcp_task_look_fini(&look);
    CHECK_INT(mcp_task_end(task, MCP_TASK_COMPLETED, "done", SLICE("result")), E_OK);
    CHECK(!mcp_task_runs(task));
    CHECK_INT(mcp_task_end(task, MCP_TASK_CANCELLED, "too late", SLICE_NONE), E_STATE);
    CHECK(!mcp_task_input(task, SLICE("x")));
    mcp_task_say(task, "too late");
    mcp_task_look(task, &look);
    CHECK_INT(look.status, MCP_TASK_COMPLETED);
    CHECK_STR(look.message, "done");
    CHECK_STR(look.result->data, "result");
    mcp_task_look_fini(&look);
    mcp_task_unref(task);
}

static void
what_it_says_is_cut_at_a_whole_character(void **unused)
{
    struct mcp_task *task = start("ann");
    char text[2 * MCP_TASK_MESSAGE_SIZE + 1];
    struct mcp_task_look look;

    (void)unused;
    for (size_t i = 0; i < sizeof text - 1; i += 2) {
        memcpy(text + i, "\xC3\xA4", 2);
    }
    text[sizeof text - 1] = '\0';
    mcp_task_say(task, text);
    mcp_task_look(task, &look);
    CHECK_INT(strlen(look.message), MCP_TASK_MESSAGE_SIZE - 2);
    mcp_task_look_fini(&look);
    mcp_task_unref(task);
}

static void
its_time_to_live_is_bent_to_the_limits(void **unused)
{
    static const int64_t asked[] = {-1, 0, 5000, 99999999, INT64_MAX};
    static const int64_t got[] = {60000, 1000, 5000, 100000, 100000};

    (void)unused;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct mcp_task *task = NULL;
        struct mcp_task_look look;

        CHECK_INT(mcp_task_start(tasks, SLICE("ann"), NULL, asked[i], &task, NULL), E_OK);
        mcp_task_look(task, &look);
        CHECK_INT(look.ttl_ms, got[i]);
        CHECK_INT(mcp_task_expires_ns(task) - clock_mono(&fake.clock), got[i] * 1000000);
        mcp_task_look_fini(&look);
        mcp_task_unref(task);
    }
}

static void
it_is_forgotten_when_its_time_is_over_and_not_before(void **unused)
{
    struct mcp_task *done = start("ann"), *running = start("ann"), *later = NULL;
    struct mcp_tasks_counters c;

    (void)unused;
    CHECK_INT(mcp_task_start(tasks, SLICE("ann"), NULL, 90000, &later, NULL), E_OK);
    CHECK_INT(mcp_task_end(done, MCP_TASK_COMPLETED, NULL, SLICE("r")), E_OK);
    fake_clock_pass(&fake, 60 * SECOND - 1);
    CHECK_INT(mcp_tasks_expire(tasks), mcp_task_expires_ns(done));
    CHECK_INT(find(mcp_task_id(done), "ann"), E_OK);
    fake_clock_pass(&fake, 1);
    CHECK_INT(find(mcp_task_id(done), "ann"), E_PARAMS); /* Also before anybody expires them. */
    CHECK_INT(mcp_tasks_expire(tasks), mcp_task_expires_ns(later));
    CHECK_INT(find(mcp_task_id(later), "ann"), E_OK);
    check_status(done, MCP_TASK_COMPLETED, "");
    check_status(running, MCP_TASK_CANCELLED, "its time to live is over");
    c = mcp_tasks_counters(tasks);
    CHECK_INT(c.live, 1);
    CHECK_INT(c.expired, 2);
    CHECK_INT(c.started, 3);
    CHECK_INT(c.completed, 1);
    CHECK_INT(c.cancelled, 1);
    CHECK_INT(c.bytes, 0);
    fake_clock_pass(&fake, 60 * SECOND);
    CHECK_INT(mcp_tasks_expire(tasks), INT64_MAX);
    mcp_task_unref(done);
    mcp_task_unref(running);
    mcp_task_unref(later);
}

static void
there_are_only_so_many(void **unused)
{
    struct mcp_task *kept[8], *task = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    for (int i = 0; i < 5; i++) {
        kept[i] = start("ann");
    }
    CHECK_INT(mcp_task_start(tasks, SLICE("ann"), NULL, -1, &task, &f), E_BUSY);
    CHECK(!task);
    for (int i = 5; i < 8; i++) {
        kept[i] = start("bob");
    }
    CHECK_INT(mcp_task_start(tasks, SLICE("cid"), NULL, -1, &task, &f), E_BUSY);
    CHECK_INT(mcp_tasks_counters(tasks).refused, 2);
    fake_clock_pass(&fake, 60 * SECOND); /* Room is made without anybody's tick. */
    mcp_task_unref(start("cid"));
    CHECK_INT(mcp_tasks_counters(tasks).live, 1);
    for (int i = 0; i < 8; i++) {
        mcp_task_unref(kept[i]);
    }
}

static void
results_take_only_so_much_room(void **unused)
{
    char text[5000];
    struct slice result = {text, sizeof text};
    struct mcp_task *ann[3] = {start("ann"), start("ann"), start("ann")};
    struct mcp_task *bob[2] = {start("bob"), start("bob")};

    (void)unused;
    memset(text, 'x', sizeof text);
    CHECK_INT(mcp_task_end(ann[0], MCP_TASK_COMPLETED, NULL, result), E_OK);
    CHECK_INT(mcp_task_end(ann[1], MCP_TASK_COMPLETED, NULL, result), E_LIMIT);
    CHECK(mcp_task_runs(ann[1]));
    CHECK_INT(mcp_task_end(ann[1], MCP_TASK_FAILED, "no room", SLICE("small")), E_OK);
    CHECK_INT(mcp_task_end(bob[0], MCP_TASK_COMPLETED, NULL, result), E_OK);
    CHECK_INT(mcp_task_end(bob[1], MCP_TASK_COMPLETED, NULL, result), E_LIMIT);
    CHECK_INT(mcp_tasks_counters(tasks).bytes, 10005);
    fake_clock_pass(&fake, 60 * SECOND);
    mcp_tasks_expire(tasks);
    CHECK_INT(mcp_tasks_counters(tasks).bytes, 0);
    /* One that was forgotten while it ran counts for nothing. */
    CHECK_INT(mcp_task_end(ann[2], MCP_TASK_COMPLETED, NULL, result), E_STATE);
    for (int i = 0; i < 3; i++) {
        mcp_task_unref(ann[i]);
    }
    mcp_task_unref(bob[0]);
    mcp_task_unref(bob[1]);
}

static void
a_list_has_pages_and_only_ones_own(void **unused)
{
    struct mcp_session *session = mcp_session_of_connection();
    struct mcp_task *all[5], *page[4], *other = start("bob"), *mine = NULL;
    uint64_t last = 0;

    (void)unused;
    for (int i = 0; i < 4; i++) {
        all[i] = start("ann");
    }
    CHECK_INT(mcp_task_start(tasks, SLICE("ann"), session, -1, &all[4], NULL), E_OK);
    CHECK_INT(mcp_task_list(tasks, SLICE("ann"), NULL, 0, page, 4, &last), 4);
    CHECK(last > 0);
    for (int i = 0; i < 4; i++) {
        CHECK(page[i] == all[i]);
        mcp_task_unref(page[i]);
    }
    CHECK_INT(mcp_task_list(tasks, SLICE("ann"), NULL, last, page, 4, &last), 1);
    CHECK_INT(last, 0);
    CHECK(page[0] == all[4]);
    CHECK(mcp_task_session(page[0]) == session);
    mcp_task_unref(page[0]);
    CHECK_INT(mcp_task_list(tasks, SLICE("ann"), session, 0, &mine, 1, &last), 1);
    CHECK(mine == all[4] && last == 0);
    mcp_task_unref(mine);
    CHECK_INT(mcp_task_list(tasks, SLICE("cid"), NULL, 0, page, 4, &last), 0);
    fake_clock_pass(&fake, 60 * SECOND);
    CHECK_INT(mcp_task_list(tasks, SLICE("ann"), NULL, 0, page, 4, &last), 0);
    for (int i = 0; i < 5; i++) {
        mcp_task_unref(all[i]);
    }
    mcp_task_unref(other);
    mcp_session_unref(session);
}

/* ---- Who is told ---- */

static enum mcp_task_status told[8];
static unsigned told_count, ended_count;

static void
note(void *arg, struct mcp_task *task, const struct mcp_task_look *now)
{
    CHECK(arg == told);
    CHECK_INT(now->changes, mcp_task_changes(task));
    if (told_count < 8) {
        told[told_count++] = now->status;
    }
}

static void
note_end(void *arg, struct mcp_task *task)
{
    CHECK(arg == told);
    CHECK(lock_none_held());
    CHECK(!mcp_task_runs(task));
    ended_count++;
}

static void
changes_are_told_in_their_order(void **unused)
{
    static const struct mcp_tasks_class class = {note, note_end};
    struct mcp_task *task;

    (void)unused;
    mcp_tasks_tell(tasks, &class, told);
    task = start("ann");
    mcp_task_say(task, "not worth it");
    mcp_task_input(task, SLICE("a"));
    mcp_task_input(task, SLICE("b")); /* What it asks for has changed. */
    mcp_task_input(task, SLICE_NONE);
    mcp_task_input(task, SLICE_NONE);
    CHECK_INT(ended_count, 0);
    mcp_task_end(task, MCP_TASK_CANCELLED, NULL, SLICE_NONE);
    mcp_task_end(task, MCP_TASK_FAILED, NULL, SLICE_NONE);
    CHECK_INT(told_count, 4);
    CHECK_INT(told[0], MCP_TASK_INPUT_REQUIRED);
    CHECK_INT(told[1], MCP_TASK_INPUT_REQUIRED);
    CHECK_INT(told[2], MCP_TASK_WORKING);
    CHECK_INT(told[3], MCP_TASK_CANCELLED);
    CHECK_INT(ended_count, 1);
    mcp_tasks_tell(tasks, NULL, NULL);
    mcp_task_unref(task);
}

/* ---- Races ---- */

struct race {
    struct mcp_task *task;
    _Atomic unsigned won[4], told[MCP_TASK_CANCELLED + 1], ended, seen_bad;
};

static void
count_told(void *arg, struct mcp_task *task, const struct mcp_task_look *now)
{
    struct race *r = arg;

    (void)task;
    atomic_fetch_add(&r->told[now->status], 1);
    for (int end = MCP_TASK_COMPLETED; end <= MCP_TASK_CANCELLED; end++) {
        if (now->status <= MCP_TASK_INPUT_REQUIRED && r->told[end]) {
            atomic_fetch_add(&r->seen_bad, 1); /* A change after the end. */
        }
    }
}

static void
count_ended(void *arg, struct mcp_task *task)
{
    (void)task;
    atomic_fetch_add(&((struct race *)arg)->ended, 1);
}

/* Each thread ends it in its own way, or changes it, and reads it. */
static void
race_to_the_end(void *arg, unsigned number)
{
    struct race *r = arg;
    struct mcp_task_look look;
    enum err err = E_STATE;

    switch (number % 4) {
    case 0:
        err = mcp_task_end(r->task, MCP_TASK_COMPLETED, "done", SLICE("result"));
        break;
    case 1:
        err = mcp_task_end(r->task, MCP_TASK_CANCELLED, NULL, SLICE_NONE);
        break;
    case 2:
        mcp_tasks_expire(tasks);
        break;
    default:
        mcp_task_input(r->task, SLICE("x"));
        mcp_task_input(r->task, SLICE_NONE);
        break;
    }
    atomic_fetch_add(&r->won[number % 4], err == E_OK);
    mcp_task_look(r->task, &look);
    if ((look.status == MCP_TASK_COMPLETED) != (look.result != NULL)) {
        atomic_fetch_add(&r->seen_bad, 1);
    }
    mcp_task_look_fini(&look);
}

static void
only_one_ends_it(void **unused)
{
    static const struct mcp_tasks_class class = {count_told, count_ended};

    (void)unused;
    for (unsigned i = 0; race_sizes[i]; i++) {
        for (unsigned round = 0; round < scaled(40); round++) {
            struct race r = {.task = start("ann")};
            bool expires = round % 2;
            struct mcp_task_look look;

            mcp_tasks_tell(tasks, &class, &r);
            fake_clock_pass(&fake, expires ? 60 * SECOND : 0);
            threads_run(race_sizes[i], race_to_the_end, &r);
            mcp_task_look(r.task, &look);
            CHECK(look.status > MCP_TASK_INPUT_REQUIRED);
            CHECK_INT(r.won[0], look.status == MCP_TASK_COMPLETED);
            CHECK(expires || r.won[0] + r.won[1] == 1);
            CHECK_INT(r.told[look.status], 1);
            CHECK_INT(r.told[MCP_TASK_COMPLETED] + r.told[MCP_TASK_CANCELLED], 1);
            CHECK_INT(r.ended, 1);
            CHECK_INT(r.seen_bad, 0);
            mcp_task_look_fini(&look);
            fake_clock_pass(&fake, 60 * SECOND);
            mcp_tasks_expire(tasks);
            CHECK_INT(mcp_tasks_counters(tasks).bytes, 0);
            mcp_tasks_tell(tasks, NULL, NULL);
            mcp_task_unref(r.task);
        }
    }
}

struct crowd {
    _Atomic unsigned started, refused;
};

static void
start_one(void *arg, unsigned number)
{
    struct crowd *c = arg;
    struct mcp_task *task = NULL;
    enum err err =
        mcp_task_start(tasks, number % 2 ? SLICE("ann") : SLICE("bob"), NULL, -1, &task, NULL);

    atomic_fetch_add(err ? &c->refused : &c->started, 1);
    if (!err) {
        mcp_task_end(task, MCP_TASK_COMPLETED, NULL, SLICE("r"));
    }
    mcp_task_unref(task);
}

static void
at_the_limit_none_is_too_many(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < scaled(50); round++) {
        struct crowd c = {0};

        threads_run(100, start_one, &c);
        CHECK_INT(c.started, 8);
        CHECK_INT(c.refused, 92);
        CHECK_INT(mcp_tasks_counters(tasks).live, 8);
        CHECK_INT(mcp_tasks_counters(tasks).bytes, 8);
        fake_clock_pass(&fake, 60 * SECOND);
        mcp_tasks_expire(tasks);
    }
    CHECK_INT(mcp_tasks_counters(tasks).live, 0);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_random_and_belongs_to_its_principal),
        TEST(it_works_waits_and_ends_once),
        TEST(what_it_says_is_cut_at_a_whole_character),
        TEST(its_time_to_live_is_bent_to_the_limits),
        TEST(it_is_forgotten_when_its_time_is_over_and_not_before),
        TEST(there_are_only_so_many),
        TEST(results_take_only_so_much_room),
        TEST(a_list_has_pages_and_only_ones_own),
        TEST(changes_are_told_in_their_order),
        TEST(only_one_ends_it),
        TEST(at_the_limit_none_is_too_many),
    };

    return CHECK_RUN(tests);
}
