/* test_embed_http.c -- a provider's vectors come whole and right or not at all, in time or not at
 * all; its key is told to nobody else. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/embed_hashed.h"
#include "state/embed_http.h"
#include "tests/fake_provider.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#define SECRET "sk-a-secret"
#define DIMENSION 32u
#define LONG_NS INT64_C(60000000000)

static struct fake_provider provider;
static struct slice two[2] = {{"roll a release back", 19}, {"\xFFquota \"of\" a tenant", 20}};

static int
start(void **state)
{
    (void)state;
    fake_provider_start(&provider);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    fake_provider_stop(&provider);
    return 0;
}

static struct embedder *
make(enum embed_dialect dialect, unsigned dimension)
{
    return embed_http_create(&(struct embed_http_options){.dialect = dialect,
                                                          .url = provider.url,
                                                          .model = "minilm",
                                                          .key = SECRET,
                                                          .dimension = dimension,
                                                          .batch = 8,
                                                          .timeout_ns = LONG_NS});
}

/* Asks for 'two' and checks what must hold of any answer. */
static enum err
ask(struct embedder *e, const struct embed_limits *limits, struct fault *f)
{
    struct vectors v;
    enum err err = embedder_embed(e, two, 2, limits, &v, f);

    CHECK(!err == (v.data != NULL));
    CHECK(!err || (f->code == err && strncmp(f->text, "embeddings: ", 12) == 0));
    CHECK(!strstr(f->text, SECRET) && !strstr(f->remedy, SECRET) && !strstr(e->identity, SECRET));
    if (!err) {
        CHECK_INT(v.count, 2);
        CHECK_INT(v.dimension, DIMENSION);
        CHECK(fabs(vector_dot(v.data, v.data, v.dimension) - 1) < 1e-5);
    }
    vectors_fini(&v);
    return err;
}

static enum err
ask_once(enum embed_dialect dialect, const struct fake_trouble *trouble, struct fault *f)
{
    struct embedder *e = make(dialect, 0);
    enum err err;

    *f = (struct fault)FAULT_INIT;
    fake_provider_trouble(&provider, trouble);
    err = ask(e, NULL, f);
    embedder_unref(e);
    return err;
}

/* ---- What is asked ---- */

/* The vectors must be those of the texts, in their order. */
static void
check_vectors(struct embedder *e)
{
    struct embedder *hashed = embed_hashed_create(DIMENSION);
    struct slice texts[3] = {two[0], SLICE("an index is a cache"), SLICE("sub-agents call back")};
    struct vectors here, there;

    CHECK_INT(embedder_embed(hashed, texts, 3, NULL, &here, NULL), E_OK);
    CHECK_INT(embedder_embed(e, texts, 3, NULL, &there, NULL), E_OK);
    for (size_t i = 0; i < 3; i++) {
        CHECK(vector_dot(vectors_at(&here, i), vectors_at(&there, i), here.dimension) > 0.999);
    }
    vectors_fini(&here);
    vectors_fini(&there);
    embedder_unref(hashed);
}

static void
ollama_is_asked_as_it_wants(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0);
    struct fault f = FAULT_INIT;
    struct fake_asked asked;

    (void)state;
    CHECK_STR(e->identity, "ollama/minilm");
    CHECK_INT(e->dimension, 0);
    CHECK_INT(ask(e, NULL, &f), E_OK);
    CHECK_INT(e->dimension, 32);
    asked = fake_provider_asked(&provider);
    CHECK_STR(asked.path, "/api/embed");
    CHECK_STR(asked.key, SECRET);
    CHECK_STR(asked.body, "{\"model\":\"minilm\",\"input\":[\"roll a release back\","
                          "\"\xEF\xBF\xBDquota \\\"of\\\" a tenant\"]}");
    free(asked.body);
    check_vectors(e);
    CHECK_INT(atomic_load(&provider.connections), 1); /* Kept. */
    embedder_unref(e);
}

static void
openai_is_asked_as_it_wants(void **state)
{
    struct embedder *e = make(EMBED_OPENAI, 32);
    struct fault f = FAULT_INIT;
    struct fake_asked asked;

    (void)state;
    CHECK_STR(e->identity, "openai/minilm");
    CHECK_INT(e->dimension, 32);
    CHECK_INT(ask(e, NULL, &f), E_OK);
    asked = fake_provider_asked(&provider);
    CHECK_STR(asked.path, "/embeddings");
    CHECK_STR(asked.key, SECRET);
    CHECK(strstr(asked.body, "\"encoding_format\":\"float\"") &&
          strstr(asked.body, "\"dimensions\":32"));
    free(asked.body);
    check_vectors(e);
    embedder_unref(e);
}

static void
without_a_key_none_is_sent(void **state)
{
    char *base = xasprintf("%s/v1//", provider.url);
    struct embed_http_options options = {
        .dialect = EMBED_OPENAI, .url = base, .model = "m", .batch = 1, .timeout_ns = LONG_NS};
    struct embedder *e = embed_http_create(&options);
    struct fault f = FAULT_INIT;
    struct fake_asked asked;

    (void)state;
    CHECK_INT(ask(e, NULL, &f), E_OK);
    asked = fake_provider_asked(&provider);
    CHECK_STR(asked.key, "");
    CHECK_STR(asked.path, "/v1/embeddings");
    free(asked.body);
    embedder_unref(e);
    free(base);
}

static void
texts_go_out_in_batches(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0), *hashed = embed_hashed_create(32);
    struct slice texts[21];
    char *words[21];
    struct vectors v, w;

    (void)state;
    for (size_t i = 0; i < 21; i++) {
        words[i] = xasprintf("%s number%zu", i == 4 ? "" : "text", i);
        texts[i] = i == 4 ? SLICE(" \n") : slice_of(words[i]);
    }
    CHECK_INT(embedder_embed(e, texts, 21, NULL, &v, NULL), E_OK);
    CHECK_INT(embedder_embed(hashed, texts, 21, NULL, &w, NULL), E_OK);
    CHECK_INT(atomic_load(&provider.requests), 3);
    CHECK_INT(atomic_load(&provider.largest), 8);
    CHECK_INT(v.count, 21);
    for (size_t i = 0; i < 21; i++) {
        CHECK(i == 4 || vector_dot(vectors_at(&v, i), vectors_at(&w, i), 32) > 0.999);
        free(words[i]);
    }
    vectors_fini(&v);
    vectors_fini(&w);
    embedder_unref(e);
    embedder_unref(hashed);
}

static void
a_text_too_long_for_the_model_counts_by_its_beginning(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0);
    struct slice texts[3] = {SLICE("first"), SLICE_NONE, SLICE("last")};
    struct buf text = BUF_INIT;
    struct vectors v;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        buf_adds(&text, "caf\xC3\xA9 ");
    }
    texts[1] = buf_slice(&text);
    fake_provider_shape(&provider, DIMENSION, 500);
    CHECK_INT(embedder_embed(e, texts, 3, NULL, &v, NULL), E_OK);
    CHECK_INT(v.count, 3);
    CHECK(fabs(vector_dot(vectors_at(&v, 0), vectors_at(&v, 2), 32)) < 0.9);
    CHECK_INT(atomic_load(&provider.texts), 3);
    vectors_fini(&v);
    embedder_unref(e);
    buf_fini(&text);
}

/* ---- What goes wrong ---- */

static void
answers_that_are_wrong_are_refused(void **state)
{
    static const struct {
        const char *ollama, *openai, *says;
    } wrong[] = {
        {"", "[]", "no JSON|no vectors"},
        {"{}", "{\"data\":{}}", "no vectors"},
        {"{\"embeddings\":7}", "{\"data\":null}", "no vectors"},
        {"{\"embeddings\":[]}", "{\"data\":[]}", "0 vectors for 2"},
        {"{\"embeddings\":[[1,0]]}", "{\"data\":[{\"index\":0,\"embedding\":[1]}]}", "1 vectors"},
        {"{\"embeddings\":[[1],[1],[1]]}",
         "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]},{}]}",
         "3 vectors"},
        {"{\"embeddings\":[[1,0],[1]]}",
         "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[1]}]}",
         "different dimensions"},
        {"{\"embeddings\":[[],[]]}", "{\"data\":[{},{}]}", "0 numbers"},
        {"{\"embeddings\":[[1,null],[1,2]]}",
         "{\"data\":[{\"index\":0,\"embedding\":[1,\"2\"]},{\"index\":1,\"embedding\":[1,2]}]}",
         "no number"},
        {"{\"embeddings\":[[1,NaN],[1,2]]}", "{\"data\":[{\"embedding\":[Infinity]}]}", "no JSON"},
        {"{\"embeddings\":[[1,1e300],[1,2]]}",
         "{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[-1e39,2]}]}", "no number"},
        {"{\"embeddings\":[[1,1e999],[1,2]]}", "{\"data\":[{\"embedding\":[1e999]}]}", "no JSON"},
        {"{\"embeddings\":[{\"a\":1},{\"b\":2}]}",
         "{\"data\":[{\"index\":0,\"embedding\":\"text\"},{\"index\":1,\"embedding\":[1]}]}",
         "0 numbers"},
        {"{\"embeddings\":[[[1]],[[1]]]}",
         "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}",
         "no number|different"},
        {"{\"embeddings\":[[[[[[[[[[[1]]]]]]]]]]]}", "{\"data\":[{\"index\":\"0\"},{\"index\":9}]}",
         "no JSON|0 numbers"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (unsigned d = 0; d < 2; d++) {
            struct fake_trouble trouble = {.times = 1,
                                           .body = d ? wrong[i].openai : wrong[i].ollama};
            char *says = xstrdup(wrong[i].says), *bar = strchr(says, '|');
            struct fault f;
            enum err err = ask_once(d ? EMBED_OPENAI : EMBED_OLLAMA, &trouble, &f);

            if (bar) {
                *bar = '\0';
            }
            if (err != E_IO || !(strstr(f.text, says) || (bar && strstr(f.text, bar + 1)))) {
                fail_msg("%s: %d %s", trouble.body, err, f.text);
            }
            free(says);
        }
    }
}

static void
vectors_of_zeros_are_taken(void **state)
{
    struct vectors v;

    (void)state;
    CHECK_INT(embed_answer_read(EMBED_OPENAI,
                                SLICE("{\"data\":[{\"embedding\":[0,0]},{\"embedding\":[3,4]}]}"),
                                2, 2, &v, NULL),
              E_OK);
    CHECK(v.data[0] == 0 && v.data[1] == 0 && fabsf(v.data[3] - 0.8f) < 1e-6f);
    vectors_fini(&v);
}

static void
its_dimension_is_what_it_was(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0), *other = make(EMBED_OLLAMA, 64);
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(ask(e, NULL, &f), E_OK);
    fake_provider_shape(&provider, 48, 0);
    CHECK_INT(ask(e, NULL, &f), E_IO);
    CHECK(strstr(f.text, "48 numbers, not 32") && strstr(f.remedy, "Restart"));
    CHECK_INT(ask(other, NULL, &f), E_IO);
    fake_provider_shape(&provider, DIMENSION, 0);
    CHECK_INT(ask(e, NULL, &f), E_OK);
    embedder_unref(e);
    embedder_unref(other);
}

static void
each_status_is_told_with_what_to_do(void **state)
{
    static const struct {
        int status;
        enum err err;
        const char *says, *remedy;
    } rows[] = {
        {302, E_NOT_READY, "moved (status 302)", "embed.url"},
        {400, E_REFUSED, "such a question (status 400)", "log"},
        {401, E_NOT_READY, "does not take the key", "embed.key_file"},
        {403, E_NOT_READY, "does not take the key", "embed.key_file"},
        {404, E_NOT_READY, "does not know the model \"minilm\"", "embed.model"},
        {429, E_LIMIT, "asked too often", "later"},
        {500, E_IO, "failed (status 500)", "log"},
        {503, E_IO, "failed (status 503)", "log"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_trouble trouble = {.times = 100,
                                       .status = rows[i].status,
                                       .head = "Retry-After: 3600\r\nLocation: /elsewhere\r\n",
                                       .body = "{\"error\":\"" SECRET "\"}"};
        struct fault f;

        for (unsigned d = 0; d < 2; d++) {
            CHECK_INT(ask_once(d ? EMBED_OPENAI : EMBED_OLLAMA, &trouble, &f), rows[i].err);
            CHECK(strstr(f.text, rows[i].says) && strstr(f.remedy, rows[i].remedy));
        }
    }
}

static void
it_is_left_alone_for_as_long_as_it_asks(void **state)
{
    struct fake_trouble busy = {
        .times = 2, .status = 429, .head = "Retry-After: 0\r\n", .body = "{}"};
    struct fault f;

    (void)state;
    CHECK_INT(ask_once(EMBED_OPENAI, &busy, &f), E_OK);
    CHECK_INT(atomic_load(&provider.requests), 3);
    busy = (struct fake_trouble){
        .times = 1, .status = 503, .head = "Retry-After: 1\r\n", .body = "{}"};
    CHECK_INT(ask_once(EMBED_OPENAI, &busy, &f), E_OK);
    CHECK_INT(atomic_load(&provider.requests), 5);
}

static void
a_huge_or_broken_answer_is_given_up(void **state)
{
    struct fake_trouble huge = {.times = 1, .body = "[", .flood = 8u << 20},
                        cut = {.times = 1, .body = "{}", .cut = true},
                        none = {.times = 1, .refuses = true},
                        values = {.times = 1, .body = "{\"embeddings\":[0,"};
    struct buf many = BUF_INIT;
    struct fault f;

    (void)state;
    CHECK_INT(ask_once(EMBED_OLLAMA, &huge, &f), E_TOO_LARGE);
    CHECK_INT(ask_once(EMBED_OLLAMA, &cut, &f), E_IO);
    CHECK_INT(ask_once(EMBED_OLLAMA, &none, &f), E_IO);
    buf_adds(&many, values.body);
    for (unsigned i = 0; i < 400000; i++) {
        buf_adds(&many, "0,");
    }
    buf_adds(&many, "0]}");
    values.body = many.data;
    CHECK_INT(ask_once(EMBED_OLLAMA, &values, &f), E_IO);
    CHECK(strstr(f.text, "too much"));
    buf_fini(&many);
}

static void
who_is_not_there_is_told(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0);
    struct fault f = FAULT_INIT;

    (void)state;
    fake_provider_stop(&provider);
    CHECK_INT(ask(e, NULL, &f), E_IO);
    CHECK(strstr(f.remedy, "running"));
    fake_provider_start(&provider);
    embedder_unref(e);
}

/* ---- Time ---- */

static void
a_provider_that_hangs_is_not_waited_for(void **state)
{
    struct embedder *e = make(EMBED_OLLAMA, 0);
    struct embed_limits limits = {.deadline_ns = clock_mono(clock_real()) + 60000000};
    struct fault f = FAULT_INIT;

    (void)state;
    fake_provider_hang(&provider, true);
    CHECK_INT(ask(e, &limits, &f), E_TIMEOUT);
    CHECK(strstr(f.remedy, "embed.timeout"));
    CHECK_INT(ask(e, &limits, &f), E_TIMEOUT); /* And is not asked when it is late already. */
    fake_provider_hang(&provider, false);
    CHECK_INT(ask(e, NULL, &f), E_OK);
    embedder_unref(e);
}

struct canceller {
    _Atomic bool gone;
    int64_t when_ns;
};

static void *
cancel_when_it_hangs(void *arg)
{
    struct canceller *c = arg;

    fake_provider_await(&provider, 1);
    c->when_ns = clock_mono(clock_real());
    atomic_store(&c->gone, true);
    return NULL;
}

static void
it_is_given_up_at_once(void **state)
{
    struct embedder *e = make(EMBED_OPENAI, 0);
    struct canceller c = {.when_ns = 0};
    struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &c.gone};
    struct fault f = FAULT_INIT;
    pthread_t thread;

    (void)state;
    fake_provider_hang(&provider, true);
    CHECK_INT(pthread_create(&thread, NULL, cancel_when_it_hangs, &c), 0);
    CHECK_INT(ask(e, &limits, &f), E_CANCELLED);
    pthread_join(thread, NULL);
    print_message("given up after %.1f ms\n", (double)(clock_mono(clock_real()) - c.when_ns) / 1e6);
    CHECK_INT(ask(e, &limits, &f), E_CANCELLED);
    embedder_unref(e);
}

static void *
cancel_when_asked_to_wait(void *arg)
{
    struct canceller *c = arg;

    while (!atomic_load(&provider.requests)) {
        sched_yield();
    }
    atomic_store(&c->gone, true);
    return NULL;
}

static void
waiting_for_it_is_given_up_too(void **state)
{
    struct fake_trouble busy = {
        .times = 100, .status = 429, .head = "Retry-After: 30\r\n", .body = "{}"};
    struct embedder *e = make(EMBED_OPENAI, 0);
    struct canceller c = {.when_ns = 0};
    struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &c.gone};
    struct fault f = FAULT_INIT;
    pthread_t thread;

    (void)state;
    fake_provider_trouble(&provider, &busy);
    CHECK_INT(pthread_create(&thread, NULL, cancel_when_asked_to_wait, &c), 0);
    CHECK_INT(ask(e, &limits, &f), E_CANCELLED);
    pthread_join(thread, NULL);
    CHECK_INT(atomic_load(&provider.requests), 1);
    embedder_unref(e);
}

/* ---- Threads ---- */

struct many {
    struct embedder *embedder;
    pthread_barrier_t barrier;
    _Atomic unsigned good, bad;
};

static void *
ask_often(void *arg)
{
    struct many *m = arg;

    pthread_barrier_wait(&m->barrier);
    for (unsigned i = 0; i < 10; i++) {
        struct vectors v;
        enum err err = embedder_embed(m->embedder, two, 2, NULL, &v, NULL);

        atomic_fetch_add(err ? &m->bad : &m->good, 1);
        vectors_fini(&v);
    }
    return NULL;
}

static void
many_threads_ask_at_once(void **state)
{
    struct many m = {.embedder = make(EMBED_OLLAMA, 0)};
    struct fake_trouble some = {.times = 7, .status = 500, .body = "{}"};
    pthread_t threads[8];

    (void)state;
    fake_provider_trouble(&provider, &some);
    pthread_barrier_init(&m.barrier, NULL, 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, ask_often, &m), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&m.bad), 7);
    CHECK_INT(atomic_load(&m.good), 73);
    CHECK_INT(atomic_load(&provider.texts), 146);
    pthread_barrier_destroy(&m.barrier);
    embedder_unref(m.embedder);
}

int
main(void)
{
#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(ollama_is_asked_as_it_wants),
        WITH(openai_is_asked_as_it_wants),
        WITH(without_a_key_none_is_sent),
        WITH(texts_go_out_in_batches),
        WITH(a_text_too_long_for_the_model_counts_by_its_beginning),
        WITH(answers_that_are_wrong_are_refused),
        cmocka_unit_test(vectors_of_zeros_are_taken),
        WITH(its_dimension_is_what_it_was),
        WITH(each_status_is_told_with_what_to_do),
        WITH(it_is_left_alone_for_as_long_as_it_asks),
        WITH(a_huge_or_broken_answer_is_given_up),
        WITH(who_is_not_there_is_told),
        WITH(a_provider_that_hangs_is_not_waited_for),
        WITH(it_is_given_up_at_once),
        WITH(waiting_for_it_is_given_up_too),
        WITH(many_threads_ask_at_once),
    };
    return CHECK_RUN(tests);
}
