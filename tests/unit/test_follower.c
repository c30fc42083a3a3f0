/* How a client of the relay comes back: by what it noted of the server's welcome, and of events. */
#include "tests/check.h"

#include "server/follower.h"

#include <string.h>

/* What hello says now; new. */
static json_t *
hello_of(const struct follower *f, const char *tenant, const char *pattern)
{
    char own[32], *patterns[] = {own};
    char *text;
    json_t *hello;

    snprintf(own, sizeof own, "%s", pattern ? pattern : "");
    text = follower_hello(f, tenant, patterns, pattern ? 1 : 0);
    hello = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return hello;
}

static void
check_says(json_t *hello, const char *want)
{
    json_t *wanted = json_loads(want, 0, NULL);

    CHECK(wanted && json_equal(hello, wanted));
    json_decref(hello);
    json_decref(wanted);
}

static void
welcome(struct follower *f, const char *text)
{
    json_t *frame = json_loads(text, 0, NULL);

    follower_welcomed(f, frame);
    json_decref(frame);
}

static void
who_comes_first_asks_for_topics_alone(void **state)
{
    struct follower f = {.seq = 0};

    (void)state;
    check_says(hello_of(&f, NULL, NULL), "{\"type\":\"hello\",\"patterns\":[]}");
    check_says(hello_of(&f, "acme", "build.*"),
               "{\"type\":\"hello\",\"tenant\":\"acme\",\"patterns\":[\"build.*\"]}");
}

static void
who_comes_back_says_where_it_was(void **state)
{
    struct follower f = {.seq = 0};
    json_t *event = json_pack("{s:i}", "seq", 9);

    (void)state;
    welcome(&f, "{\"client_id\":\"c\",\"epoch\":\"e\",\"seq\":7}");
    check_says(hello_of(&f, NULL, NULL), "{\"type\":\"hello\",\"patterns\":[],\"client_id\":\"c\","
                                         "\"epoch\":\"e\",\"last_seq\":7}");
    follower_told(&f, event);
    welcome(&f, "{\"client_id\":\"d\",\"epoch\":\"e\",\"seq\":12}"); /* Not told of them yet. */
    check_says(hello_of(&f, NULL, NULL), "{\"type\":\"hello\",\"patterns\":[],\"client_id\":\"d\","
                                         "\"epoch\":\"e\",\"last_seq\":9}");
    welcome(&f, "{\"client_id\":\"d\",\"epoch\":\"next\",\"seq\":2}");
    check_says(hello_of(&f, NULL, NULL), "{\"type\":\"hello\",\"patterns\":[],\"client_id\":\"d\","
                                         "\"epoch\":\"next\",\"last_seq\":2}");
    json_decref(event);
}

static void
what_is_no_text_is_not_sent(void **state)
{
    struct follower f = {.seq = 0};

    (void)state;
    CHECK(!hello_of(&f, "\xff", NULL));
    CHECK(!hello_of(&f, NULL, "\xff"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_first_asks_for_topics_alone),
        cmocka_unit_test(who_comes_back_says_where_it_was),
        cmocka_unit_test(what_is_no_text_is_not_sent),
    };
    return CHECK_RUN(tests);
}
