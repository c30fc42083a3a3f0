/* Histories: good ones are explained, and each kind of wrong in a bad one is found. */
#include "tests/check.h"

#include "tests/history.h"

#include <string.h>

#define OPS_MAX 12

/* A history and what its checker says of it: an empty word if it is good, else a part of why not.
 */
struct sample {
    const char *says;
    struct history_op ops[OPS_MAX]; /* Those with an end. */
};

#define AT(START, END) .start_ns = START, .end_ns = END
#define TAKE(START, END, NUMBER)                                         \
    {                                                                    \
        AT(START, END), .key = 7, .result = NUMBER, .kind = HISTORY_TAKE \
    }
#define MAKE(START, END, ID)                                           \
    {                                                                  \
        AT(START, END), .key = 1, .result = ID, .kind = HISTORY_CREATE \
    }
#define GET(START, END, ID)                                         \
    {                                                               \
        AT(START, END), .key = 1, .result = ID, .kind = HISTORY_GET \
    }
#define ADVANCE(START, END, V)                                         \
    {                                                                  \
        AT(START, END), .key = 3, .result = V, .kind = HISTORY_ADVANCE \
    }
#define READ(START, END, V, WHO)                                                   \
    {                                                                              \
        AT(START, END), .key = 3, .result = V, .client = WHO, .kind = HISTORY_READ \
    }
#define LOAD(START, END, VALUE)                                         \
    {                                                                   \
        AT(START, END), .key = 4, .result = VALUE, .kind = HISTORY_LOAD \
    }
#define FOUND(START, END, VALUE)                                         \
    {                                                                    \
        AT(START, END), .key = 4, .result = VALUE, .kind = HISTORY_FOUND \
    }
#define EVENT(WHO, SEQ, PUBLISHER, NUMBER)                                          \
    {                                                                               \
        AT(1, 2), .key = PUBLISHER, .result = SEQ, .number = NUMBER, .client = WHO, \
                  .kind = HISTORY_EVENT                                             \
    }
#define MISSED(WHO, FROM, TO)                                                      \
    {                                                                              \
        AT(1, 2), .key = FROM, .result = TO, .client = WHO, .kind = HISTORY_MISSED \
    }

static bool
check_quota_of_three(struct history *h, char why[HISTORY_WHY])
{
    return history_check_quota(h, 3, why);
}

static void
try_all(bool (*check)(struct history *h, char why[HISTORY_WHY]), const struct sample *samples,
        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct history h = HISTORY_INIT;
        char why[HISTORY_WHY];
        bool good;

        for (int k = 0; k < OPS_MAX && samples[i].ops[k].end_ns; k++) {
            history_add(&h, &samples[i].ops[k]);
        }
        good = check(&h, why);
        if (good != !samples[i].says[0] || !strstr(why, samples[i].says)) {
            print_error("history %zu: '%s', not '%s'\n", i, why, samples[i].says);
        }
        CHECK(good == !samples[i].says[0]);
        CHECK(strstr(why, samples[i].says));
        history_fini(&h);
    }
}
#define TRY(CHECKER, SAMPLES) try_all(CHECKER, SAMPLES, sizeof SAMPLES / sizeof *SAMPLES)

static void
counters(void **state)
{
    static const struct sample samples[] = {
        {"", {TAKE(0, 9, 2), TAKE(1, 3, 1), TAKE(4, 9, 3), TAKE(5, 9, 0)}},
        {"", {TAKE(0, 1, 1), TAKE(2, 3, 2)}},
        {"after number 1 comes 1", {TAKE(0, 2, 1), TAKE(1, 3, 1)}},
        {"after number 1 comes 3", {TAKE(0, 2, 1), TAKE(1, 3, 3)}},
        {"number 1 began after", {TAKE(4, 5, 1), TAKE(0, 3, 2)}},
        {"number 1 began after", {TAKE(4, 9, 1), TAKE(3, 8, 2), TAKE(0, 3, 3)}},
        {"4 were granted of 3", {TAKE(0, 9, 1), TAKE(0, 9, 2), TAKE(0, 9, 3), TAKE(0, 9, 4)}},
        {"refused what another got", {TAKE(0, 9, 1), TAKE(0, 9, 2), TAKE(5, 9, 3), TAKE(0, 4, 0)}},
        {"refused what another got", {TAKE(0, 1, 1), TAKE(2, 3, 0)}},
    };

    (void)state;
    TRY(check_quota_of_three, samples);
}

static void
creations(void **state)
{
    static const struct sample samples[] = {
        {"", {GET(0, 9, 5), MAKE(1, 3, 5), GET(0, 2, 0), GET(2, 3, 0), GET(4, 5, 5)}},
        {"", {GET(0, 1, 0), GET(3, 4, 0)}},
        {"was made by client 0 and", {MAKE(0, 1, 5), MAKE(2, 3, 5)}},
        {"another one", {MAKE(0, 2, 5), GET(1, 3, 6)}},
        {"before it was made", {MAKE(4, 5, 5), GET(0, 3, 5)}},
        {"not found by client 0 after", {MAKE(0, 1, 5), GET(2, 3, 0)}},
        {"nobody made it", {GET(2, 3, 5)}},
    };

    (void)state;
    TRY(history_check_create, samples);
}

static void
versions(void **state)
{
    static const struct sample samples[] = {
        {"", {ADVANCE(0, 4, 1), ADVANCE(1, 6, 0), ADVANCE(3, 6, 2), READ(0, 9, 0, 1)}},
        {"", {READ(0, 1, 0, 1), ADVANCE(0, 4, 1), READ(2, 3, 1, 1), READ(2, 3, 0, 2)}},
        {"after version 1 comes 1", {ADVANCE(0, 4, 1), ADVANCE(2, 5, 1)}},
        {"after version 1 comes 3", {ADVANCE(0, 4, 1), ADVANCE(5, 6, 3)}},
        {"version 1 began after", {ADVANCE(5, 6, 1), ADVANCE(0, 4, 2)}},
        {"at another's time", {ADVANCE(0, 4, 1), READ(5, 6, 0, 1)}},
        {"at another's time", {ADVANCE(4, 5, 1), READ(0, 3, 1, 1)}},
        {"at another's time", {ADVANCE(4, 5, 1), READ(6, 7, 2, 1)}},
        {"saw version 0 after 1", {ADVANCE(0, 9, 1), READ(1, 2, 1, 1), READ(3, 4, 0, 1)}},
    };

    (void)state;
    TRY(history_check_versions, samples);
}

static void
loads(void **state)
{
    static const struct sample samples[] = {
        {"", {LOAD(0, 4, 1), FOUND(0, 5, 1), LOAD(6, 8, 2), FOUND(7, 9, 1), FOUND(7, 9, 2)}},
        {"two loads at once", {LOAD(0, 4, 1), LOAD(3, 5, 2)}},
        {"nobody had loaded", {LOAD(0, 4, 1), FOUND(5, 6, 2)}},
        {"nobody had loaded", {LOAD(4, 5, 1), FOUND(0, 3, 1)}},
        {"loaded anew", {LOAD(0, 1, 1), LOAD(2, 3, 2), FOUND(4, 5, 1)}},
    };

    (void)state;
    TRY(history_check_loads, samples);
}

static void
relays(void **state)
{
    static const struct sample samples[] = {
        {"",
         {EVENT(0, 5, 1, 1), EVENT(1, 6, 2, 1), EVENT(0, 6, 2, 1), MISSED(0, 7, 8),
          EVENT(0, 9, 1, 4)}},
        {"was told 7 after 5", {EVENT(0, 5, 1, 1), EVENT(0, 7, 1, 2)}},
        {"was told 5 after 5", {EVENT(0, 5, 1, 1), EVENT(0, 5, 1, 1)}},
        {"was told 4 after 5", {EVENT(0, 5, 1, 1), EVENT(0, 4, 1, 2)}},
        {"told 1 of publisher 1 after 1", {EVENT(0, 5, 1, 1), EVENT(0, 6, 1, 1)}},
        {"was told 8 after 5", {EVENT(0, 5, 1, 1), MISSED(0, 8, 9)}},
        {"a gap that ends at 5", {EVENT(0, 5, 1, 1), MISSED(0, 6, 5)}},
    };

    (void)state;
    TRY(history_check_relay, samples);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters), cmocka_unit_test(creations), cmocka_unit_test(versions),
        cmocka_unit_test(loads),    cmocka_unit_test(relays),
    };

    return CHECK_RUN(tests);
}
