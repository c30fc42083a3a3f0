/* test_helpdesk_profile.c -- questions and their kinds. */
#include "tests/check.h"

#include "state/helpdesk_profile.h"

static void
is_of(const char *question, const char *kind)
{
    const char *found = helpdesk_profile_row(helpdesk_classify(slice_of(question)))->name;

    if (strcmp(found, kind) != 0) {
        fail_msg("\"%s\" is taken for %s, not %s", question, found, kind);
    }
}

static void
questions_have_kinds(void **unused)
{
    (void)unused;
    is_of("How do I reset my password?", "how_to");
    is_of("how can we set up a new laptop", "how_to");
    is_of("How much does the premium plan cost?", "pricing");
    is_of("What are the fees per month", "pricing");
    is_of("Where is the Cape Town office?", "place");
    is_of("What is the difference between gold and silver?", "comparison");
    is_of("gold vs. silver", "comparison");
    is_of("What is the refund policy?", "process");
    is_of("WHAT HAPPENS after I escalate?", "process");
    is_of("List all the hotels", "listing");
    is_of("what are the options", "listing");
    is_of("Tell me about refunds", "general");
    is_of("", "general");
    is_of("?!", "general");
    /* Words count, not parts of them. */
    is_of("tell me about accosting", "general");
    is_of("nowhere", "general");
    is_of("the pricelists of yore", "general");
}

static void
a_question_is_always_of_one_kind(void **unused)
{
    static char many[8192];

    (void)unused;
    memset(many, 'x', sizeof many - 1);
    is_of(many, "general");
    for (size_t i = 0; i + 5 < sizeof many; i += 5) {
        memcpy(many + i, "cost ", 5);
    }
    is_of(many, "pricing");
    CHECK_INT(helpdesk_classify((struct slice){"\xff\xfe cost", 7}), PROFILE_pricing);
}

static void
profiles_are_those_of_the_table(void **unused)
{
    struct helpdesk_search s;

    (void)unused;
    for (int i = 0; i < PROFILE_COUNT; i++) {
        const struct helpdesk_profile_row *row = helpdesk_profile_row((enum helpdesk_profile)i);

        CHECK_INT(helpdesk_profile_find(row->name), i);
        CHECK(row->top_k >= 1 && row->top_k <= row->fetch_k && row->fetch_k <= HELPDESK_FETCH_MAX);
        helpdesk_search_init(&s, (enum helpdesk_profile)i, true, false);
        CHECK(s.context && s.top_k == row->top_k && s.fetch_k == row->fetch_k);
        CHECK(s.mmr == row->mmr && s.lambda == row->lambda && s.min_score == 0);
    }
    CHECK_INT(helpdesk_profile_find("auto"), PROFILE_NONE);
    CHECK_INT(helpdesk_profile_find(""), PROFILE_NONE);
    helpdesk_search_init(&s, PROFILE_NONE, true, true);
    CHECK(s.top_k == 8 && s.fetch_k == 15 && s.mmr && s.context);
    helpdesk_search_init(&s, PROFILE_NONE, false, false);
    CHECK(s.top_k == 5 && s.fetch_k == 20 && !s.mmr && !s.context && s.lambda == 0.7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_have_kinds),
        cmocka_unit_test(a_question_is_always_of_one_kind),
        cmocka_unit_test(profiles_are_those_of_the_table),
    };
    return CHECK_RUN(tests);
}
