/* test_embed.c -- vectors have length 1 and are the same always, whatever the text is made of; what
 * is alike lies near. */
#include "tests/check.h"

#include "state/base/random.h"
#include "state/embed_hashed.h"
#include "tests/hostile.h"

#include <math.h>
#include <pthread.h>

static struct embedder *embedder;

static int
start(void **state)
{
    (void)state;
    embedder = embed_hashed_create(EMBED_HASHED_DIMENSION);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    embedder_unref(embedder);
    return 0;
}

static struct vectors
embed(const struct slice *texts, size_t count)
{
    struct vectors v;

    CHECK_INT(embedder_embed(embedder, texts, count, NULL, &v, NULL), E_OK);
    CHECK_INT(v.count, count);
    CHECK_INT(v.dimension, EMBED_HASHED_DIMENSION);
    return v;
}

static double
cosine(const char *a, const char *b)
{
    struct slice texts[2] = {slice_of(a), slice_of(b)};
    struct vectors v = embed(texts, 2);
    double dot = vector_dot(vectors_at(&v, 0), vectors_at(&v, 1), v.dimension);

    vectors_fini(&v);
    return dot;
}

/* Makes the vector twice: alone, and after another text. */
static void
check_text(struct slice text)
{
    struct slice texts[2] = {SLICE("something else came before"), text};
    struct vectors one = embed(&text, 1), two = embed(texts, 2);
    double length = sqrt(vector_dot(one.data, one.data, one.dimension));

    if (length != 0 && fabs(length - 1) > 1e-5) {
        fail_msg("a vector of length %f", length);
    }
    CHECK(memcmp(one.data, vectors_at(&two, 1), one.dimension * sizeof(float)) == 0);
    vectors_fini(&one);
    vectors_fini(&two);
}

static void
check_hostile(const struct hostile_case *c, void *arg)
{
    (void)arg;
    check_text(c->bytes);
}

static void
whatever_the_text_its_vector_has_length_1(void **state)
{
    char bytes[3000];

    (void)state;
    CHECK(hostile_lines("own/utf8.jsonl", check_hostile, NULL) > 0);
    CHECK(hostile_files("utf8", check_hostile, NULL) > 0);
    for (unsigned i = 0; i < 300; i++) {
        CHECK(random_bytes(bytes, sizeof bytes));
        for (size_t j = 0; i % 2 && j < sizeof bytes; j++) {
            bytes[j] = "abcdefgh  \xC3\xA9\xD0\x96-"[(unsigned char)bytes[j] % 15];
        }
        check_text((struct slice){bytes, 10u * i});
    }
}

static void
a_text_with_nothing_in_it_has_no_direction(void **state)
{
    static const char *const texts[] = {"", " \t\n", "--- *** !!!", "\xFF\xFE", "\xE2\x80\x94"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice text = slice_of(texts[i]);
        struct vectors v = embed(&text, 1);

        for (unsigned j = 0; j < v.dimension; j++) {
            CHECK(v.data[j] == 0);
        }
        vectors_fini(&v);
    }
}

static void
texts_that_are_alike_are_near(void **state)
{
    const char *text = "How do I roll a release back after a failed deployment?";
    double same = cosine(text, text), shout, typo, stem, other;

    (void)state;
    shout = cosine(text, "HOW DO I ROLL A RELEASE BACK AFTER A FAILED DEPLOYMENT");
    typo = cosine(text, "How do I rol a relaese back after a failed deploiment?");
    stem = cosine(text, "rolling back releases when deployments fail");
    other = cosine(text, "The kitchen closes at nine, drinks are served until midnight.");
    CHECK(fabs(same - 1) < 1e-5);
    CHECK(fabs(shout - 1) < 1e-5);
    CHECK(typo > 0.5 && typo < shout);
    CHECK(stem > 0.2);
    CHECK(fabs(other) < 0.15);
    CHECK(cosine("\xC3\x89T\xC3\x89", "\xC3\xA9t\xC3\xA9") > 0.999);
    CHECK(fabs(cosine("\xD0\xBC\xD0\xB8\xD1\x80", "\xE4\xB8\x96\xE7\x95\x8C")) < 0.4);
    CHECK(cosine("a", "b") < 0.99);
}

static void
no_text_is_worth_more_for_being_long(void **state)
{
    struct buf once = BUF_INIT, often = BUF_INIT, longer = BUF_INIT;

    (void)state;
    buf_adds(&once, "quota tenant release gateway");
    for (unsigned i = 0; i < 500; i++) {
        buf_adds(&often, "quota tenant release gateway ");
    }
    CHECK(cosine(once.data, often.data) > 0.999);
    while (longer.len <= EMBED_TEXT_MAX) { /* What is behind the bound does not count. */
        buf_addf(&longer, "word%zu ", longer.len);
    }
    longer.data[EMBED_TEXT_MAX] = '\0';
    buf_reset(&often);
    buf_adds(&often, longer.data);
    buf_adds(&longer, "");
    buf_adds(&often, " and much more that nobody looks at");
    CHECK(cosine(longer.data, often.data) > 0.999);
    buf_fini(&once);
    buf_fini(&often);
    buf_fini(&longer);
}

static void
dimensions_are_a_parameter(void **state)
{
    static const unsigned dimensions[] = {8, 100, 256, EMBED_DIMENSION_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        struct embedder *e = embed_hashed_create(dimensions[i]);
        struct slice text = SLICE("an index is a cache");
        struct vectors v;

        CHECK_INT(embedder_embed(e, &text, 1, NULL, &v, NULL), E_OK);
        CHECK_INT(v.dimension, dimensions[i]);
        CHECK(fabs(vector_dot(v.data, v.data, v.dimension) - 1) < 1e-5);
        CHECK_STR(e->identity, embedder->identity);
        vectors_fini(&v);
        embedder_unref(e);
    }
}

static void
it_is_given_up_when_told_to(void **state)
{
    _Atomic bool gone = true;
    struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &gone};
    struct slice text = SLICE("text");
    struct fault f = FAULT_INIT;
    struct vectors v;

    (void)state;
    CHECK_INT(embedder_embed(embedder, &text, 1, &limits, &v, &f), E_CANCELLED);
    CHECK(!v.data && !v.count && f.text[0]);
    CHECK_INT(embedder_embed(embedder, &text, 0, &limits, &v, &f), E_OK);
    CHECK(!v.data && !v.count);
    embedder_unref(NULL);
}

static void
room_for_vectors_is_bounded(void **state)
{
    struct vectors v;
    float zero[3] = {0}, odd[3] = {INFINITY, 0, 0}, none[3] = {NAN, 1, 1}, far[3] = {1e38f, 1e38f};

    (void)state;
    CHECK_INT(vectors_make(&v, 1, EMBED_DIMENSION_MAX + 1, NULL), E_OVERLOAD);
    CHECK_INT(vectors_make(&v, 1, 0, NULL), E_OVERLOAD);
    CHECK_INT(vectors_make(&v, SIZE_MAX / 2, 8, NULL), E_OVERLOAD);
    CHECK(!v.data && !v.count);
    CHECK(!vector_normalize(zero, 3));
    CHECK(!vector_normalize(odd, 3));
    CHECK(!vector_normalize(none, 3));
    CHECK(vector_normalize(far, 3) && fabsf(far[0] - far[1]) < 1e-6f && far[0] < 0.8f);
}

/* The vector of a sentence, so that a change of what "hashed/1" means cannot go unseen: vectors of
 * it are kept on disk. */
static void
its_identity_stands_for_these_numbers(void **state)
{
    struct slice text = SLICE("tandem serves an IDE and its sub-agents");
    struct vectors v = embed(&text, 1);
    double sum = 0;

    (void)state;
    for (unsigned i = 0; i < v.dimension; i++) {
        sum += (i + 1) * (double)v.data[i];
    }
    CHECK_STR(embedder->identity, "hashed/1");
    CHECK(fabs(sum + 92.2924) < 0.01);
    vectors_fini(&v);
}

static void *
embed_often(void *arg)
{
    _Atomic unsigned *wrong = arg;
    struct slice text = SLICE("one embedder, many threads");
    struct vectors first = {.data = NULL};

    for (unsigned i = 0; i < 50; i++) {
        struct embedder *e = embedder_ref(embedder);
        struct vectors v;

        if (embedder_embed(e, &text, 1, NULL, &v, NULL) != E_OK ||
            (first.data && memcmp(first.data, v.data, v.dimension * sizeof(float)) != 0)) {
            atomic_fetch_add(wrong, 1);
        }
        vectors_fini(&first);
        first = v;
        embedder_unref(e);
    }
    vectors_fini(&first);
    return NULL;
}

static void
many_threads_share_it(void **state)
{
    _Atomic unsigned wrong = 0;
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, embed_often, &wrong), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&wrong), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_the_text_its_vector_has_length_1, start, stop),
        cmocka_unit_test_setup_teardown(a_text_with_nothing_in_it_has_no_direction, start, stop),
        cmocka_unit_test_setup_teardown(texts_that_are_alike_are_near, start, stop),
        cmocka_unit_test_setup_teardown(no_text_is_worth_more_for_being_long, start, stop),
        cmocka_unit_test_setup_teardown(dimensions_are_a_parameter, start, stop),
        cmocka_unit_test_setup_teardown(it_is_given_up_when_told_to, start, stop),
        cmocka_unit_test_setup_teardown(room_for_vectors_is_bounded, start, stop),
        cmocka_unit_test_setup_teardown(its_identity_stands_for_these_numbers, start, stop),
        cmocka_unit_test_setup_teardown(many_threads_share_it, start, stop),
    };
    return CHECK_RUN(tests);
}
