/* test_helpdesk_ask.c -- questions to the helpdesk: by vectors, by words, and their bounds. */
#include "tests/helpdesk_rig.h"

#include "state/helpdesk_profile.h"
#include "tests/check.h"
#include "tests/threads.h"

#include <math.h>

/* ---- Words ---- */

/* The first sources, with blanks between. */
static void
finds_in_order(struct helpdesk_rig *r, const char *query, bool context, const char *sources)
{
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct helpdesk_ask one = {.query = slice_of(query)};
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;
    struct buf all = BUF_INIT;

    helpdesk_search_init(&one.search, PROFILE_NONE, context, false);
    CHECK_INT(helpdesk_search(r->helpdesk, &asker, &one, &answer, &f), E_OK);
    CHECK_INT(answer.words, context);
    for (size_t i = 0; i < answer.hits.count; i++) {
        buf_addf(&all, "%s%s", i ? " " : "", helpdesk_rig_source(&answer, i));
    }
    if (strncmp(all.data, sources, strlen(sources)) != 0) {
        fail_msg("%s", all.data);
    }
    buf_fini(&all);
    helpdesk_release(&answer);
}

/* Both kinds of passages are found by their words: chunks of documents, and those of index files,
 * whatever their vectors say. */
static void
words_find_what_vectors_do_not(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;
    struct buf file = BUF_INIT;

    (void)unused;
    helpdesk_rig_init(&r);
    helpdesk_destroy(r.helpdesk);
    r.words = true;
    helpdesk_rig_make(&r, 2, 1000, false);
    buf_adds(&file, "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1,\"dimension\":64,"
                    "\"metric\":\"squared_l2\",\"embedder\":\"fake/1\"}\n"
                    "{\"content\":\"A zeppelin lands.\",\"source\":\"z\",\"vector\":[-1");
    for (int i = 1; i < 64; i++) {
        buf_adds(&file, ",0");
    }
    buf_adds(&file, "]}\n");
    tree_write(r.tree, "helpdesk/index.jsonl", file.data);
    buf_fini(&file);
    finds_in_order(&r, "zeppelin", true, "z ");
    finds_in_order(&r, "the embassy", true, "deep/visas.md ");
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "?!", &f), E_ARGUMENT);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "nothing that any of them has", &f), E_OK);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "\"quoted AND NEAR(", &f), E_OK);
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    finds_in_order(&r, "zeppelin", true, "z ");
    tree_remove(r.tree, "helpdesk");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "zeppelin", &f), E_OK);
    helpdesk_rig_fini(&r);
}

/* ---- Questions ---- */

static void
questions_have_bounds(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;
    char *long_one = xcalloc(1, 2 * HELPDESK_QUERY_MAX + 3);

    (void)unused;
    helpdesk_rig_init(&r);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "", &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query is empty");
    CHECK_INT(helpdesk_rig_fails(&r, NULL, " \t\n\xc2\xa0", &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query is empty");
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "a\xff", &f), E_ARGUMENT);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 0); /* For none of them. */
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "?!", &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query holds no word");
    for (unsigned i = 0; i < HELPDESK_QUERY_MAX; i++) {
        memcpy(long_one + 2 * (size_t)i, "\xc3\xa9", 2);
    }
    CHECK_INT(helpdesk_rig_fails(&r, NULL, long_one, &f), E_OK);
    helpdesk_rig_fini(&r);
    helpdesk_rig_init(&r);
    memcpy(long_one + 2 * (size_t)HELPDESK_QUERY_MAX, "x", 2);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, long_one, &f), E_ARGUMENT);
    CHECK_STR(f.text, "the query has more than 2000 characters");
    free(long_one);
    helpdesk_rig_fini(&r);
}

static void
searches_have_bounds(void **unused)
{
    static const struct helpdesk_search wrong[] = {
        {.top_k = 0, .fetch_k = 1},
        {.top_k = HELPDESK_TOP_MAX + 1, .fetch_k = HELPDESK_FETCH_MAX},
        {.top_k = 5, .fetch_k = 4},
        {.top_k = 5, .fetch_k = HELPDESK_FETCH_MAX + 1},
        {.top_k = 5, .fetch_k = 5, .lambda = 1.1},
        {.top_k = 5, .fetch_k = 5, .lambda = -0.1},
        {.top_k = 5, .fetch_k = 5, .lambda = (double)NAN},
        {.top_k = 5, .fetch_k = 5, .min_score = 2},
        {.top_k = 5, .fetch_k = 5, .min_score = (double)NAN},
    };
    struct helpdesk_rig r;
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct helpdesk_answer answer;

    (void)unused;
    helpdesk_rig_init(&r);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct helpdesk_ask one = {.query = SLICE("visa"), .search = wrong[i]};
        struct fault f = FAULT_INIT;

        CHECK_INT(helpdesk_search(r.helpdesk, &asker, &one, &answer, &f), E_ARGUMENT);
        CHECK(f.text[0]);
    }
    helpdesk_rig_fini(&r);
}

/* The embedder fails for one question: the index stays, and so does the reason. */
static void
a_question_that_cannot_be_embedded(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    atomic_store(&r.embedder.fails, E_TIMEOUT);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_TIMEOUT);
    CHECK_STR(f.text, "the provider says no");
    CHECK_INT(helpdesk_rig_status(&r, NULL).state, HELPDESK_READY);
    atomic_store(&r.embedder.fails, E_IO); /* It is gone: the asker may come again. */
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    CHECK_STR(f.text, "the provider says no");
    atomic_store(&r.embedder.fails, E_OK);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    helpdesk_rig_fini(&r);
    helpdesk_destroy(NULL);
}

/* ---- By words alone ---- */

/* Asks, and checks that words alone have answered, or that they had to do no more than their part.
 */
static void
finds_by(struct helpdesk_rig *r, const char *query, const char *source, const char *degraded)
{
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;

    if (helpdesk_rig_ask(r, NULL, query, &answer, &f) != E_OK) {
        fail_msg("%s", f.text);
    }
    CHECK(answer.words && answer.hits.count > 0);
    CHECK_STR(helpdesk_rig_source(&answer, 0), source);
    CHECK_STR(answer.degraded, degraded);
    CHECK(answer.hits.unscored == (degraded[0] != '\0'));
    helpdesk_release(&answer);
}

static void
rig_init_with_words(struct helpdesk_rig *r)
{
    helpdesk_rig_init(r);
    helpdesk_destroy(r->helpdesk);
    r->words = true;
    helpdesk_rig_make(r, 8, 1000, false);
}

/* The embedder cannot be used for a question: its words answer, whatever the reason. */
static void
a_question_without_a_vector_goes_by_words(void **unused)
{
    static const enum err reasons[] = {E_IO, E_TIMEOUT, E_LIMIT, E_NOT_READY, E_REFUSED};
    struct helpdesk_answer answer;
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct fault f = FAULT_INIT;
    struct helpdesk_rig r;

    (void)unused;
    rig_init_with_words(&r);
    finds_by(&r, "reset by mail", "passwords.md", "");
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        atomic_store(&r.embedder.fails, reasons[i]);
        finds_by(&r, "reset by mail", "passwords.md", "the provider says no");
    }
    CHECK_INT(helpdesk_rig_ask(&r, NULL, "zeppelin", &answer, &f),
              E_OK); /* There is no such word. */
    CHECK_INT(answer.hits.count, 0);
    helpdesk_release(&answer);
    atomic_store(&r.embedder.fails, E_OVERLOAD); /* That is no trouble of the embedder. */
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "reset by mail", &f), E_OVERLOAD);
    atomic_store(&r.embedder.fails, E_TIMEOUT); /* The asker has no time left either. */
    asker.deadline_ns = 0;
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f), E_TIMEOUT);
    atomic_store(&r.embedder.fails, E_OK);
    finds_by(&r, "reset by mail", "passwords.md", "");
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 1);
    helpdesk_rig_fini(&r);
}

/* The embedder cannot be used for the index: it goes by words until it can, and says so. */
static void
an_index_without_vectors_goes_by_words(void **unused)
{
    struct helpdesk_status status;
    struct helpdesk_rig r;

    (void)unused;
    rig_init_with_words(&r);
    atomic_store(&r.embedder.fails, E_IO);
    finds_by(&r, "reset by mail", "passwords.md", "the provider says no");
    status = helpdesk_rig_status(&r, NULL);
    CHECK_INT(status.state, HELPDESK_READY);
    CHECK(status.degraded);
    CHECK_STR(status.error, "the provider says no");
    CHECK_INT(status.vectors, 0);
    CHECK_INT(status.documents, 3);
    CHECK_INT(status.failures, 1);
    CHECK_INT(status.retry_ns, HELPDESK_RETRY_NS);
    finds_by(&r, "reset by mail", "passwords.md", "the provider says no");
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 1); /* Not yet. */
    CHECK(helpdesk_retry(r.helpdesk));
    atomic_store(&r.embedder.fails, E_OK);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_NS);
    helpdesk_retry(r.helpdesk);
    do { /* Searches go on meanwhile. */
        helpdesk_rig_finds(&r, NULL, "reset by mail", "passwords.md");
        status = helpdesk_rig_status(&r, NULL);
    } while (status.degraded);
    CHECK_STR(status.error, "");
    CHECK_INT(status.vectors, 3);
    finds_by(&r, "reset by mail", "passwords.md", "");
    helpdesk_rig_fini(&r);
}

/* One with vectors is not given up for one without, however the reload ends. */
static void
an_index_with_vectors_stays(void **unused)
{
    struct fault f;
    struct helpdesk_rig r;

    (void)unused;
    rig_init_with_words(&r);
    finds_by(&r, "reset by mail", "passwords.md", "");
    atomic_store(&r.embedder.fails, E_IO);
    CHECK_INT(helpdesk_rig_reload(&r, NULL, true, &f), E_IO);
    atomic_store(&r.embedder.fails, E_OK);
    finds_by(&r, "reset by mail", "passwords.md", "");
    CHECK_INT(helpdesk_rig_status(&r, NULL).vectors, 3);
    CHECK(!helpdesk_rig_status(&r, NULL).degraded);
    helpdesk_rig_fini(&r);
}

struct cancelling {
    struct helpdesk_rig *rig;
    _Atomic bool gone;
    enum err err;
};

static bool
is_gone(void *arg)
{
    return atomic_load((_Atomic bool *)arg);
}

static void
ask_or_leave(void *arg, unsigned number)
{
    struct cancelling *c = arg;
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;

    asker.stopped = is_gone;
    asker.arg = &c->gone;
    if (number == 0) {
        c->err = helpdesk_rig_ask_as(c->rig, &asker, "visa", &answer, &f);
        return;
    }
    fake_embedder_wait_inside(&c->rig->embedder, 1);
    atomic_store(&c->gone, true); /* Nobody opens the embedder. */
}

static void
who_leaves_does_not_wait_for_the_vector(void **unused)
{
    struct helpdesk_rig r;
    struct cancelling c = {.rig = &r};

    (void)unused;
    rig_init_with_words(&r);
    finds_by(&r, "reset by mail", "passwords.md", "");
    fake_embedder_close(&r.embedder);
    threads_run(2, ask_or_leave, &c);
    CHECK_INT(c.err, E_CANCELLED);
    fake_embedder_open(&r.embedder);
    helpdesk_rig_fini(&r);
}

static void
an_ending_server_says_so(void **unused)
{
    struct fault f;
    struct helpdesk_rig r;

    (void)unused;
    helpdesk_rig_init(&r);
    helpdesk_give_up(r.helpdesk);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    CHECK_STR(f.text, "the helpdesk index cannot be loaded: the server is ending");
    CHECK_STR(f.remedy, "");
    helpdesk_rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_find_what_vectors_do_not),
        cmocka_unit_test(questions_have_bounds),
        cmocka_unit_test(searches_have_bounds),
        cmocka_unit_test(a_question_that_cannot_be_embedded),
        cmocka_unit_test(a_question_without_a_vector_goes_by_words),
        cmocka_unit_test(an_index_without_vectors_goes_by_words),
        cmocka_unit_test(an_index_with_vectors_stays),
        cmocka_unit_test(who_leaves_does_not_wait_for_the_vector),
        cmocka_unit_test(an_ending_server_says_so),
    };
    return CHECK_RUN(tests);
}
