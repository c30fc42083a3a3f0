/* test_helpdesk_file.c -- index files: what they may hold, and those that lie, break off or are
 * meant to harm. */
#include "tests/check.h"

#include "state/base/base64.h"
#include "state/embed_hashed.h"
#include "state/helpdesk_file.h"

#include <stdio.h>

#define HEAD_OF(COUNT)                                              \
    "\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":" COUNT \
    ",\"metric\":\"squared_l2\",\"dimension\":8,\"embedder\":\"hashed/1\""
#define LINES(COUNT) "{" HEAD_OF(COUNT) "}\n"
#define VECTOR "[1,0,0,0,0,0,0,0]"

static struct embedder *embedder;

static int
set_up(void **unused)
{
    (void)unused;
    embedder = embed_hashed_create(8);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    embedder_unref(embedder);
    return 0;
}

/* Reads a file into a new index; null on an error. */
static struct helpdesk_index *
read_bytes(struct slice text, bool lines, struct fault *f)
{
    struct helpdesk_index *index = helpdesk_index_create(100);
    enum err err;

    *f = (struct fault)FAULT_INIT;
    err = helpdesk_file_read(text, lines ? "index.jsonl" : "index.json", lines, embedder, index, f);
    err = err ? err : helpdesk_index_embed(index, embedder, NULL, NULL, f);
    if (err) {
        CHECK_INT(f->code, err);
        CHECK(f->text[0]);
        helpdesk_index_unref(index);
        return NULL;
    }
    return index;
}

static struct helpdesk_index *
read_text(const char *text, bool lines)
{
    struct fault f;
    struct helpdesk_index *index = read_bytes(slice_of(text), lines, &f);

    if (!index) {
        fail_msg("%s", f.text);
    }
    return index;
}

static void
both_forms_say_the_same(void **unused)
{
    static const char documents[] =
        "{\"content\":\"with a vector\",\"source\":\"a.pdf\",\"meta\":{\"page\":3},"
        "\"vector\":" VECTOR "}%s"
        "{\"content\":\"# Without\\n\\nis embedded\"}%s"
        "{\"vector\":" VECTOR ",\"content\":null}";

    (void)unused;
    for (int lines = 0; lines < 2; lines++) {
        char *body = xasprintf(documents, lines ? "\n\r\n" : ",", lines ? "\n" : ",");
        char *text = lines ? xasprintf("\n" LINES("3") "%s", body)
                           : xasprintf("{" HEAD_OF("3") ",\"documents\":[%s]}", body);
        struct helpdesk_index *index = read_text(text, lines);

        CHECK_INT(index->count, 3);
        CHECK_INT(index->documents, 2);
        CHECK_STR(index->passages[0].text, "with a vector");
        CHECK_STR(index->passages[0].source, "a.pdf");
        CHECK_INT(json_integer_value(json_object_get(index->passages[0].meta, "page")), 3);
        CHECK(index->passages[0].given && vectors_at(&index->vectors, 0)[0] == 1.0F);
        CHECK_STR(index->passages[1].source, "Knowledge Base");
        CHECK_STR(index->passages[1].heading, "Without");
        CHECK(!index->passages[1].given && index->passages[1].square > 0.99F);
        CHECK(!index->passages[2].text);
        CHECK_STR(index->embedder, "hashed/1");
        helpdesk_index_unref(index);
        free(text);
        free(body);
    }
}

static void
vectors_may_be_base64(void **unused)
{
    /* 1, -2, 0.5, 0, 0, 0, 0, 3 as little-endian floats. */
    static const char bytes[32] = "\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                  "\0\0\x40\x40";
    struct buf text = BUF_INIT;
    struct helpdesk_index *index;
    const float *vector;

    (void)unused;
    buf_adds(&text, LINES("1") "{\"content\":\"x\",\"vector\":\"");
    buf_add_base64(&text, (struct slice){bytes, sizeof bytes});
    buf_adds(&text, "\"}");
    index = read_text(text.data, true);
    vector = vectors_at(&index->vectors, 0);
    CHECK(vector[0] == 1.0F && vector[1] == -2.0F && vector[2] == 0.5F && vector[7] == 3.0F);
    CHECK(index->passages[0].square == 14.25F);
    helpdesk_index_unref(index);
    buf_fini(&text);
}

/* Without vectors nobody needs to say who made them. */
static void
a_file_without_vectors_needs_little(void **unused)
{
    struct helpdesk_index *index =
        read_text("{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1,"
                  "\"documents\":[{\"content\":\"plain\",\"vector\":null}]}",
                  false);

    (void)unused;
    CHECK_INT(index->count, 1);
    CHECK_INT(index->vectors.dimension, 8);
    helpdesk_index_unref(index);
    index = read_text("{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"documents\":[]}",
                      false);
    CHECK_INT(index->count, 0);
    helpdesk_index_unref(index);
}

struct bad {
    const char *text, *why;
};

static void
refuses_all(const struct bad *bad, size_t count, bool lines)
{
    for (size_t i = 0; i < count; i++) {
        struct fault f;
        struct helpdesk_index *index = read_bytes(slice_of(bad[i].text), lines, &f);

        if (index || !strstr(f.text, bad[i].why)) {
            fail_msg("%s: \"%s\", and not \"%s\"", bad[i].text, f.text, bad[i].why);
        }
        CHECK(strstr(f.text, lines ? "index.jsonl" : "index.json") != NULL);
    }
}

static void
heads_that_are_no_good(void **unused)
{
    static const struct bad bad[] = {
        {"", "it is empty"},
        {"\n\n", "it is empty"},
        {"null", "the line is no JSON object"},
        {"[]", "the line is no JSON object"},
        {"{}", "\"format\""},
        {"{\"format\":7}", "\"format\""},
        {"{\"format\":\"faiss\"}", "\"format\""},
        {"{\"format\":\"tandem-helpdesk\"}", "\"version\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":2,\"count\":0}", "\"version\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":\"1\",\"count\":0}", "\"version\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1}", "\"count\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":-1}", "\"count\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1.5}", "\"count\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":101}", "100 are allowed"},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":9223372036854775807}",
         "100 are allowed"},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":99999999999999999999}",
         "no JSON object"},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"metric\":\"cosine\"}",
         "\"metric\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"dimension\":0}",
         "\"dimension\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"dimension\":1e9}",
         "\"dimension\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"dimension\":4294967304}",
         "\"dimension\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"dimension\":16}",
         "have 16 numbers"},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"embedder\":7}",
         "\"embedder\""},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":0,\"embedder\":\"hashed/2\"}",
         "'hashed/2'"},
    };

    (void)unused;
    refuses_all(bad, sizeof bad / sizeof bad[0], true);
}

static void
documents_that_are_no_good(void **unused)
{
    static const struct bad bad[] = {
        {LINES("1"), "it is cut off"},
        {LINES("2") "{\"content\":\"a\"}\n", "it is cut off"},
        {LINES("1") "{\"content\":\"a\"}\n{\"content\":\"b\"}\n", "more than the 1"},
        {LINES("1") "{\"content\":\"a\"", "jsonl:2: the line is no JSON object"},
        {LINES("1") "{\"content\":\"a\"}x", "jsonl:2: the line is no JSON object"},
        {LINES("1") "[]", "jsonl:2: the line is no JSON object"},
        {LINES("1") "{}", "neither"},
        {LINES("1") "{\"content\":7}", "\"content\""},
        {LINES("1") "{\"content\":[\"a\"]}", "\"content\""},
        {LINES("1") "{\"content\":\"a\",\"content\":\"b\"}", "no JSON object"},
        {LINES("1") "{\"content\":\"a\\u0000b\"}", "no JSON object"},
        {LINES("1") "{\"content\":\"\xff\xfe\"}", "no JSON object"},
        {LINES("1") "{\"content\":\"\\ud800\"}", "no JSON object"},
        {LINES("1") "{\"content\":\"a\",\"source\":{}}", "\"source\""},
        {LINES("1") "{\"content\":\"a\",\"meta\":[]}", "\"meta\""},
        {LINES("1") "{\"content\":\"a\",\"vector\":7}", "\"vector\""},
        {LINES("1") "{\"content\":\"a\",\"vector\":{}}", "\"vector\""},
        {LINES("1") "{\"content\":\"a\",\"vector\":[]}", "has 0 numbers"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1,2,3]}", "has 3 numbers"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1,0,0,0,0,0,0,0,0]}", "has 9 numbers"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1,0,0,null,0,0,0,0]}", "number 4"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1,0,0,\"1\",0,0,0,0]}", "number 4"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1e300,0,0,0,0,0,0,0]}", "number 1"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[-1e39,0,0,0,0,0,0,0]}", "number 1"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[1e999,0,0,0,0,0,0,0]}", "no JSON object"},
        {LINES("1") "{\"content\":\"a\",\"vector\":[NaN,0,0,0,0,0,0,0]}", "no JSON object"},
        {LINES("1") "{\"content\":\"a\",\"vector\":\"\"}", "base64"},
        {LINES("1") "{\"content\":\"a\",\"vector\":\"AAAA\"}", "base64"},
        {LINES("1") "{\"content\":\"a\",\"vector\":\"?\"}", "base64"},
        /* NaN, and then zeros. */
        {LINES(
             "1") "{\"content\":\"a\",\"vector\":\"AADAfwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
         "number 1"},
        /* Infinity. */
        {LINES(
             "1") "{\"content\":\"a\",\"vector\":\"AACAfwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
         "number 1"},
        {"{\"format\":\"tandem-helpdesk\",\"version\":1,\"count\":1}\n"
         "{\"content\":\"a\",\"vector\":" VECTOR "}",
         "the head does not say"},
    };
    static const struct bad objects[] = {
        {"", "no JSON object"},
        {"[]", "no JSON object"},
        {"{" HEAD_OF("0") "}", "\"documents\""},
        {"{" HEAD_OF("0") ",\"documents\":{}}", "\"documents\""},
        {"{" HEAD_OF("1") ",\"documents\":[7]}", "(document 1)"},
        {"{" HEAD_OF("2") ",\"documents\":[{\"content\":\"a\"}]}", "cut off"},
        {"{" HEAD_OF("1") ",\"documents\":[{\"content\":\"a\"}", "no JSON object"},
    };

    (void)unused;
    refuses_all(bad, sizeof bad / sizeof bad[0], true);
    refuses_all(objects, sizeof objects / sizeof objects[0], false);
}

/* Word for word: nothing is told of documents that were not read. */
static void
what_is_told_of_a_file(void **unused)
{
    struct fault f;

    (void)unused;
    CHECK(!read_bytes(slice_of("{}"), false, &f));
    CHECK_STR(f.text, "index.json: \"format\" is not \"tandem-helpdesk\"");
    CHECK(!read_bytes(slice_of("{" HEAD_OF("1") ",\"documents\":[7]}"), false, &f));
    CHECK_STR(f.text, "index.json: a document is no object (document 1)");
    CHECK(!read_bytes(slice_of(LINES("1") "7\n"), true, &f));
    CHECK_INT(f.line, 2);
    CHECK(strncmp(f.text, "index.jsonl:2: ", 15) == 0);
}

/* Repeats 'part' behind 'start' and ends with 'end'; new. */
static char *
repeated(const char *start, const char *part, size_t times, const char *end)
{
    struct buf text = BUF_INIT;

    buf_adds(&text, start);
    for (size_t i = 0; i < times; i++) {
        buf_adds(&text, part);
    }
    buf_adds(&text, end);
    return buf_steal(&text);
}

static void
too_much_of_anything_is_refused(void **unused)
{
    static const struct {
        const char *start, *part;
        size_t times;
        const char *end;
        enum err err;
    } much[] = {
        {LINES("1") "{\"content\":\"a\",\"meta\":", "{\"a\":", 100000, "", E_REFUSED},
        {LINES("1") "{\"content\":\"a\",\"vector\":", "[", 100000, "", E_REFUSED},
        {LINES("1") "{\"content\":\"a\",\"vector\":[0", ",0", 200000, "]}", E_REFUSED},
        {LINES("1") "{\"content\":\"a\",\"meta\":{\"x\":\"", "yyyyyyyy", 4000, "\"}}", E_REFUSED},
        {LINES("1") "{\"content\":\"a\",\"source\":\"", "yyyyyyyy", 200, "\"}", E_REFUSED},
        {LINES("1") "{\"vector\":" VECTOR ",\"content\":\"", "yyyyyyyy", 9000, "\"}", E_TOO_LARGE},
        {LINES("1") "{\"content\":\"", "word word. ", 50000, "\"}", E_TOO_LARGE}, /* Passages. */
        {"", "\n", 300000, "", E_REFUSED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof much / sizeof much[0]; i++) {
        char *text = repeated(much[i].start, much[i].part, much[i].times, much[i].end);
        struct fault f;

        CHECK(!read_bytes(slice_of(text), true, &f));
        CHECK_INT(f.code, much[i].err);
        free(text);
    }
}

/* Wherever a file breaks off, it is refused or, where only white space is missing, whole. */
static void
a_file_cut_anywhere(void **unused)
{
    static const char whole[] = LINES("2") "{\"content\":\"with\",\"vector\":" VECTOR "}\n"
                                           "{\"content\":\"caf\xc3\xa9 without\"}\n";

    (void)unused;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *part = xcalloc(1, len + 1); /* So that a read behind its end is seen. */
        struct fault f;
        struct helpdesk_index *index;

        memcpy(part, whole, len);
        index = read_bytes((struct slice){part, len}, true, &f);
        CHECK(!index || len >= sizeof whole - 2);
        helpdesk_index_unref(index);
        free(part);
    }
}

/* Any byte changed to any other: read or refused, and never anything else. */
static void
a_file_with_a_wrong_byte(void **unused)
{
    static const char whole[] = LINES("1") "{\"content\":\"with\",\"vector\":" VECTOR "}\n";
    static const char others[] = "\0\n\"\\{}[],:0-9eE\x7f\x80\xff";

    (void)unused;
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        for (size_t i = 0; i < sizeof others - 1; i++) {
            char changed[sizeof whole];
            struct fault f;
            struct helpdesk_index *index;

            memcpy(changed, whole, sizeof whole);
            changed[at] = others[i];
            index = read_bytes((struct slice){changed, sizeof whole - 1}, true, &f);
            if (index) {
                CHECK(index->count == 1 && index->vectors.dimension == 8);
            }
            helpdesk_index_unref(index);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_say_the_same),
        cmocka_unit_test(vectors_may_be_base64),
        cmocka_unit_test(a_file_without_vectors_needs_little),
        cmocka_unit_test(heads_that_are_no_good),
        cmocka_unit_test(documents_that_are_no_good),
        cmocka_unit_test(what_is_told_of_a_file),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(a_file_cut_anywhere),
        cmocka_unit_test(a_file_with_a_wrong_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
