/* test_content.c -- blocks of content: each revision gets those it knows, and their bytes are
 * right.
 */
#include "tests/check.h"

#include "handlers/content.h"

#define TEXT "{\"type\":\"text\",\"text\":\"a\\n\\\"b\\\"\"}"
#define IMAGE "{\"type\":\"image\",\"data\":\"AAAA\",\"mimeType\":\"image/png\"}"
#define AUDIO "{\"type\":\"audio\",\"data\":\"BBBB\",\"mimeType\":\"audio/wav\"}"
#define AUDIO_AS_RESOURCE                                                               \
    "{\"type\":\"resource\",\"resource\":{\"uri\":\"tandem://content/2\",\"mimeType\":" \
    "\"audio/wav\",\"blob\":\"BBBB\"}}"
#define RESOURCE                                                                             \
    "{\"type\":\"resource\",\"resource\":{\"uri\":\"test://c\",\"mimeType\":\"text/plain\"," \
    "\"text\":\"C\"}}"

/* A request whose result has a member already. */
static void
set_up(struct request *req, enum dialect dialect, enum revision revision)
{
    memset(req, 0, sizeof *req);
    req->dialect = dialect;
    req->revision = revision;
    buf_adds(&req->out, "{\"result\":{");
    req->result_start = req->out.len;
    request_add_raw(req, "first", SLICE("1"));
}

static void
add_all(struct content *c)
{
    content_text(c, SLICE("a\n\"b\""));
    content_image(c, "AAAA", "image/png");
    content_audio(c, "BBBB", "audio/wav");
    content_resource(c, "test://c", "text/plain", "C");
}

static void
expect(enum dialect dialect, enum revision revision, const char *want)
{
    struct content content;
    struct request req;

    set_up(&req, dialect, revision);
    content_init(&content, &req);
    add_all(&content);
    content_end(&content);
    assert_string_equal(req.out.data + req.result_start, want);
    buf_fini(&req.out);
}

static void
older_clients_get_what_they_know(void **unused)
{
    (void)unused;
    expect(DIALECT_RPC, REVISION_2024_11_05,
           "\"first\":1,\"content\":[" TEXT "," IMAGE "," AUDIO_AS_RESOURCE "," RESOURCE "]");
}

static void
newer_clients_get_all(void **unused)
{
    static const char all[] = "\"first\":1,\"content\":[" TEXT "," IMAGE "," AUDIO "," RESOURCE "]";

    (void)unused;
    expect(DIALECT_RPC, REVISION_2025_03_26, all);
    expect(DIALECT_RPC, REVISION_2025_11_25, all);
    expect(DIALECT_RPC, REVISION_2026_07_28, all);
    expect(DIALECT_REST, REVISION_NONE, all);
}

static void
nothing_is_an_empty_list(void **unused)
{
    struct content content;
    struct request req;

    (void)unused;
    set_up(&req, DIALECT_RPC, REVISION_2026_07_28);
    content_init(&content, &req);
    content_end(&content);
    assert_string_equal(req.out.data + req.result_start, "\"first\":1,\"content\":[]");
    buf_fini(&req.out);
}

static void
what_is_dropped_leaves_no_trace(void **unused)
{
    struct content content;
    struct request req;

    (void)unused;
    set_up(&req, DIALECT_RPC, REVISION_2026_07_28);
    content_init(&content, &req);
    content_drop(&content); /* There is nothing yet. */
    assert_string_equal(req.out.data + req.result_start, "\"first\":1");
    add_all(&content);
    content_drop(&content);
    assert_string_equal(req.out.data + req.result_start, "\"first\":1");
    content_told(&content, xstrdup("again"));
    content_end(&content);
    assert_string_equal(req.out.data + req.result_start,
                        "\"first\":1,\"content\":[{\"type\":\"text\",\"text\":\"again\"}]");
    buf_fini(&req.out);
}

static void
a_text_without_memory_fails_the_answer(void **unused)
{
    struct content content;
    struct request req;

    (void)unused;
    set_up(&req, DIALECT_RPC, REVISION_2026_07_28);
    content_init(&content, &req);
    content_told(&content, NULL);
    CHECK(req.out.failed);
    buf_fini(&req.out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_clients_get_what_they_know),
        cmocka_unit_test(newer_clients_get_all),
        cmocka_unit_test(nothing_is_an_empty_list),
        cmocka_unit_test(what_is_dropped_leaves_no_trace),
        cmocka_unit_test(a_text_without_memory_fails_the_answer),
    };

    return CHECK_RUN(tests);
}
