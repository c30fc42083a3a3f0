/* helpdesk_ask.c -- one question: checked, embedded, and answered by one generation. */
#include "state/helpdesk_private.h"

#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/base/rune.h"

#include <stdio.h>

LOG_MODULE("helpdesk");

static enum err
check_query(struct slice query, struct fault *f)
{
    uint32_t rune;
    bool blank = true;
    size_t n;

    if (!rune_valid(query)) {
        return fault_set(f, E_ARGUMENT, "the query is not UTF-8");
    }
    for (size_t at = 0; at < query.len && blank; at += n) {
        n = rune_decode(query, at, &rune);
        blank = rune_is_space(rune);
    }
    if (blank) {
        fault_set(f, E_ARGUMENT, "the query is empty");
        return fault_remedy(f, "say in a sentence what you want to know");
    }
    if (query.len > HELPDESK_QUERY_MAX && rune_count(query) > HELPDESK_QUERY_MAX) {
        fault_set(f, E_ARGUMENT, "the query has more than %u characters", HELPDESK_QUERY_MAX);
        return fault_remedy(f, "ask in one or two sentences");
    }
    return E_OK;
}

/* Numbers that are none are refused too. */
static enum err
check_search(const struct helpdesk_search *s, struct fault *f)
{
    if (s->top_k < 1 || s->top_k > HELPDESK_TOP_MAX) {
        return fault_set(f, E_ARGUMENT, "top_k is not within 1 and %u", HELPDESK_TOP_MAX);
    }
    if (s->fetch_k < s->top_k || s->fetch_k > HELPDESK_FETCH_MAX) {
        return fault_set(f, E_ARGUMENT, "fetch_k is not within top_k and %u", HELPDESK_FETCH_MAX);
    }
    if (!(s->lambda >= 0 && s->lambda <= 1)) {
        return fault_set(f, E_ARGUMENT, "lambda is not within 0 and 1");
    }
    if (!(s->min_score >= 0 && s->min_score <= 1)) {
        return fault_set(f, E_ARGUMENT, "min_score is not within 0 and 1");
    }
    return E_OK;
}

/* Embeds the question as the index was embedded. */
static enum err
embed_query(struct helpdesk *h, const struct helpdesk_asker *asker, struct slice query,
            const struct helpdesk_index *index, struct vectors *vector, struct fault *f)
{
    struct embed_limits limits = {asker->deadline_ns, {&h->stopping, asker->stopped, asker->arg}};
    enum err err = embedder_embed(h->options.place.embedder, &query, 1, &limits, vector, f);

    if (err == E_CANCELLED && clock_mono(clock_real()) >= asker->deadline_ns) {
        err = fault_set(f, E_TIMEOUT, "the question could not be embedded in time");
    }
    if (!err && vector->dimension != index->vectors.dimension) {
        err = fault_set(f, E_NOT_READY, "the embedder's vectors have changed their dimension");
        fault_remedy(f, "call reload_helpdesk_index");
    }
    if (!err && vector_dot(vector->data, vector->data, vector->dimension) <= 0) {
        err = fault_set(f, E_ARGUMENT, "the query holds no word");
        fault_remedy(f, "say in a sentence what you want to know");
    }
    if (err) {
        vectors_fini(vector);
    }
    return err;
}

/* What the words of the question find; false, and it is nothing, if that cannot be told. */
static bool
find_words(const struct helpdesk *h, const struct helpdesk_index *index, struct slice query,
           struct helpdesk_found *found)
{
    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX];
    struct fault why = FAULT_INIT;
    size_t count = 0;

    *found =
        (struct helpdesk_found){.weight = h->options.place.embedder->class->of_letters ? 8 : 1};
    if (helpdesk_words_find(index->words, query, hits, &count, &why) != E_OK) {
        log_warn_rl("the helpdesk's words cannot be searched", F_STR("why", why.text));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t number = helpdesk_index_number(index, &hits[i]), j = 0;

        while (j < found->count && found->numbers[j] != number) {
            j++;
        }
        if (j == found->count && number < index->count) {
            found->numbers[found->count++] = number;
        }
    }
    return true;
}

static void
tell_searched(struct helpdesk *h, const struct helpdesk_asker *asker,
              const struct helpdesk_answer *answer)
{
    json_t *data = json_must(json_object());

    json_put_text(data, "index", asker->index ? asker->index : HELPDESK_SHARED);
    json_put_int(data, "generation", (int64_t)answer->index->generation);
    json_put_int(data, "hits", (int64_t)answer->hits.count);
    json_put_bool(data, "fallback", answer->hits.fallback);
    json_put_bool(data, "degraded", answer->degraded[0]);
    json_put_int(data, "took_us", (answer->embed_ns + answer->find_ns) / 1000);
    helpdesk_tell(h, "helpdesk.searched", asker->tenant, data);
}

/* Whether what the embedder says is its own trouble, of which the asker is not to blame: then words
 * will do. */
static bool
is_embedders(enum err err, const struct helpdesk_asker *asker)
{
    bool in_time = clock_mono(clock_real()) < asker->deadline_ns;

    return err == E_IO || err == E_REFUSED || err == E_NOT_READY || err == E_LIMIT ||
           (err == E_TIMEOUT && in_time);
}

/* Answers by words alone, for want of a vector: 'why' says what it is wanting for. */
static bool
answer_by_words(const struct helpdesk *h, const struct helpdesk_index *index,
                const struct helpdesk_ask *ask, const char *why, struct helpdesk_answer *answer)
{
    struct helpdesk_found found;

    if (!index->words || !find_words(h, index, ask->query, &found)) {
        return false;
    }
    helpdesk_find_by_words(&found, &ask->search, &answer->hits);
    answer->words = true;
    snprintf(answer->degraded, sizeof answer->degraded, "%s", why);
    return true;
}

/* Answers out of 'index', by vectors as far as there are any. */
static enum err
answer_from(struct helpdesk *h, const struct helpdesk_asker *asker, const struct helpdesk_ask *ask,
            const struct helpdesk_index *index, struct helpdesk_answer *answer, struct fault *f)
{
    const struct clock *clock = h->options.clock;
    int64_t began = clock_mono(clock);
    struct vectors vector = {.data = NULL};
    struct helpdesk_found found = {.count = 0};
    struct fault why = FAULT_INIT;
    enum err err = E_OK;

    if (index->vectors.count) {
        err = embed_query(h, asker, ask->query, index, &vector, &why);
    }
    answer->embed_ns = clock_mono(clock) - began;
    if (index->without[0]) {
        err = answer_by_words(h, index, ask, index->without, answer) ? E_OK : E_NOT_READY;
        why = (struct fault)FAULT_INIT;
        fault_set(&why, E_NOT_READY, "%s", index->without);
    } else if (err && is_embedders(err, asker)) {
        err = answer_by_words(h, index, ask, why.text, answer) ? E_OK
              : err == E_IO || err == E_REFUSED                ? E_NOT_READY
                                                               : err;
    } else if (vector.data) {
        answer->words =
            ask->search.context && index->words && find_words(h, index, ask->query, &found);
        helpdesk_find(index, vector.data, &found, &ask->search, &answer->hits);
    }
    answer->find_ns = clock_mono(clock) - began - answer->embed_ns;
    vectors_fini(&vector);
    if (err && f) {
        *f = why;
        f->code = err;
    }
    return err;
}

enum err
helpdesk_search(struct helpdesk *h, const struct helpdesk_asker *asker,
                const struct helpdesk_ask *ask, struct helpdesk_answer *answer, struct fault *f)
{
    struct helpdesk_index *index = NULL;
    int64_t began = clock_mono(h->options.clock);
    enum err err = check_query(ask->query, f);

    *answer = (struct helpdesk_answer){.index = NULL};
    err = err ? err : check_search(&ask->search, f);
    err = err ? err : helpdesk_pin(h, asker, &index, f);
    answer->waited_ns = clock_mono(h->options.clock) - began;
    err = err ? err : answer_from(h, asker, ask, index, answer, f);
    if (err) {
        helpdesk_index_unref(index);
        return err;
    }
    answer->index = index;
    tell_searched(h, asker, answer);
    return E_OK;
}

void
helpdesk_release(struct helpdesk_answer *answer)
{
    helpdesk_index_unref((struct helpdesk_index *)(uintptr_t)answer->index);
    answer->index = NULL;
}
