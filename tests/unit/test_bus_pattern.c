/* Topics and patterns: the table of what stands for what; sets. */
#include "tests/check.h"

#include "state/bus_pattern.h"

#include <stdio.h>

static void
bus_topics_table(void **state)
{
    static const char *const good[] = {"a", "tenant.loaded", "hook.pre_tool", "a1.b_2.c3", "_"};
    static const char *const bad[] = {"",    ".",   "a.",    ".a",  "a..b", "A",
                                      "a-b", "a.B", "a.b c", "a.*", "a\n",  "\xc3\xa9"};
    char longest[BUS_TOPIC_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(bus_topic_valid(slice_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!bus_topic_valid(slice_of(bad[i])));
    }
    memset(longest, 'a', sizeof longest);
    CHECK(bus_topic_valid((struct slice){longest, BUS_TOPIC_MAX}));
    CHECK(!bus_topic_valid((struct slice){longest, BUS_TOPIC_MAX + 1}));
    CHECK(!bus_topic_valid((struct slice){"a\0b", 3}));
}

struct match {
    const char *pattern, *topic;
    bool matches;
};

static const struct match table[] = {
    /* Itself, and nothing near it. */
    {"a", "a", true},
    {"a", "b", false},
    {"a", "a.b", false},
    {"a.b", "a", false},
    {"a.b", "a.b", true},
    {"ab", "a.b", false},
    /* Alone: all. */
    {"*", "a", true},
    {"*", "a.b.c", true},
    {"**", "a", true},
    {"**", "a.b.c", true},
    /* Last: one or more. */
    {"a.*", "a", false},
    {"a.*", "a.b", true},
    {"a.*", "a.b.c.d", true},
    {"a.*", "b.a", false},
    /* Inside: exactly one. */
    {"a.*.c", "a.b.c", true},
    {"a.*.c", "a.c", false},
    {"a.*.c", "a.b.b.c", false},
    {"*.b", "a.b", true},
    {"*.b", "b", false},
    {"*.b", "a.a.b", false},
    {"*.*", "a", false},
    {"*.*", "a.b", true},
    {"*.*", "a.b.c", true},
    /* Any number, none included. */
    {"a.**", "a", true},
    {"a.**", "a.b", true},
    {"a.**", "a.b.c", true},
    {"a.**", "b", false},
    {"**.c", "c", true},
    {"**.c", "a.c", true},
    {"**.c", "a.b.c", true},
    {"**.c", "a.b.c.d", false},
    {"a.**.d", "a.d", true},
    {"a.**.d", "a.b.c.d", true},
    {"a.**.d", "a.b.c", false},
    {"a.**.b.**.c", "a.b.c", true},
    {"a.**.b.**.c", "a.x.b.y.z.c", true},
    {"a.**.b.**.c", "a.b.b.b.c.c", true},
    {"a.**.b.**.c", "a.x.c.b", false},
    /* Beside each other. */
    {"**.*", "a", true},
    {"**.*", "a.b", true},
    {"*.**", "a", true},
    {"a.**.*", "a", false},
    {"a.**.*", "a.b", true},
    {"a.*.**", "a", false},
    {"a.*.**.z", "a.z", false},
    {"a.*.**.z", "a.b.z", true},
    {"**.**", "a", true},
    {"**.**.b", "a.b", true},
    {"**.a.*.b", "a.a.a.b", true},
    {"**.a.*.b", "a.b.a.b", false},
};

static void
bus_wildcards_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct match *m = &table[i];
        bool matches = bus_pattern_matches(slice_of(m->pattern), slice_of(m->topic));

        if (matches != m->matches) {
            fprintf(stderr, "%s of %s: %d\n", m->pattern, m->topic, matches);
        }
        CHECK(bus_pattern_check(slice_of(m->pattern), NULL) == E_OK);
        CHECK(matches == m->matches);
    }
}

static void
a_star_inside_a_segment_is_an_error(void **state)
{
    static const char *const bad[] = {"hook*", "*hook", "ho*ok.a", "a.***", "a.b*.c", "",
                                      "a.",    ".*",    "a..b",    "A.*",   "a b",    "****"};
    struct fault f = FAULT_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(bus_pattern_check(slice_of(bad[i]), &f) == E_ARGUMENT);
        CHECK(f.text[0] != '\0');
    }
    CHECK(bus_pattern_check(slice_of("hook*"), &f) == E_ARGUMENT);
    CHECK_STR(f.text, "'hook*' is no pattern of topics");
    CHECK(f.remedy[0] != '\0');
}

/* Such a pattern would take ages where every '**' may be tried again. */
static void
a_hostile_pattern_costs_little(void **state)
{
    struct slice pattern = SLICE("**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a."
                                 "**.a.**.a.**.a.**.a.**.b");
    struct slice topic = SLICE("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a");

    (void)state;
    CHECK(bus_topic_valid(topic) && bus_pattern_check(pattern, NULL) == E_OK);
    for (int i = 0; i < 1000; i++) {
        CHECK(!bus_pattern_matches(pattern, topic));
    }
}

static void
bus_filter_table(void **state)
{
    struct bus_patterns set = {.count = 0}, copy = {.count = 0};
    struct fault f = FAULT_INIT;
    char name[16];

    (void)state;
    CHECK(bus_patterns_match(&set, SLICE("anything")));
    CHECK(bus_patterns_add(&set, SLICE("a.*"), &f) == E_OK);
    CHECK(bus_patterns_add(&set, SLICE("a.*"), &f) == E_OK);
    CHECK(bus_patterns_add(&set, SLICE("b"), &f) == E_OK);
    CHECK(bus_patterns_add(&set, SLICE("c*"), &f) == E_ARGUMENT);
    CHECK_INT(set.count, 2);
    CHECK(bus_patterns_match(&set, SLICE("a.x")) && bus_patterns_match(&set, SLICE("b")));
    CHECK(!bus_patterns_match(&set, SLICE("a")) && !bus_patterns_match(&set, SLICE("c")));
    bus_patterns_copy(&set, &copy);
    CHECK(bus_patterns_remove(&set, SLICE("a.*")));
    CHECK(!bus_patterns_remove(&set, SLICE("a.*")));
    CHECK(!bus_patterns_match(&set, SLICE("a.x")) && bus_patterns_match(&copy, SLICE("a.x")));
    while (set.count < BUS_PATTERNS_MAX) {
        snprintf(name, sizeof name, "n%u", set.count);
        CHECK(bus_patterns_add(&set, slice_of(name), &f) == E_OK);
    }
    CHECK(bus_patterns_add(&set, SLICE("b"), &f) == E_OK);
    CHECK(bus_patterns_add(&set, SLICE("more"), &f) == E_ARGUMENT);
    bus_patterns_fini(&set);
    bus_patterns_fini(&copy);
    CHECK_INT(set.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bus_topics_table),
        cmocka_unit_test(bus_wildcards_table),
        cmocka_unit_test(a_star_inside_a_segment_is_an_error),
        cmocka_unit_test(a_hostile_pattern_costs_little),
        cmocka_unit_test(bus_filter_table),
    };
    return CHECK_RUN(tests);
}
