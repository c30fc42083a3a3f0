/* test_helpdesk_remote.c -- an index file from elsewhere: fetched, kept, and what serves when it
 * cannot be had. */
#include "tests/check.h"

#include "state/embed_hashed.h"
#include "state/helpdesk.h"
#include "tests/fakes.h"
#include "tests/key_server.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <stdio.h>

#define HEAD "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1}\n"
#define HOUR INT64_C(3600000000000)

struct rig {
    struct tree *tree;
    struct fake_clock clock;
    struct key_server server;
    struct embedder *embedder;
    struct helpdesk *helpdesk;
    char url[64];
};

/* A helpdesk as after a start of the server. */
static void
open_helpdesk(struct rig *r, const char *url, size_t file_max)
{
    helpdesk_destroy(r->helpdesk);
    r->helpdesk = helpdesk_create(&(struct helpdesk_options){
        .place =
            {.root = tree_dir(r->tree),
             .folder = "helpdesk",
             .file_max = file_max,
             .passages_max = 100,
             .words = true,
             .embedder = r->embedder,
             .remote = helpdesk_remote_create(&(struct helpdesk_remote_options){
                 .url = url, .data = tree_dir(r->tree), .ttl_ns = HOUR, .clock = &r->clock.clock})},
        .clock = &r->clock.clock,
        .indexes = 2});
}

static void
rig_init(struct rig *r)
{
    *r = (struct rig){.tree = tree_create(), .embedder = embed_hashed_create(64)};
    fake_clock_init(&r->clock);
    key_server_start(&r->server);
    key_server_say(&r->server, 200, HEAD "{\"content\":\"first\"}\n");
    tree_write(r->tree, "helpdesk/own.md", "# Own\n\nof this folder\n");
    tree_write(r->tree, "helpdesk/acme/own.md", "# Acme\n\nof acme\n");
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/index.jsonl", r->server.port);
    open_helpdesk(r, r->url, 1 << 20);
}

static void
rig_fini(struct rig *r)
{
    helpdesk_destroy(r->helpdesk);
    key_server_stop(&r->server);
    embedder_unref(r->embedder);
    tree_destroy(r->tree);
}

static enum err
reload(struct rig *r, bool clear, struct fault *f)
{
    *f = (struct fault)FAULT_INIT;
    return helpdesk_reload(
        r->helpdesk, &(struct helpdesk_asker){.tenant = "t", .deadline_ns = INT64_MAX}, clear, f);
}

/* Asks an index; true if its first passage is 'text'. */
static bool
serves(struct rig *r, const char *index, const char *text)
{
    struct helpdesk_asker asker = {.tenant = "t", .index = index, .deadline_ns = INT64_MAX};
    struct helpdesk_ask ask = {.query = SLICE("anything"), .search = {.top_k = 5, .fetch_k = 5}};
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;
    bool same;

    if (helpdesk_search(r->helpdesk, &asker, &ask, &answer, &f) != E_OK) {
        fail_msg("%s", f.text);
    }
    same = strcmp(answer.index->passages[0].text, text) == 0;
    helpdesk_release(&answer);
    return same;
}

static bool
is_stale(struct rig *r)
{
    struct helpdesk_status status;

    helpdesk_status(r->helpdesk, NULL, &status);
    return status.stale;
}

static void
it_is_fetched_once_and_kept(void **unused)
{
    struct rig r;
    struct fault f;

    (void)unused;
    rig_init(&r);
    CHECK(serves(&r, NULL, "first"));
    CHECK(serves(&r, "acme", "# Acme\n\nof acme\n")); /* It is for the shared index alone. */
    CHECK_INT(atomic_load(&r.server.hits), 1);
    key_server_say(&r.server, 200, HEAD "{\"content\":\"second\"}\n");
    CHECK_INT(reload(&r, false, &f), E_OK);
    open_helpdesk(&r, r.url, 1 << 20); /* Another process. */
    CHECK(serves(&r, NULL, "first") && !is_stale(&r));
    CHECK_INT(atomic_load(&r.server.hits), 1);
    CHECK_INT(reload(&r, true, &f), E_OK); /* No copy will do. */
    CHECK(serves(&r, NULL, "second"));
    CHECK_INT(atomic_load(&r.server.hits), 2);
    fake_clock_pass(&r.clock, HOUR);
    key_server_say(&r.server, 200, HEAD "{\"content\":\"third\"}\n");
    CHECK_INT(reload(&r, false, &f), E_OK);
    CHECK(serves(&r, NULL, "third") && !is_stale(&r));
    CHECK_INT(atomic_load(&r.server.hits), 3);
    rig_fini(&r);
}

static void
an_old_copy_is_better_than_none(void **unused)
{
    struct rig r;
    struct fault f;

    (void)unused;
    rig_init(&r);
    CHECK(serves(&r, NULL, "first"));
    fake_clock_pass(&r.clock, HOUR);
    key_server_say(&r.server, 500, "sorry");
    CHECK_INT(reload(&r, false, &f), E_OK);
    CHECK(serves(&r, NULL, "first") && is_stale(&r));
    key_server_say(&r.server, 200, "{\"format\":\"damaged\"}");
    CHECK_INT(reload(&r, false, &f), E_OK);
    CHECK(serves(&r, NULL, "first") && is_stale(&r));
    CHECK_INT(reload(&r, true, &f), E_REFUSED); /* But not if it is not wanted. */
    CHECK(strstr(f.text, "helpdesk.url:1: \"format\"") != NULL);
    CHECK(serves(&r, NULL, "first"));
    key_server_say(&r.server, 200, HEAD "{\"content\":\"second\"}\n");
    CHECK_INT(reload(&r, false, &f), E_OK);
    CHECK(serves(&r, NULL, "second") && !is_stale(&r));
    fake_clock_pass(&r.clock, -2 * HOUR); /* The clock was set back. */
    key_server_say(&r.server, 200, HEAD "{\"content\":\"third\"}\n");
    CHECK_INT(reload(&r, false, &f), E_OK);
    CHECK(serves(&r, NULL, "third"));
    rig_fini(&r);
}

static void
without_a_copy_it_fails(void **unused)
{
    struct rig r;
    struct fault f;

    (void)unused;
    rig_init(&r);
    key_server_say(&r.server, 404, "no");
    CHECK_INT(reload(&r, false, &f), E_IO);
    CHECK_STR(f.text, "the helpdesk's index file cannot be fetched: status 404");
    key_server_say(&r.server, 302, "");
    CHECK_INT(reload(&r, false, &f), E_IO);
    key_server_say(&r.server, 200, "nonsense");
    CHECK_INT(reload(&r, false, &f), E_REFUSED);
    open_helpdesk(&r, r.url, 10);
    key_server_say(&r.server, 200, HEAD "{\"content\":\"first\"}\n");
    CHECK_INT(reload(&r, false, &f), E_TOO_LARGE);
    rig_fini(&r);
}

/* The copy of another address, or one that somebody has spoilt, is none. */
static void
a_copy_is_of_one_address(void **unused)
{
    static const char *const spoilt[] = {
        "", "\n", "{}\n", "no json\n" HEAD, "{\"url\":7}\n" HEAD, "{\"url\":\"x\"}\n" HEAD};
    struct rig r;
    struct fault f;
    char *other;
    unsigned hits = 1;

    (void)unused;
    rig_init(&r);
    CHECK(serves(&r, NULL, "first"));
    other = xasprintf("%s?other", r.url);
    open_helpdesk(&r, other, 1 << 20);
    key_server_say(&r.server, 200, HEAD "{\"content\":\"second\"}\n");
    CHECK(serves(&r, NULL, "second"));
    CHECK_INT(atomic_load(&r.server.hits), ++hits);
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        tree_write(r.tree, "index/helpdesk.copy", spoilt[i]);
        CHECK_INT(reload(&r, false, &f), E_OK);
        CHECK_INT(atomic_load(&r.server.hits), ++hits);
        CHECK_INT(reload(&r, false, &f), E_OK); /* It has been mended. */
        CHECK_INT(atomic_load(&r.server.hits), hits);
    }
    tree_remove(r.tree, "index");
    tree_write(r.tree, "index", "a file where the folder should be");
    CHECK_INT(reload(&r, false, &f), E_OK); /* It serves all the same. */
    CHECK(serves(&r, NULL, "second"));
    free(other);
    rig_fini(&r);
}

static void
one_object_by_its_name(void **unused)
{
    struct rig r;
    char *url;

    (void)unused;
    rig_init(&r);
    url = xasprintf("http://127.0.0.1:%u/index.json?v=1", r.server.port);
    open_helpdesk(&r, url, 1 << 20);
    key_server_say(&r.server, 200,
                   "{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1,\n"
                   "\"documents\":[{\"content\":\"object\"}]}\n");
    CHECK(serves(&r, NULL, "object"));
    free(url);
    rig_fini(&r);
}

static void
fetch_or_end(void *arg, unsigned number)
{
    struct rig *r = arg;
    struct fault f;

    if (number == 0) {
        key_server_await(&r->server);
        helpdesk_give_up(r->helpdesk);
    } else {
        reload(r, false, &f);
    }
}

static void
the_end_does_not_wait_for_it(void **unused)
{
    struct rig r;
    struct fault f;

    (void)unused;
    rig_init(&r);
    atomic_store(&r.server.hold, true);
    threads_run(2, fetch_or_end, &r); /* Returns, though nothing is answered. */
    atomic_store(&r.server.hold, false);
    key_server_release(&r.server);
    CHECK(reload(&r, false, &f) != E_OK);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_fetched_once_and_kept),
        cmocka_unit_test(an_old_copy_is_better_than_none),
        cmocka_unit_test(without_a_copy_it_fails),
        cmocka_unit_test(a_copy_is_of_one_address),
        cmocka_unit_test(one_object_by_its_name),
        cmocka_unit_test(the_end_does_not_wait_for_it),
    };
    return CHECK_RUN(tests);
}
