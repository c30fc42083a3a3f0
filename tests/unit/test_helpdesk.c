/* test_helpdesk.c -- the life of the indexes of the helpdesk: loaded once, reloaded, failed and
 * tried again, kept apart. */
#include "tests/helpdesk_rig.h"

#include "state/base/keeper.h"
#include "tests/check.h"
#include "tests/threads.h"

#include <sched.h>
#include <stdio.h>

/* ---- Loaded once ---- */

struct crowd {
    struct helpdesk_rig *rig;
    _Atomic unsigned answered;
    _Atomic uint64_t generation; /* Of the first answer. */
    _Atomic unsigned others;     /* Answers of another generation, or without all that is there. */
};

static void
search_once(void *arg, unsigned number)
{
    struct crowd *c = arg;
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;
    uint64_t none = 0, generation;

    (void)number;
    if (helpdesk_rig_ask(c->rig, NULL, "reset a password", &answer, &f) == E_OK) {
        generation = answer.index->generation;
        atomic_compare_exchange_strong(&c->generation, &none, generation);
        atomic_fetch_add(&c->answered, 1);
        atomic_fetch_add(&c->others, generation != atomic_load(&c->generation) ||
                                         answer.index->count != 3 || answer.hits.count != 3 ||
                                         !answer.index->loaded_ns || !answer.index->embedder[0]);
        helpdesk_release(&answer);
    }
}

static void
many_come_first(unsigned threads)
{
    struct helpdesk_rig r;
    struct crowd crowd = {.rig = &r};
    struct helpdesk_status status;
    struct slots_counters counters;

    helpdesk_rig_init(&r);
    CHECK_INT(helpdesk_rig_status(&r, NULL).state, HELPDESK_UNLOADED);
    threads_run(threads, search_once, &crowd);
    status = helpdesk_rig_status(&r, NULL);
    CHECK_INT(crowd.answered, threads);
    CHECK_INT(crowd.others, 0);
    CHECK_INT(status.loads, 1);
    CHECK_INT(status.failures, 0);
    CHECK_INT(status.state, HELPDESK_READY);
    CHECK_INT(status.searches, threads);
    CHECK_INT(status.documents, 3);
    CHECK_INT(status.vectors, 3);
    CHECK_INT(status.dimension, 64);
    CHECK_STR(status.embedder, "fake/1");
    CHECK_INT(status.generation, crowd.generation);
    counters = helpdesk_counters(r.helpdesk);
    CHECK_INT(counters.misses, 1);
    CHECK_INT(counters.hits + counters.double_loads, threads - 1 + 1); /* One more: the status. */
    CHECK_INT(atomic_load(&r.embedder.texts), 3 + threads);
    helpdesk_rig_fini(&r);
}

static void
helpdesk_singleton_10_threads(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < scaled(20); i++) {
        many_come_first(10);
    }
}

static void
helpdesk_concurrent_create_20_threads(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < scaled(20); i++) {
        many_come_first(20);
    }
}

/* ---- Reloads ---- */

#define SEARCHERS 20u
#define SWAPS 1000u

struct swaps {
    struct helpdesk_rig *rig;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    unsigned begun; /* Swaps; more than there are once it is over. */
    _Atomic unsigned torn, failed, searches;
    unsigned swaps;
    enum err reloaded;
};

/* Every document of a generation says its number. */
static void
write_generation(struct helpdesk_rig *r, unsigned number)
{
    static const char *const names[] = {"one", "two", "three"};

    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("helpdesk/%s.md", names[i]);
        char *text = xasprintf("# Topic %s\n\nanswer of generation g%u\n", names[i], number);

        tree_write(r->tree, path, text);
        free(path);
        free(text);
    }
}

static bool
is_torn(const struct helpdesk_answer *answer)
{
    const char *first = NULL;

    for (size_t i = 0; i < answer->hits.count; i++) {
        const char *mark =
            strstr(answer->index->passages[answer->hits.items[i].number].text, "generation g");

        if (!mark || (first && strcmp(first, mark) != 0)) {
            return true;
        }
        first = mark;
    }
    return answer->hits.count != 3;
}

static void
begin_swap(struct swaps *s, unsigned number)
{
    pthread_mutex_lock(&s->mutex);
    s->begun = number;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->mutex);
}

/* Waits until another swap than 'last' begins; false once it is over. */
static bool
wait_swap(struct swaps *s, unsigned *last)
{
    pthread_mutex_lock(&s->mutex);
    while (s->begun == *last) {
        pthread_cond_wait(&s->moved, &s->mutex);
    }
    *last = s->begun;
    pthread_mutex_unlock(&s->mutex);
    return *last <= s->swaps;
}

static void
swap_all(struct swaps *s)
{
    struct fault f = FAULT_INIT;

    for (unsigned i = 1; i <= s->swaps && !s->reloaded; i++) {
        write_generation(s->rig, i);
        begin_swap(s, i);
        s->reloaded = helpdesk_rig_reload(s->rig, NULL, i % 2, &f);
    }
    begin_swap(s, s->swaps + 1);
}

/* Thread 0 swaps; each of the others searches while it does. */
static void
search_or_swap(void *arg, unsigned number)
{
    struct swaps *s = arg;
    struct fault f = FAULT_INIT;
    unsigned last = 0;

    if (number == 0) {
        swap_all(s);
        return;
    }
    while (wait_swap(s, &last)) {
        for (int again = 0; again < 2; again++) {
            struct helpdesk_answer answer;

            if (helpdesk_rig_ask(s->rig, NULL, "an answer on a topic", &answer, &f) != E_OK) {
                atomic_fetch_add(&s->failed, 1);
                continue;
            }
            atomic_fetch_add(&s->torn, is_torn(&answer));
            atomic_fetch_add(&s->searches, 1);
            helpdesk_release(&answer);
        }
    }
}

static void
search_during_swaps(unsigned swaps, bool words)
{
    struct helpdesk_rig r;
    struct swaps s = {.rig = &r,
                      .mutex = PTHREAD_MUTEX_INITIALIZER,
                      .moved = PTHREAD_COND_INITIALIZER,
                      .swaps = scaled(swaps)};

    helpdesk_rig_init(&r);
    helpdesk_destroy(r.helpdesk);
    r.words = words;
    helpdesk_rig_make(&r, 8, 1000, false);
    tree_remove(r.tree, "helpdesk");
    write_generation(&r, 0);
    threads_run(SEARCHERS + 1, search_or_swap, &s);
    CHECK_INT(s.reloaded, E_OK);
    CHECK_INT(s.torn, 0);
    CHECK_INT(s.failed, 0);
    CHECK(s.searches >= 2 * SEARCHERS);
    CHECK(helpdesk_rig_status(&r, NULL).loads >= s.swaps);
    CHECK(helpdesk_rig_status(&r, NULL).loads <= s.swaps + 1); /* One for the first who searched. */
    CHECK_INT(helpdesk_rig_status(&r, NULL).failures, 0);
    helpdesk_rig_fini(&r);
}

static void
helpdesk_search_during_reload_20_threads(void **unused)
{
    (void)unused;
    search_during_swaps(SWAPS, false);
    search_during_swaps(SWAPS / 10, true);
}

/* An asker who notes that he waits. */
struct patience {
    struct helpdesk_rig *rig;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    unsigned waiting;
    _Atomic unsigned done, failed;
    _Atomic bool enough; /* They give up. */
};

struct waiter {
    struct patience *patience;
    bool noted;
};

static bool
note_waiting(void *arg)
{
    struct waiter *w = arg;
    struct patience *p = w->patience;

    if (!w->noted) {
        w->noted = true;
        pthread_mutex_lock(&p->mutex);
        p->waiting++;
        pthread_cond_broadcast(&p->moved);
        pthread_mutex_unlock(&p->mutex);
    }
    return atomic_load(&p->enough);
}

static void
wait_waiting(struct patience *p, unsigned count)
{
    pthread_mutex_lock(&p->mutex);
    while (p->waiting < count) {
        pthread_cond_wait(&p->moved, &p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
}

/* Thread 0 sees to it that all others wait for loads, and then lets those end. */
static void
reload_at_once(void *arg, unsigned number)
{
    struct patience *p = arg;
    struct waiter me = {p, false};
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct fault f = FAULT_INIT;

    asker.stopped = note_waiting;
    asker.arg = &me;
    if (number == 0) {
        wait_waiting(p, 20);
        fake_embedder_open(&p->rig->embedder);
        return;
    }
    if (number > 1) { /* The first has begun one. */
        fake_embedder_wait_inside(&p->rig->embedder, 1);
    }
    if (helpdesk_reload(p->rig->helpdesk, &asker, true, &f) == E_OK) {
        atomic_fetch_add(&p->done, 1);
    }
}

/* A load that began before them does for none; one that begins after them does for all. */
static void
concurrent_reloads_coalesce(void **unused)
{
    struct helpdesk_rig r;
    struct patience p = {
        .rig = &r, .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

    (void)unused;
    helpdesk_rig_init(&r);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    fake_embedder_close(&r.embedder);
    threads_run(21, reload_at_once, &p);
    CHECK_INT(p.done, 20);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads,
              3); /* The first, the one that they met, theirs. */
    CHECK_INT(helpdesk_rig_status(&r, NULL).generation, 3);
    helpdesk_rig_fini(&r);
}

static void
a_failed_reload_keeps_the_old(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;
    struct helpdesk_status status;
    struct helpdesk_answer held;
    uint64_t generation;

    (void)unused;
    helpdesk_rig_init(&r);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    generation = helpdesk_rig_status(&r, NULL).generation;
    tree_write(r.tree, "helpdesk/index.jsonl", "{\"format\": \"other\"}\n");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_REFUSED);
    CHECK(strstr(f.text, "index.jsonl:1: \"format\"") != NULL);
    status = helpdesk_rig_status(&r, NULL);
    CHECK_INT(status.state, HELPDESK_READY);
    CHECK_INT(status.generation, generation);
    CHECK_INT(status.failures, 1);
    CHECK(strstr(status.error, "index.jsonl") != NULL);
    CHECK(!helpdesk_retry(r.helpdesk)); /* There is one that serves. */
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    CHECK_INT(helpdesk_rig_ask(&r, NULL, "visa", &held, &f), E_OK);
    tree_remove(r.tree, "helpdesk/index.jsonl");
    tree_remove(r.tree, "helpdesk/shared");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    status = helpdesk_rig_status(&r, NULL);
    CHECK_INT(status.documents, 2);
    CHECK_STR(status.error, "");
    CHECK(status.generation > generation);
    CHECK_STR(helpdesk_rig_source(&held, 0),
              "deep/visas.md"); /* Who had the old one still has it. */
    helpdesk_release(&held);
    helpdesk_rig_fini(&r);
}

static void
a_reload_takes_vectors_over(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    CHECK_INT(atomic_load(&r.embedder.texts), 3);
    tree_write(r.tree, "helpdesk/new.md", "# New\n\nNever seen.\n");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    CHECK_INT(atomic_load(&r.embedder.texts), 4);
    CHECK_INT(helpdesk_rig_status(&r, NULL).reused, 3);
    helpdesk_rig_finds(&r, NULL, "never seen", "new.md");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, true, &f), E_OK);
    CHECK_INT(atomic_load(&r.embedder.texts), 4 + 1 + 4);
    CHECK_INT(helpdesk_rig_status(&r, NULL).reused, 0);
    helpdesk_rig_finds(&r, NULL, "money back", "refunds.md");
    helpdesk_rig_fini(&r);
}

/* ---- Failures ---- */

static void
helpdesk_failed_load_retries(void **unused)
{
    static const int64_t delays[] = {2, 4, 8, 10, 10};
    struct helpdesk_rig r;
    struct fault f;
    struct helpdesk_status status;

    (void)unused;
    helpdesk_rig_init(&r);
    atomic_store(&r.embedder.fails, E_IO);
    for (unsigned attempt = 1; attempt <= 5; attempt++) {
        CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
        CHECK_STR(f.text, "the helpdesk index cannot be loaded: the provider says no");
        CHECK(f.remedy[0]);
        status = helpdesk_rig_status(&r, NULL);
        CHECK_INT(status.state, HELPDESK_FAILED);
        CHECK_INT(status.loads, attempt);
        CHECK_INT(status.failures, attempt);
        CHECK_STR(status.error, "the provider says no");
        CHECK_INT(status.retry_ns, delays[attempt - 1] * 1000000000);
        fake_clock_pass(&r.clock, status.retry_ns - 1);
        CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY); /* Not yet. */
        CHECK_INT(helpdesk_rig_status(&r, NULL).loads, attempt);
        fake_clock_pass(&r.clock, 1);
    }
    atomic_store(&r.embedder.fails, E_OK);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    status = helpdesk_rig_status(&r, NULL);
    CHECK_INT(status.state, HELPDESK_READY);
    CHECK_INT(status.loads, 6);
    CHECK_STR(status.error, "");
    helpdesk_rig_fini(&r);
}

/* By itself three times; then it is left to whoever asks. */
static void
the_helpdesk_tries_again_by_itself(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    atomic_store(&r.embedder.fails, E_IO);
    CHECK(!helpdesk_retry(r.helpdesk)); /* Nobody has asked for anything. */
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    CHECK(helpdesk_retry(r.helpdesk));
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 1);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_NS);
    CHECK(helpdesk_retry(r.helpdesk));
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY); /* It has ended now. */
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 2);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_MOST_NS);
    CHECK(helpdesk_retry(r.helpdesk));
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 3);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_MOST_NS);
    CHECK(!helpdesk_retry(r.helpdesk));
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 3);
    atomic_store(&r.embedder.fails, E_OK);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 4);
    helpdesk_rig_fini(&r);
}

/* A load that fails is one failure for all who waited for it. */
static void
a_failed_load_is_told_to_all(void **unused)
{
    struct helpdesk_rig r;
    struct crowd crowd = {.rig = &r};

    (void)unused;
    helpdesk_rig_init(&r);
    atomic_store(&r.embedder.fails, E_BUSY);
    threads_run(20, search_once, &crowd);
    CHECK_INT(crowd.answered, 0);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 1);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_NS);
    atomic_store(&r.embedder.fails, E_OK);
    threads_run(20, search_once, &crowd);
    CHECK_INT(crowd.answered, 20);
    CHECK_INT(crowd.others, 0);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 2); /* Exactly one more attempt. */
    helpdesk_rig_fini(&r);
}

static void
helpdesk_embedder_mismatch(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    tree_write(r.tree, "helpdesk/index.jsonl",
               "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1,\"dimension\":64,"
               "\"metric\":\"squared_l2\",\"embedder\":\"ollama/all-minilm\"}\n"
               "{\"content\":\"x\",\"vector\":[]}\n");
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    CHECK(strstr(f.text, "made by 'ollama/all-minilm'") && strstr(f.text, "by 'fake/1'"));
    CHECK(strstr(f.remedy, "embedder that is configured") != NULL);
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_REFUSED);
    tree_write(r.tree, "helpdesk/index.jsonl",
               "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"dimension\":65,"
               "\"metric\":\"squared_l2\",\"embedder\":\"fake/1\"}\n");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_REFUSED);
    CHECK(strstr(f.text, "65") && strstr(f.text, "64"));
    helpdesk_rig_fini(&r);
}

static void
helpdesk_empty_is_not_error(void **unused)
{
    struct helpdesk_rig r;
    struct fault f = FAULT_INIT;
    struct helpdesk_answer answer;

    (void)unused;
    helpdesk_rig_init(&r);
    tree_remove(r.tree, "helpdesk");
    for (int folder = 0; folder < 2; folder++) {
        CHECK_INT(helpdesk_rig_ask(&r, NULL, "visa", &answer, &f), E_OK);
        CHECK_INT(answer.hits.count, 0);
        CHECK_INT(answer.hits.before, 0);
        CHECK(!answer.hits.fallback);
        helpdesk_release(&answer);
        CHECK_INT(helpdesk_rig_status(&r, NULL).state, HELPDESK_READY);
        CHECK_INT(helpdesk_rig_status(&r, NULL).documents, 2 * folder);
        tree_mkdir(r.tree, "helpdesk");
        tree_write(r.tree, "helpdesk/blank.md", " \n\n\t\n");
        tree_write(r.tree, "helpdesk/rule.md", "---\n\n***\n");
        CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_OK);
    }
    helpdesk_rig_fini(&r);
}

/* A folder that the settings name, or a tenant's, is another thing. */
static void
what_is_named_must_be_there(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    CHECK_INT(helpdesk_rig_fails(&r, "acme", "visa", &f), E_NOT_READY);
    CHECK(strstr(f.text, "there is no helpdesk index 'acme'") != NULL);
    CHECK(strstr(f.remedy, "helpdesk/acme") != NULL);
    CHECK_INT(helpdesk_rig_reload(&r, "acme", false, &f), E_NOT_FOUND);
    helpdesk_destroy(r.helpdesk);
    helpdesk_rig_make(&r, 8, 1000, true);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    tree_remove(r.tree, "helpdesk");
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_NOT_FOUND);
    helpdesk_rig_fini(&r);
}

static void
what_cannot_be_read_is_skipped(void **unused)
{
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    tree_write_bytes(r.tree, "helpdesk/latin.md", SLICE("# Caf\xe9\n"));
    tree_symlink(r.tree, "../secret.md", "helpdesk/link.md");
    tree_write(r.tree, "secret.md", "# Secret\n");
    tree_write(r.tree, "helpdesk/.hidden.md", "# Hidden\n");
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    CHECK_INT(helpdesk_rig_status(&r, NULL).documents, 3);
    CHECK_INT(helpdesk_rig_status(&r, NULL).skipped, 1);
    helpdesk_destroy(r.helpdesk);
    helpdesk_rig_make(&r, 8, 2, false);
    CHECK_INT(helpdesk_rig_reload(&r, NULL, false, &f), E_TOO_LARGE);
    CHECK(strstr(f.text, "more than 2 passages") != NULL);
    helpdesk_rig_fini(&r);
}

/* ---- Whoever waits ---- */

static bool
say_stop(void *arg)
{
    *(bool *)arg = true;
    return true;
}

static void
who_gives_up_takes_nothing_from_the_others(void **unused)
{
    struct helpdesk_rig r;
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;
    bool asked = false;

    (void)unused;
    helpdesk_rig_init(&r);
    fake_embedder_close(&r.embedder);
    asker.deadline_ns = clock_mono(clock_real()) + 1000000;
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f), E_TIMEOUT);
    CHECK_STR(f.text, "the helpdesk index is still being loaded");
    CHECK_INT(helpdesk_reload(r.helpdesk, &asker, false, &f), E_TIMEOUT);
    asker.deadline_ns = 0; /* Long past. */
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f), E_TIMEOUT);
    asker.deadline_ns = INT64_MAX;
    asker.stopped = say_stop;
    asker.arg = &asked;
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f), E_CANCELLED);
    CHECK(asked);
    CHECK_INT(helpdesk_rig_status(&r, NULL).state, HELPDESK_LOADING);
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 1);
    fake_embedder_open(&r.embedder);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f),
              E_CANCELLED); /* Not for its vector. */
    asker.stopped = NULL;
    asker.deadline_ns = 0; /* Once it is there nobody waits for anything. */
    CHECK_INT(helpdesk_rig_ask_as(&r, &asker, "visa", &answer, &f), E_OK);
    helpdesk_release(&answer);
    helpdesk_rig_fini(&r);
}

static void
wait_in_vain(void *arg, unsigned number)
{
    struct patience *p = arg;
    struct waiter me = {p, false};
    struct helpdesk_asker asker = helpdesk_rig_asker(NULL);
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;

    asker.stopped = note_waiting;
    asker.arg = &me;
    if (number == 0) {
        wait_waiting(p, 5);
        helpdesk_give_up(p->rig->helpdesk);
    } else if (helpdesk_rig_ask_as(p->rig, &asker, "visa", &answer, &f) != E_OK) {
        atomic_fetch_add(&p->failed, 1);
    } else {
        helpdesk_release(&answer);
    }
}

static void
the_end_is_waited_for_by_nobody(void **unused)
{
    struct helpdesk_rig r;
    struct patience p = {
        .rig = &r, .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    fake_embedder_close(&r.embedder);
    threads_run(6, wait_in_vain, &p);
    CHECK_INT(p.failed, 5);
    CHECK(helpdesk_rig_reload(&r, NULL, false, &f) != E_OK);
    helpdesk_rig_fini(&r); /* With the gate closed. */
}

static void
the_keeper_preloads_and_tries_again(void **unused)
{
    struct helpdesk_rig r;
    struct keeper *keeper = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    helpdesk_rig_init(&r);
    CHECK_INT(keeper_start(&keeper, &f), E_OK);
    fake_embedder_close(&r.embedder);
    helpdesk_keep(r.helpdesk, keeper, true);
    fake_embedder_wait_inside(&r.embedder, 1); /* Nobody has asked. */
    CHECK_INT(helpdesk_rig_status(&r, NULL).state, HELPDESK_LOADING);
    atomic_store(&r.embedder.fails, E_IO);
    fake_embedder_open(&r.embedder);
    CHECK_INT(helpdesk_rig_fails(&r, NULL, "visa", &f), E_NOT_READY);
    fake_embedder_close(&r.embedder);
    atomic_store(&r.embedder.fails, E_OK);
    fake_clock_pass(&r.clock, HELPDESK_RETRY_NS);
    fake_embedder_wait_inside(&r.embedder, 1); /* The keeper has come. */
    fake_embedder_open(&r.embedder);
    helpdesk_rig_finds(&r, NULL, "visa", "deep/visas.md");
    CHECK_INT(helpdesk_rig_status(&r, NULL).loads, 2);
    helpdesk_rig_fini(&r);
    keeper_stop(keeper);
}

/* What the load stirs when it fails is dropped before it. */
static void
the_end_comes_during_the_first_load(void **unused)
{
    struct helpdesk_rig r;
    struct keeper *keeper = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    helpdesk_rig_init(&r);
    CHECK_INT(keeper_start(&keeper, &f), E_OK);
    fake_embedder_close(&r.embedder);
    helpdesk_keep(r.helpdesk, keeper, true);
    fake_embedder_wait_inside(&r.embedder, 1);
    helpdesk_rig_fini(&r); /* With the gate closed. */
    keeper_stop(keeper);
}

/* ---- Tenants ---- */

static void
write_tenants(struct helpdesk_rig *r)
{
    tree_write(r->tree, "helpdesk/acme/vault.md", "# Vault\n\nThe code of acme is 1111.\n");
    tree_write(r->tree, "helpdesk/globex/vault.md", "# Vault\n\nThe code of globex is 2222.\n");
    tree_write(r->tree, "helpdesk/globex/deep/er.md", "# Deeper\n\nglobex again.\n");
}

static bool
shows(const struct helpdesk_answer *answer, const char *word)
{
    for (size_t i = 0; i < answer->index->count; i++) {
        if (strstr(answer->index->passages[i].text, word)) {
            return true;
        }
    }
    return false;
}

static void
tenants_see_their_own(void **unused)
{
    struct helpdesk_rig r;
    struct fault f = FAULT_INIT;
    struct helpdesk_answer answer;

    (void)unused;
    helpdesk_rig_init(&r);
    write_tenants(&r);
    CHECK_INT(helpdesk_rig_ask(&r, "acme", "the code of the vault", &answer, &f), E_OK);
    CHECK(shows(&answer, "acme") && !shows(&answer, "globex") && !shows(&answer, "Refunds"));
    helpdesk_release(&answer);
    CHECK_INT(helpdesk_rig_ask(&r, "globex", "the code of the vault", &answer, &f), E_OK);
    CHECK(shows(&answer, "globex again") && !shows(&answer, "acme"));
    helpdesk_release(&answer);
    CHECK_INT(helpdesk_rig_ask(&r, "shared", "the code of the vault", &answer, &f), E_OK);
    CHECK(shows(&answer, "Refunds") && !shows(&answer, "acme") && !shows(&answer, "globex"));
    helpdesk_release(&answer);
    helpdesk_rig_fini(&r);
}

static void
names_lead_nowhere_else(void **unused)
{
    static const char *const names[] = {
        "",
        ".",
        "..",
        "../helpdesk",
        "a/b",
        "/etc",
        "Acme",
        "-a",
        "_a",
        "a b",
        "a\n",
        "\xc3\xa9",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct helpdesk_rig r;
    struct fault f;

    (void)unused;
    helpdesk_rig_init(&r);
    tree_write(r.tree, "outside/secret.md", "# Secret\n");
    tree_symlink(r.tree, "../outside", "helpdesk/link");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_INT(helpdesk_rig_fails(&r, names[i], "secret", &f), E_ARGUMENT);
        CHECK_INT(helpdesk_rig_reload(&r, names[i], false, &f), E_ARGUMENT);
        CHECK_INT(helpdesk_rig_status(&r, names[i]).state, HELPDESK_UNLOADED);
    }
    CHECK_INT(helpdesk_rig_fails(&r, "link", "secret", &f), E_NOT_READY);
    helpdesk_rig_fini(&r);
}

static void
search_as_tenants(void *arg, unsigned number)
{
    static const char *const names[] = {"acme", "globex", NULL};
    static const char *const others[] = {"globex", "acme", "code"};
    struct crowd *c = arg;

    for (unsigned i = 0; i < 30; i++) {
        unsigned at = (number + i) % 3;
        struct helpdesk_answer answer;
        struct fault f = FAULT_INIT;
        enum err err = helpdesk_rig_ask(c->rig, names[at], "the code of the vault", &answer, &f);

        if (!err) {
            atomic_fetch_add(&c->answered, 1);
            atomic_fetch_add(&c->others, shows(&answer, others[at]));
            helpdesk_release(&answer);
        } else if (err != E_NOT_READY) { /* All places in use at this moment. */
            atomic_fetch_add(&c->others, 1);
        }
    }
}

/* The load that made the last index may still be letting go of it. */
static void
finds_once_there_is_room(struct helpdesk_rig *r, const char *index)
{
    struct fault f;

    while (helpdesk_rig_fails(r, index, "the code", &f) == E_NOT_READY) {
        CHECK(strstr(f.text, "in use") != NULL);
        sched_yield();
    }
    helpdesk_rig_finds(r, index, "the code", "vault.md");
}

/* One place for three indexes: each makes room for the next, and nobody sees another's. */
static void
no_cross_talk_when_indexes_make_room(void **unused)
{
    struct helpdesk_rig r;
    struct crowd crowd = {.rig = &r};
    struct slots_counters counters;

    (void)unused;
    helpdesk_rig_init(&r);
    write_tenants(&r);
    helpdesk_destroy(r.helpdesk);
    helpdesk_rig_make(&r, 1, 1000, false);
    threads_run(12, search_as_tenants, &crowd);
    CHECK(crowd.answered > 0);
    CHECK_INT(crowd.others, 0);
    finds_once_there_is_room(&r, "acme");
    finds_once_there_is_room(&r, "globex");
    counters = helpdesk_counters(r.helpdesk);
    CHECK(counters.evictions >= 1 && counters.size == 1 && counters.max == 1);
    helpdesk_rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpdesk_singleton_10_threads),
        cmocka_unit_test(helpdesk_concurrent_create_20_threads),
        cmocka_unit_test(helpdesk_search_during_reload_20_threads),
        cmocka_unit_test(concurrent_reloads_coalesce),
        cmocka_unit_test(a_failed_reload_keeps_the_old),
        cmocka_unit_test(a_reload_takes_vectors_over),
        cmocka_unit_test(helpdesk_failed_load_retries),
        cmocka_unit_test(the_helpdesk_tries_again_by_itself),
        cmocka_unit_test(a_failed_load_is_told_to_all),
        cmocka_unit_test(helpdesk_embedder_mismatch),
        cmocka_unit_test(helpdesk_empty_is_not_error),
        cmocka_unit_test(what_is_named_must_be_there),
        cmocka_unit_test(what_cannot_be_read_is_skipped),
        cmocka_unit_test(who_gives_up_takes_nothing_from_the_others),
        cmocka_unit_test(the_end_is_waited_for_by_nobody),
        cmocka_unit_test(the_keeper_preloads_and_tries_again),
        cmocka_unit_test(the_end_comes_during_the_first_load),
        cmocka_unit_test(tenants_see_their_own),
        cmocka_unit_test(names_lead_nowhere_else),
        cmocka_unit_test(no_cross_talk_when_indexes_make_room),
    };
    return CHECK_RUN(tests);
}
