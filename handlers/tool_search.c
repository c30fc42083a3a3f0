/* tool_search.c -- search_standards: what the project's standards say about something. */
#include "handlers/dispatch_private.h"
#include "handlers/json_slice.h"
#include "handlers/tools_at_hand.h"
#include "state/base/json_put.h"
#include "state/search.h"
#include "state/search_chunk.h"
#include "state/state.h"
#include "state/uri.h"

#include <limits.h>
#include <math.h>

#define RESULTS_DEFAULT 5
#define TOOK "query_time_ms" /* The one member that differs when the same is asked again. */
#define SCORE_DECIMALS 6     /* Those of fused places lie close to each other. */

/* The tags of a question, in the form in which they are kept. */
static enum err
read_tags(const json_t *args, struct tag_list *tags, struct fault *f)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(args, "filter_tags"), i, item) {
        char tag[SEARCH_TAG_BYTES_MAX + 1];
        struct slice text = {json_string_value(item), json_string_length(item)};

        if (tags->count == SEARCH_TAGS_MAX || !search_tag(text, tag)) {
            fault_set(f, E_ARGUMENT, "filter_tags[%zu] is no tag", i);
            return fault_remedy(f, "a tag is a word or some joined by '-', as \"testing\"");
        }
        tags->items[tags->count++] = xstrdup(tag);
    }
    return E_OK;
}

static void
put_buf(json_t *object, const char *key, struct buf *text)
{
    json_put_text(object, key, text->failed || !text->data ? "" : text->data);
    buf_fini(text);
}

/* What the score is made of. */
static json_t *
ranking_of(const struct search_hit *hit)
{
    const struct rank_score *score = &hit->score;
    json_t *ranking = json_must(json_object());

    json_put_real(ranking, "words", score->words, SCORE_DECIMALS);
    json_put_real(ranking, "forms", score->forms, SCORE_DECIMALS);
    json_put_real(ranking, "synonyms", score->synonyms, SCORE_DECIMALS);
    json_put_real(ranking, "nearness", score->nearness, SCORE_DECIMALS);
    json_put_real(ranking, "title", score->title, SCORE_DECIMALS);
    json_put_real(ranking, "document", score->document, SCORE_DECIMALS);
    json_put_real(ranking, "second", score->second, SCORE_DECIMALS);
    if (score->fused > 0) {
        json_put_real(ranking, "fused", score->fused, SCORE_DECIMALS);
    }
    if (hit->near) {
        json_put_int(ranking, "vector_place", hit->near);
    }
    return ranking;
}

/* The heading that a passage stands under: the last of those that lead to it. */
static const char *
section_of(const char *heading_path)
{
    const char *section = heading_path, *next;

    while ((next = strstr(section, CHUNK_PATH_STEP))) {
        section = next + sizeof CHUNK_PATH_STEP - 1;
    }
    return section;
}

static json_t *
result_of(const struct search_hit *hit)
{
    json_t *result = json_must(json_object());
    struct buf uri = BUF_INIT, id = BUF_INIT;

    chunk_id(hit->path, hit->ordinal, slice_of(hit->text), &id);
    buf_adds(&uri, URI_STANDARD);
    uri_add_path(&uri, slice_of(hit->path));
    json_put_text(result, "content", hit->text);
    json_put_text(result, "file", hit->path);
    json_put_text(result, "section", section_of(hit->heading));
    json_put_text(result, "heading_path", hit->heading);
    json_put_int(result, "line", hit->line);
    json_put_real(result, "relevance_score", rank_total(&hit->score), SCORE_DECIMALS);
    json_put_int(result, "tokens", chunk_tokens(strlen(hit->text)));
    put_buf(result, "uri", &uri);
    put_buf(result, "id", &id);
    if (hit->phase >= 0) {
        json_put_int(result, "phase", hit->phase);
    }
    json_put(result, "ranking", ranking_of(hit));
    return result;
}

/* What came of the vectors, where somebody makes them. */
static const char *
vectors_of(const struct search_answer *answer)
{
    static const char *const names[] = {
        [SEARCH_WITH_VECTORS] = "used",
        [SEARCH_VECTORS_UNMADE] = "unmade",
        [SEARCH_VECTOR_LATE] = "late",
        [SEARCH_VECTOR_TROUBLE] = "unavailable",
    };

    return names[answer->vectors];
}

static json_t *
answer_of(const struct search_answer *answer, int64_t took_ns)
{
    json_t *result = json_must(json_object()), *results = json_must(json_array());
    int64_t tokens = 0;

    for (size_t i = 0; i < answer->hits->count; i++) {
        json_add(results, result_of(&answer->hits->items[i]));
        tokens += chunk_tokens(strlen(answer->hits->items[i].text));
    }
    json_put(result, "results", results);
    json_put_int(result, "total_tokens", tokens);
    json_put_text(result, "retrieval_method",
                  answer->scan                             ? "scan"
                  : answer->vectors == SEARCH_WITH_VECTORS ? "index+vectors"
                                                           : "index");
    if (answer->vectors != SEARCH_NO_VECTORS) {
        json_put_text(result, "vectors", vectors_of(answer));
    }
    json_put_int(result, "index_generation", (int64_t)answer->hits->generation);
    json_put_bool(result, "stale", answer->stale);
    json_put_bool(result, "cache_hit", answer->cached);
    json_put_real(result, TOOK, (double)took_ns / 1e6, 3);
    if (answer->partial) {
        json_put_bool(result, "partial", true);
    }
    if (answer->nothing) {
        json_put_text(result, "note",
                      "there are no standards: their folder is not there, or holds no Markdown");
    }
    return result;
}

/* A link to each standard that was found, once, in the order of the results. */
static void
add_links(const json_t *result, json_t *blocks)
{
    const json_t *found = json_object_get(result, "results"), *one;
    size_t i;

    json_array_foreach(found, i, one) {
        json_t *uri = json_object_get(one, "uri"), *link;
        bool linked = false;

        for (size_t j = 0; j < json_array_size(blocks) && !linked; j++) {
            linked = json_equal(json_object_get(json_array_get(blocks, j), "uri"), uri);
        }
        if (!linked) {
            link = json_must(json_object());
            json_put_text(link, "type", "resource_link");
            json_put(link, "uri", json_incref(uri));
            json_put(link, "name", json_incref(json_object_get(one, "file")));
            json_put_text(link, "mimeType", "text/markdown");
            json_add(blocks, link);
        }
    }
}

/* What the arguments ask for; 'tags' is what it borrows.  The caller finishes them in any case. */
static enum err
read_ask(const json_t *args, struct search_ask *ask, struct tag_list *tags, struct fault *f)
{
    const json_t *query = json_object_get(args, "query");
    const json_t *phase = json_object_get(args, "filter_phase");
    const json_t *n = json_object_get(args, "n_results");

    *tags = (struct tag_list){.count = 0};
    *ask = (struct search_ask){
        .query = {json_string_value(query), json_string_length(query)},
        .limit = n ? (unsigned)json_number_value(n) : RESULTS_DEFAULT,
        .phase = phase ? (int)fmin(json_number_value(phase), INT_MAX) : -1,
        .tags = tags,
    };
    return read_tags(args, tags, f);
}

/* What is asked twice may be asked more often: its answer is kept as it is told. */
static void
keep_at_hand(const struct request *req, const struct search_answer *answer, const json_t *result)
{
    struct bytes *text;

    if (answer->cached && !answer->stale && answer->vectors == SEARCH_NO_VECTORS) {
        text = at_hand_write(req->tool, result, TOOK);
        if (text) {
            search_keep_text(answer, text);
        }
        bytes_unref(text);
    }
}

/* A question, read from the bytes of its arguments. */
struct plain_ask {
    struct search_ask ask;
    struct tag_list tags;
    char query[AT_HAND_ARGUMENTS_MAX];
};

static bool
read_plain_query(struct slice raw, void *asked)
{
    struct plain_ask *plain = asked;
    ssize_t len = json_string_into(raw, plain->query, sizeof plain->query);

    plain->ask.query = (struct slice){plain->query, len > 0 ? (size_t)len : 0};
    return len >= 0;
}

static bool
read_plain_limit(struct slice raw, void *asked)
{
    int limit = 0;
    bool plain = at_hand_number(raw, &limit);

    ((struct plain_ask *)asked)->ask.limit = (unsigned)limit;
    return plain;
}

static bool
read_plain_phase(struct slice raw, void *asked)
{
    return at_hand_number(raw, &((struct plain_ask *)asked)->ask.phase);
}

/* As read_tags() reads them. */
static bool
read_plain_tags(struct slice raw, void *asked)
{
    struct tag_list *tags = &((struct plain_ask *)asked)->tags;
    char text[SEARCH_TAG_BYTES_MAX + 1], tag[SEARCH_TAG_BYTES_MAX + 1];
    struct json_value value;
    struct json_iter it;
    bool plain = raw.len && raw.data[0] == '[' && json_iter_init(&it, raw);

    while (plain && json_iter_next(&it, NULL, &value)) {
        ssize_t len = json_string_into(value.raw, text, sizeof text);

        plain = len >= 0 && tags->count < SEARCH_TAGS_MAX &&
                search_tag((struct slice){text, (size_t)len}, tag);
        if (plain) {
            tags->items[tags->count++] = xstrdup(tag);
        }
    }
    return plain && !it.broken;
}

/* What was asked before, from the bytes of its arguments: a tree of them, checked and looked into,
 * took 2,200 of the 43,000 instructions of such a call.  Nothing is kept for arguments that break
 * the schema. */
static struct bytes *
find_at_hand(struct request *req, struct slice arguments)
{
    static const struct at_hand_argument known[] = {
        {"\"query\"", true, read_plain_query},
        {"\"n_results\"", false, read_plain_limit},
        {"\"filter_phase\"", false, read_plain_phase},
        {"\"filter_tags\"", false, read_plain_tags},
    };
    struct plain_ask plain NOT_CLEARED;
    struct bytes *text = NULL;

    plain.tags.count = 0;
    plain.ask = (struct search_ask){.limit = RESULTS_DEFAULT, .phase = -1, .tags = &plain.tags};
    if (at_hand_read(arguments, known, sizeof known / sizeof known[0], &plain)) {
        text = search_kept_text(state_search(req->state), &plain.ask);
    }
    search_tags_fini(&plain.tags);
    return text;
}

static enum err
search_standards(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct clock *clock = state_clock(req->state);
    struct search_answer answer;
    struct search_ask ask;
    struct tag_list tags;
    int64_t began = clock_mono(clock);
    enum err err = read_ask(args, &ask, &tags, f);

    err = err ? err : search_ask(state_search(req->state), &ask, &answer, f);
    if (!err) {
        *result = answer_of(&answer, clock_mono(clock) - began);
        keep_at_hand(req, &answer, *result);
        search_release(state_search(req->state), &answer);
    }
    search_tags_fini(&tags);
    return err;
}

const struct tool tool_search_standards = {
    .name = "search_standards",
    .title = "Search the standards",
    .group = "search",
    .core = true,
    .description = "Finds the passages of this project's standards that answer a question, best "
                   "first. Ask in plain words before you write code, design or tests; read a whole "
                   "standard by its 'uri'.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"query\":{\"type\":\"string\",\"description\":\"What you want to know\"},"
        "\"n_results\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50,\"default\":5},"
        "\"filter_phase\":{\"type\":\"integer\",\"minimum\":0,"
        "\"description\":\"Only passages on this phase\"},"
        "\"filter_tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":16,"
        "\"description\":\"Only passages that have all of these\"}},"
        "\"required\":[\"query\"],\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"results\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
        "\"content\":{\"type\":\"string\"},"
        "\"file\":{\"type\":\"string\"},"
        "\"section\":{\"type\":\"string\"},"
        "\"heading_path\":{\"type\":\"string\"},"
        "\"line\":{\"type\":\"integer\"},"
        "\"relevance_score\":{\"type\":\"number\",\"description\":\"More is better\"},"
        "\"ranking\":{\"type\":\"object\",\"description\":\"What makes up the score\","
        "\"additionalProperties\":{\"type\":\"number\"}},"
        "\"tokens\":{\"type\":\"integer\",\"description\":\"UTF-8 bytes / 4\"},"
        "\"uri\":{\"type\":\"string\",\"description\":\"Resource: the whole standard\"},"
        "\"id\":{\"type\":\"string\",\"description\":\"Of the passage as it is\"},"
        "\"phase\":{\"type\":\"integer\"}},"
        "\"required\":[\"content\",\"file\",\"section\",\"relevance_score\",\"tokens\",\"uri\"]}},"
        "\"total_tokens\":{\"type\":\"integer\"},"
        "\"retrieval_method\":{\"type\":\"string\","
        "\"enum\":[\"index\",\"index+vectors\",\"scan\"]},"
        "\"vectors\":{\"type\":\"string\","
        "\"enum\":[\"used\",\"unmade\",\"late\",\"unavailable\"]},"
        "\"index_generation\":{\"type\":\"integer\"},"
        "\"stale\":{\"type\":\"boolean\",\"description\":\"Files have changed since\"},"
        "\"partial\":{\"type\":\"boolean\",\"description\":\"Not all files were searched\"},"
        "\"note\":{\"type\":\"string\"},"
        "\"cache_hit\":{\"type\":\"boolean\"},"
        "\"query_time_ms\":{\"type\":\"number\"}},"
        "\"required\":[\"results\",\"total_tokens\",\"retrieval_method\",\"index_generation\","
        "\"stale\",\"cache_hit\",\"query_time_ms\"],\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .add_blocks = add_links,
    .at_hand = find_at_hand,
    .call = search_standards,
};
