/* test_state.c -- the singletons, row by row: made, reachable from every thread, ended; and a start
 * that fails leaves nothing. */
#include "tests/check.h"

#include "state/state.h"
#include "tests/fakes.h"
#include "tests/threads.h"
#include "tests/tree.h"

static const struct state *the_state;

/* One accessor a row, so that a loop can go over them. */
#define ROW(NAME, TYPE, MAKE, END)      \
    static const void *get_##NAME(void) \
    {                                   \
        return state_##NAME(the_state); \
    }
SINGLETONS(ROW)
#undef ROW

static const struct {
    const char *name;
    const void *(*get)(void);
} singletons[] = {
#define ROW(NAME, TYPE, MAKE, END) {#NAME, get_##NAME},
    SINGLETONS(ROW)
#undef ROW
};
#define SINGLETON_COUNT (sizeof singletons / sizeof singletons[0])

static void
each_is_made_once_and_ended(void **unused)
{
    (void)unused;
    for (int again = 0; again < 3; again++) {
        struct fake_project project;

        fake_project_init(&project, NULL);
        the_state = project.state;
        for (size_t i = 0; i < SINGLETON_COUNT; i++) {
            const void *first = singletons[i].get();

            if (!first || singletons[i].get() != first) {
                fail_msg("%s", singletons[i].name);
            }
            for (size_t j = 0; j < i; j++) {
                CHECK(singletons[j].get() != first);
            }
        }
        fake_project_fini(&project); /* What it leaves behind, the leak checker tells. */
    }
    state_destroy(NULL);
}

static void
time_and_options_are_those_of_the_start(void **unused)
{
    struct fake_clock clock;
    struct fake_project project;

    (void)unused;
    fake_clock_init(&clock);
    fake_project_init(&project, &clock.clock);
    fake_clock_pass(&clock, 5000000000);
    CHECK_INT(clock_mono(state_clock(project.state)) - state_started_mono(project.state),
              5000000000);
    CHECK_INT(state_started_wall(project.state), FAKE_CLOCK_START);
    CHECK(state_options(project.state)->settings == project.settings);
    CHECK_STR(state_options(project.state)->mode, "dual");
    fake_project_fini(&project);
}

/* Every cache tells the same numbers, and none has loaded anything twice. */
static void
caches_tell_their_counters(void **unused)
{
    static const char *const members[] = {"hits",
                                          "misses",
                                          "double_loads",
                                          "lock_waits",
                                          "lock_acquisitions",
                                          "total_operations",
                                          "evictions",
                                          "load_failures",
                                          "size",
                                          "max"};
    struct fake_project project;
    const char *name;
    json_t *caches, *cache;

    (void)unused;
    fake_project_init(&project, NULL);
    caches = state_caches(project.state);
    CHECK(json_object_size(caches) > 0);
    CHECK(json_object_get(caches, "quota_counts"));
    json_object_foreach(caches, name, cache) {
        bool quota = strcmp(name, "quota_counts") == 0;

        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
            bool known = !quota || (strcmp(members[i], "double_loads") != 0 &&
                                    strcmp(members[i], "evictions") != 0);
            const json_t *value = json_object_get(cache, members[i]);
            if (known ? !json_is_integer(value) : !json_is_null(value)) {
                fail_msg("cache %s has no %s", name, members[i]);
            }
        }
        CHECK(json_is_null(json_object_get(cache, "hit_rate"))); /* Not known. */
        CHECK(json_integer_value(json_object_get(cache, "max")) > 0);
        CHECK_INT(json_integer_value(json_object_get(cache, "double_loads")), 0);
    }
    json_decref(caches);
    fake_project_fini(&project);
}

/* Where there should be a folder of sessions there is a file: a row in the middle fails, and those
 * before it are ended. */
static void
a_start_that_fails_leaves_nothing(void **unused)
{
    struct tree *tree = tree_create();
    struct settings *settings = settings_create();
    struct state_options options = {
        .settings = settings,
        .clock = clock_real(),
        .root_path = "/nowhere",
        .data_name = ".tandem",
        .root = tree_dir(tree),
        .mode = "dual",
        .instance = "test",
    };
    struct state *state = (struct state *)&options;
    struct fault f = FAULT_INIT;

    (void)unused;
    tree_write(tree, ".tandem/state", "no folder");
    CHECK_INT(dir_sub(tree_dir(tree), ".tandem", false, &options.data, NULL), E_OK);
    CHECK(state_create(&options, &state, &f) != E_OK);
    CHECK(!state);
    CHECK(f.code != E_OK && f.text[0]);
    state = (struct state *)&options;
    CHECK(state_create(&options, &state, NULL) != E_OK);
    CHECK(!state);
    tree_remove(tree, ".tandem/state");
    CHECK_INT(state_create(&options, &state, &f),
              E_OK); /* Nothing is in the way of the next one. */
    state_destroy(state);
    dir_unref(options.data);
    settings_unref(settings);
    tree_destroy(tree);
}

/* Accessors are read by all threads at once, from before the first transport until after the last.
 */
static const void *seen[SINGLETON_COUNT];
static _Atomic unsigned strangers;

static void
look_at_all(void *arg, unsigned number)
{
    (void)arg;
    (void)number;
    for (size_t i = 0; i < SINGLETON_COUNT; i++) {
        json_t *caches = state_caches(the_state);

        strangers += singletons[i].get() != seen[i];
        json_decref(caches);
    }
}

static void
all_threads_see_the_same(void **unused)
{
    struct fake_project project;

    (void)unused;
    fake_project_init(&project, NULL);
    the_state = project.state;
    for (size_t i = 0; i < SINGLETON_COUNT; i++) {
        seen[i] = singletons[i].get();
    }
    for (size_t i = 0; race_sizes[i]; i++) {
        threads_run(race_sizes[i], look_at_all, NULL);
    }
    CHECK_INT(strangers, 0);
    fake_project_fini(&project);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_made_once_and_ended),
        cmocka_unit_test(time_and_options_are_those_of_the_start),
        cmocka_unit_test(caches_tell_their_counters),
        cmocka_unit_test(a_start_that_fails_leaves_nothing),
        cmocka_unit_test(all_threads_see_the_same),
    };
    return CHECK_RUN(tests);
}
