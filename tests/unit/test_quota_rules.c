/* test_quota_rules.c -- rules as they are written, windows of the calendar. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/quota_rules.h"

static struct quota_window
window(enum quota_period period, const char *at)
{
    int64_t ns = clock_parse(at);

    CHECK(ns >= 0);
    return quota_window_at(period, ns);
}

static int64_t
seconds(const char *at)
{
    return clock_parse(at) / 1000000000;
}

static void
windows_are_those_of_the_calendar(void **state)
{
    static const struct {
        enum quota_period period;
        const char *at, *start, *end;
    } rows[] = {
        {PERIOD_MINUTE, "2026-11-21T06:05:00Z", "2026-11-21T06:05:00Z", "2026-11-21T06:06:00Z"},
        {PERIOD_HOUR, "2026-11-21T23:59:59.999Z", "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"},
        {PERIOD_DAY, "2026-11-21T06:05:00+09:00", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
        {PERIOD_MONTH, "2026-01-31T12:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
        {PERIOD_MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
        {PERIOD_MONTH, "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
        {PERIOD_MONTH, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {PERIOD_MONTH, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_window w = window(rows[i].period, rows[i].at);
        CHECK_INT(w.start, seconds(rows[i].start));
        CHECK_INT(w.end, seconds(rows[i].end));
        CHECK_INT(quota_window_from(w.period, w.start).end, w.end);
        CHECK(quota_window_same(&w, &w));
    }
    /* Before the first day there is: down, not towards it. */
    CHECK_INT(quota_window_at(PERIOD_MINUTE, -1).start, -60);
    CHECK_INT(quota_window_at(PERIOD_DAY, -1).end, 0);
    CHECK_INT(quota_window_at(PERIOD_MONTH, -1).end, 0);
}

static void
periods_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < PERIOD_COUNT; i++) {
        enum quota_period period;
        CHECK(quota_period_parse(slice_of(quota_period_name((enum quota_period)i)), &period));
        CHECK_INT(period, i);
    }
    enum quota_period period;
    CHECK(!quota_period_parse(SLICE("week"), &period));
    CHECK(!quota_period_parse(SLICE(""), &period));
}

static void
rules_are_read(void **state)
{
    struct quota_rules *rules = NULL;
    const struct quota_rule *rule;

    (void)state;
    CHECK_INT(quota_rules_parse("tiingo=500/month, finnhub=60/minute@0.25 ,none=0/day", 50, 80,
                                &rules, NULL),
              E_OK);
    CHECK_INT(rules->count, 3);
    rule = quota_rules_find(rules, "finnhub");
    CHECK(rule == &rules->items[1] && rule->limit == 60 && rule->period == PERIOD_MINUTE);
    CHECK(rule->price == 0.25 && rule->warn == 50 && rule->critical == 80);
    CHECK(quota_rules_find(rules, "finnhu") == NULL);
    CHECK(quota_rules_find(NULL, "finnhub") == NULL);
    CHECK_INT(quota_rule_share(rule, 80), 48);
    CHECK_INT(quota_rule_share(rule, 81), 49); /* 48.6: the first that is as much. */
    CHECK_INT(quota_rule_share(quota_rules_find(rules, "none"), 80), 0);
    quota_rules_unref(quota_rules_ref(rules));
    quota_rules_unref(rules);
    CHECK_INT(quota_rules_parse("", 50, 80, &rules, NULL), E_OK);
    CHECK_INT(rules->count, 0);
    quota_rules_unref(rules);
    quota_rules_unref(NULL);
}

static void
what_is_no_rule_is_named(void **state)
{
    static const char *const wrong[] = {
        "tiingo",
        "tiingo=500",
        "=500/month",
        "Tiingo=500/month",
        "tiingo=/month",
        "tiingo=5x/month",
        "tiingo=-5/month",
        "tiingo=500/week",
        "tiingo=500/",
        "tiingo=500/month@",
        "a b=5/day",
        "tiingo=500/month@x",
        "s=1/day@1.2.3",
        "s=1/day@1e3",
        "../s=1/day",
        "s=1000000000001/day",
        "s=99999999999999999999999/day",
        "s=1/day@12345678901234567890123456789012",
        "s/x=1/day",
        "a2345678901234567890123456789012345678901234567890123456789012345=1/day",
        "s=1/day,s=2/day",
    };
    struct buf many = BUF_INIT;
    struct quota_rules *rules;
    struct fault f = FAULT_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (quota_rules_parse(wrong[i], 50, 80, &rules, &f) != E_ARGUMENT || rules) {
            fail_msg("%s", wrong[i]);
        }
    }
    CHECK_STR(f.text, "'s' stands there twice");
    CHECK_INT(quota_rules_parse("good=1/day,bad=1/week", 50, 80, &rules, &f), E_ARGUMENT);
    CHECK_STR(f.text, "\"bad=1/week\" is no quota");
    for (unsigned i = 0; i <= QUOTA_RULES_MAX; i++) {
        buf_addf(&many, "s%u=1/day,", i);
    }
    CHECK_INT(quota_rules_parse(many.data, 50, 80, &rules, &f), E_ARGUMENT);
    CHECK_STR(f.text, "more than 64 services");
    buf_fini(&many);
}

static struct quota_rules *
load(const char *text, enum err expected)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    struct quota_rules *rules;

    CHECK(json || !text);
    CHECK_INT(quota_rules_load(json, 50, 80, &rules, NULL), expected);
    json_decref(json);
    return rules;
}

static void
a_tenants_rules_are_read(void **state)
{
    struct quota_rules *rules = load("{\"services\":[\"a=1/day\",\"b=2/hour@3\"],\"warn\":10,"
                                     "\"critical\":90}",
                                     E_OK);

    (void)state;
    CHECK(rules->count == 2 && rules->items[1].limit == 2 && rules->items[1].critical == 90);
    CHECK_INT(rules->items[0].warn, 10);
    quota_rules_unref(rules);
    rules = load("{\"services\":\"a=1/day,b=2/hour\"}", E_OK);
    CHECK(rules->count == 2 && rules->items[0].warn == 50);
    quota_rules_unref(rules);
    CHECK(load(NULL, E_OK) == NULL);
    CHECK(load("{}", E_OK) == NULL);
    CHECK(load("{\"warn\":0}", E_ARGUMENT) == NULL);
    CHECK(load("{\"critical\":101}", E_ARGUMENT) == NULL);
    CHECK(load("{\"critical\":\"90\"}", E_ARGUMENT) == NULL);
    CHECK(load("{\"services\":[5]}", E_ARGUMENT) == NULL);
    CHECK(load("{\"services\":{}}", E_ARGUMENT) == NULL);
    CHECK(load("{\"services\":[\"a=1\"]}", E_ARGUMENT) == NULL);
}

static void
unknown_ones_are_told_with_what_there_is(void **state)
{
    struct quota_rules *rules, *own = load("{\"services\":\"mine=1/day\"}", E_OK);
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(quota_rules_parse("tiingo=1/day", 50, 80, &rules, NULL), E_OK);
    CHECK_INT(quota_rules_unknown(own, rules, "tingo", &f), E_NOT_FOUND);
    CHECK_STR(f.text, "there is no quota for 'tingo'");
    CHECK_STR(f.remedy, "did you mean 'tiingo'?");
    CHECK_INT(quota_rules_unknown(own, rules, "sendgrid", &f), E_NOT_FOUND);
    CHECK_STR(f.remedy, "those there are: mine, tiingo");
    CHECK_INT(quota_rules_unknown(NULL, NULL, "x", &f), E_NOT_FOUND);
    CHECK_STR(f.remedy, "set quota.services, as tiingo=500/month,finnhub=60/minute");
    quota_rules_unref(own);
    quota_rules_unref(rules);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_those_of_the_calendar),
        cmocka_unit_test(periods_have_names),
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(what_is_no_rule_is_named),
        cmocka_unit_test(a_tenants_rules_are_read),
        cmocka_unit_test(unknown_ones_are_told_with_what_there_is),
    };

    return CHECK_RUN(tests);
}
