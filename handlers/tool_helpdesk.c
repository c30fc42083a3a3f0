/* tool_helpdesk.c -- the helpdesk's tools: what its index says of a question, and the index' life.
 */
#include "handlers/dispatch_private.h"
#include "handlers/service_resources.h"
#include "state/base/json_put.h"
#include "state/helpdesk.h"
#include "state/helpdesk_profile.h"
#include "state/settings.h"
#include "state/state.h"
#include "state/tenants.h"

#include <math.h>

/* ---- Who asks ---- */

/* The index of the request's tenant, which has its settings pinned; null: the shared one. */
static const char *
index_of(const struct request *req)
{
    return json_string_value(
        json_object_get(tenant_section(req->customer.tenant, "helpdesk"), "index"));
}

/* The threshold of that tenant. */
static double
threshold_of(const struct request *req)
{
    const json_t *score =
        json_object_get(tenant_section(req->customer.tenant, "helpdesk"), "min_score");

    return score ? json_number_value(score)
                 : state_options(req->state)->settings->helpdesk_min_score;
}

static bool
has_stopped(void *arg)
{
    return request_stop(arg);
}

static struct helpdesk_asker
asker_of(struct request *req)
{
    return (struct helpdesk_asker){.tenant = req->tenant,
                                   .index = index_of(req),
                                   .deadline_ns = req->deadline_ns,
                                   .stopped = has_stopped,
                                   .arg = req};
}

/* Searches as 'ask' says, but for the threshold if that is less than 0: then the tenant's. */
static enum err
run_search(struct request *req, struct helpdesk_ask *ask, struct helpdesk_answer *answer,
           struct fault *f)
{
    struct helpdesk_asker asker = asker_of(req);

    ask->search.min_score = ask->search.min_score < 0 ? threshold_of(req) : ask->search.min_score;
    return helpdesk_search(state_helpdesk(req->state), &asker, ask, answer, f);
}

/* ---- Searching ---- */

/* What is not known is null. */
static json_t *
number_of(const struct helpdesk_answer *answer, double number)
{
    return answer->hits.unscored ? json_null() : json_real(number);
}

static json_t *
hit_json(const struct helpdesk_answer *answer, const struct helpdesk_hit *hit)
{
    const struct helpdesk_passage *p = &answer->index->passages[hit->number];
    json_t *json = json_must(json_object());

    json_put_text(json, "content", p->text);
    json_put_text(json, "source", p->source);
    json_put(json, "score", number_of(answer, hit->score));
    json_put(json, "cosine", number_of(answer, hit->cosine));
    json_put_int(json, "index", (int64_t)hit->number);
    json_put_bool(json, "below_threshold", hit->below);
    if (p->meta) {
        json_put(json, "meta", json_clone(p->meta));
    }
    return json;
}

/* Milliseconds, to the microsecond. */
static void
put_ms(json_t *object, const char *key, int64_t ns)
{
    json_put_real(object, key, (double)ns / 1e6, 3);
}

static enum helpdesk_profile
profile_of(const json_t *args, const char *text, const char *otherwise)
{
    const char *name = json_string_value(json_object_get(args, "profile"));

    name = name ? name : otherwise;
    return strcmp(name, "auto") == 0 ? helpdesk_classify(slice_of(text))
                                     : helpdesk_profile_find(name);
}

static unsigned
count_of(const json_t *args, const char *key, unsigned otherwise)
{
    const json_t *value = json_object_get(args, key);

    return value ? (unsigned)fmin(json_number_value(value), 1e6) : otherwise;
}

static double
share_of(const json_t *args, const char *key, double otherwise)
{
    const json_t *value = json_object_get(args, key);

    return value ? json_number_value(value) : otherwise;
}

/* How the arguments of search_helpdesk want it searched. */
static void
read_search(const json_t *args, enum helpdesk_profile profile, struct helpdesk_search *s)
{
    const json_t *mmr = json_object_get(args, "use_mmr");
    bool context = !json_is_false(json_object_get(args, "with_context"));

    helpdesk_search_init(s, profile, context, json_is_true(mmr));
    s->mmr = mmr ? json_is_true(mmr) : s->mmr;
    s->top_k = count_of(args, "top_k", s->top_k);
    s->fetch_k = count_of(args, "fetch_k", s->fetch_k);
    s->fetch_k = s->fetch_k < s->top_k ? s->top_k : s->fetch_k; /* Never fewer than are wanted. */
    s->lambda = share_of(args, "lambda_mmr", s->lambda);
    s->min_score = share_of(args, "min_score", context ? -1 : 0);
}

/* Why there is less to it than there could be. */
static void
put_degraded(json_t *result, const struct helpdesk_answer *answer)
{
    if (answer->degraded[0]) {
        json_put_text(result, "degraded", answer->degraded);
    }
}

static enum err
search_helpdesk(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *query = json_object_get(args, "query");
    struct helpdesk_ask ask = {.query = {json_string_value(query), json_string_length(query)}};
    enum helpdesk_profile profile = profile_of(args, ask.query.data, "");
    struct helpdesk_answer answer;
    json_t *hits, *timing;
    enum err err;

    read_search(args, profile, &ask.search);
    err = run_search(req, &ask, &answer, f);
    if (err) {
        return err;
    }
    *result = json_must(json_object());
    hits = json_must(json_array());
    timing = json_must(json_object());
    for (size_t i = 0; i < answer.hits.count; i++) {
        json_add(hits, hit_json(&answer, &answer.hits.items[i]));
    }
    json_put(*result, "hits", hits);
    json_put_int(*result, "total_before_filter", (int64_t)answer.hits.before);
    json_put(*result, "min_score", json_real(ask.search.min_score));
    json_put_bool(*result, "fallback", answer.hits.fallback);
    json_put_text(*result, "ranked_by",
                  answer.degraded[0] ? "words"
                  : answer.words     ? "vectors and words"
                                     : "vectors");
    put_degraded(*result, &answer);
    if (profile != PROFILE_NONE) {
        json_put_text(*result, "profile", helpdesk_profile_row(profile)->name);
    }
    json_put_int(*result, "index_generation", (int64_t)answer.index->generation);
    put_ms(timing, "wait_ms", answer.waited_ns);
    put_ms(timing, "embed_ms", answer.embed_ns);
    put_ms(timing, "search_ms", answer.find_ns);
    json_put(*result, "timing", timing);
    helpdesk_release(&answer);
    return E_OK;
}

/* ---- Asking ---- */

/* The passages as one text, each under its source. */
static char *
passages_text(const struct helpdesk_answer *answer)
{
    struct buf text = BUF_INIT;
    char *whole;

    for (size_t i = 0; i < answer->hits.count; i++) {
        const struct helpdesk_passage *p = &answer->index->passages[answer->hits.items[i].number];

        buf_addf(&text, "%s[%zu] %s\n", i ? "\n\n" : "", i + 1, p->source);
        buf_adds(&text, p->text);
    }
    whole = text.len ? buf_steal(&text) : xstrdup("");
    buf_fini(&text);
    return whole;
}

static json_t *
sources_json(const struct helpdesk_answer *answer)
{
    json_t *sources = json_must(json_array());

    for (size_t i = 0; i < answer->hits.count; i++) {
        const struct helpdesk_hit *hit = &answer->hits.items[i];
        json_t *source = json_must(json_object());

        json_put_text(source, "source", answer->index->passages[hit->number].source);
        json_put(source, "score", number_of(answer, hit->score));
        json_put_bool(source, "below_threshold", hit->below);
        json_add(sources, source);
    }
    return sources;
}

static enum err
ask_helpdesk(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *question = json_object_get(args, "question");
    struct helpdesk_ask ask = {
        .query = {json_string_value(question), json_string_length(question)}};
    enum helpdesk_profile profile = profile_of(args, ask.query.data, "auto");
    struct helpdesk_answer answer;
    json_t *timing;
    char *text;
    enum err err;

    helpdesk_search_init(&ask.search, profile, true, false);
    ask.search.min_score = -1;
    err = run_search(req, &ask, &answer, f);
    if (err) {
        return err;
    }
    text = passages_text(&answer);
    if (!text) {
        helpdesk_release(&answer);
        return fault_set(f, E_OVERLOAD, "there is no memory for this answer now");
    }
    *result = json_must(json_object());
    timing = json_must(json_object());
    json_put_text(*result, "answer", text);
    json_put(*result, "sources", sources_json(&answer));
    json_put_text(*result, "method", "passages");
    put_degraded(*result, &answer);
    json_put_text(*result, "profile", helpdesk_profile_row(profile)->name);
    json_put_int(*result, "index_generation", (int64_t)answer.index->generation);
    put_ms(timing, "search_ms", answer.waited_ns + answer.embed_ns + answer.find_ns);
    put_ms(timing, "synthesis_ms", 0);
    put_ms(timing, "total_ms", answer.waited_ns + answer.embed_ns + answer.find_ns);
    json_put(*result, "timing", timing);
    free(text);
    helpdesk_release(&answer);
    return E_OK;
}

/* ---- The index ---- */

static json_t *
status_json(struct request *req, const char *index)
{
    struct helpdesk_status s;
    char loaded[CLOCK_TEXT_SIZE];
    json_t *json = json_must(json_object());

    helpdesk_status(state_helpdesk(req->state), index, &s);
    json_put_text(json, "state", helpdesk_state_name(s.state));
    json_put_bool(json, "reloading", s.reloading);
    json_put_bool(json, "degraded", s.degraded);
    json_put_text(json, "error", s.error[0] ? s.error : NULL);
    if (s.state == HELPDESK_FAILED || s.degraded) {
        json_put_int(json, "retry_ms", s.retry_ns / 1000000);
    }
    json_put_int(json, "vector_count", (int64_t)s.vectors);
    json_put_int(json, "document_count", (int64_t)s.documents);
    json_put_int(json, "skipped", (int64_t)s.skipped);
    json_put_int(json, "dimension", s.dimension);
    json_put_text(json, "embedder", s.embedder);
    json_put_text(json, "source", index ? index : HELPDESK_SHARED);
    if (s.loaded_ns) {
        clock_format_utc(s.loaded_ns, loaded);
    }
    json_put_text(json, "loaded_at", s.loaded_ns ? loaded : NULL);
    json_put_bool(json, "stale", s.stale);
    json_put_int(json, "loads", (int64_t)s.loads);
    json_put_int(json, "load_failures", (int64_t)s.failures);
    json_put_int(json, "searches", (int64_t)s.searches);
    json_put_int(json, "generation", (int64_t)s.generation);
    return json;
}

static enum err
get_helpdesk_status(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    (void)args, (void)f;
    *result = status_json(req, index_of(req));
    return E_OK;
}

enum err
read_helpdesk_status(struct request *req, const struct slice *variables, struct buf *out,
                     struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, status_json(req, index_of(req)), out);
}

static enum err
reload_helpdesk_index(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    bool clear = json_is_true(json_object_get(args, "clear_cache"));
    struct helpdesk_asker asker = asker_of(req);
    enum err err = helpdesk_reload(state_helpdesk(req->state), &asker, clear, f);

    if (!err) {
        *result = json_must(json_object());
        json_put_bool(*result, "success", true);
        json_put(*result, "status", status_json(req, index_of(req)));
    }
    return err;
}

/* ---- The rows ---- */

#define PROFILES                                                                   \
    "\"profile\":{\"type\":\"string\",\"enum\":[\"auto\",\"listing\",\"pricing\"," \
    "\"how_to\",\"place\",\"comparison\",\"process\",\"general\"],"
#define STATUS_MEMBERS                                                                          \
    "\"type\":\"object\",\"properties\":{"                                                      \
    "\"state\":{\"type\":\"string\",\"enum\":[\"unloaded\",\"loading\",\"ready\",\"failed\"]}," \
    "\"error\":{\"type\":[\"string\",\"null\"]},"                                               \
    "\"vector_count\":{\"type\":\"integer\"},"                                                  \
    "\"document_count\":{\"type\":\"integer\"},"                                                \
    "\"dimension\":{\"type\":\"integer\"},"                                                     \
    "\"embedder\":{\"type\":\"string\"},"                                                       \
    "\"source\":{\"type\":\"string\"},"                                                         \
    "\"loaded_at\":{\"type\":[\"string\",\"null\"]},"                                           \
    "\"stale\":{\"type\":\"boolean\"},"                                                         \
    "\"loads\":{\"type\":\"integer\"},"                                                         \
    "\"generation\":{\"type\":\"integer\"}},"                                                   \
    "\"required\":[\"state\",\"vector_count\",\"document_count\",\"embedder\",\"loads\","       \
    "\"generation\"]"

const struct tool tool_ask_helpdesk = {
    .name = "ask_helpdesk",
    .title = "Ask the helpdesk",
    .group = "helpdesk",
    .description = "Answers a question from the helpdesk's documents, with sources. 'method' says "
                   "how: \"passages\" are the passages themselves, most fitting first, for you to "
                   "answer from.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"question\":{\"type\":\"string\",\"description\":\"At most 2000 "
                    "characters\"}," PROFILES "\"default\":\"auto\","
                    "\"description\":\"Kind of question; auto: told by its words\"}},"
                    "\"required\":[\"question\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"answer\":{\"type\":\"string\"},"
                     "\"sources\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
                     "\"method\":{\"type\":\"string\"},"
                     "\"profile\":{\"type\":\"string\"},"
                     "\"timing\":{\"type\":\"object\"}},"
                     "\"required\":[\"answer\",\"sources\",\"method\",\"timing\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = ask_helpdesk,
};

const struct tool tool_get_helpdesk_status = {
    .name = "get_helpdesk_status",
    .title = "Helpdesk status",
    .group = "helpdesk",
    .description = "Tells whether the helpdesk index is loaded, what it holds, which embedder made "
                   "it, and why the last load failed. Loads nothing.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{" STATUS_MEMBERS "}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = get_helpdesk_status,
};

const struct tool tool_reload_helpdesk_index = {
    .name = "reload_helpdesk_index",
    .title = "Reload the helpdesk index",
    .group = "helpdesk",
    .description = "Reads the helpdesk's documents anew and puts the new index in the place of the "
                   "old one, which stays if that fails. Searches go on meanwhile.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"clear_cache\":{\"type\":\"boolean\",\"default\":false,"
                    "\"description\":\"Take no vector over from the old index\"}},"
                    "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"success\":{\"type\":\"boolean\"},"
                     "\"status\":{" STATUS_MEMBERS "}},"
                     "\"required\":[\"success\",\"status\"]}",
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = reload_helpdesk_index,
};

const struct tool tool_search_helpdesk = {
    .name = "search_helpdesk",
    .title = "Search the helpdesk",
    .group = "helpdesk",
    .description =
        "Finds the passages of the helpdesk's documents nearest to a question. A score is "
        "1/(1+squared distance): 1 is the same text, 0.333 nothing in common, so raise min_score "
        "to 0.4 or more to filter. If fewer than 3 are over it, the first 3 come anyway, marked "
        "below_threshold. 'degraded' says why only words were compared: then no score is known.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"query\":{\"type\":\"string\",\"description\":\"At most 2000 characters\"},"
        "\"top_k\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50,"
        "\"description\":\"Default 8, or 5 without context\"},"
        "\"min_score\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
        "\"use_mmr\":{\"type\":\"boolean\",\"default\":false,"
        "\"description\":\"Prefer passages that differ from each other\"},"
        "\"lambda_mmr\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.7,"
        "\"description\":\"1: nothing but nearness, 0: nothing but diversity\"},"
        "\"fetch_k\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,"
        "\"description\":\"Candidates for use_mmr\"}," PROFILES
        "\"description\":\"Settings for a kind of question; other arguments win\"},"
        "\"with_context\":{\"type\":\"boolean\",\"default\":true,"
        "\"description\":\"false: just the nearest by score, no default threshold, no first 3, no "
        "say for words\"}},"
        "\"required\":[\"query\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"hits\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
                     "\"total_before_filter\":{\"type\":\"integer\"},"
                     "\"fallback\":{\"type\":\"boolean\"},"
                     "\"degraded\":{\"type\":\"string\"},"
                     "\"index_generation\":{\"type\":\"integer\"},"
                     "\"timing\":{\"type\":\"object\"}},"
                     "\"required\":[\"hits\",\"total_before_filter\",\"timing\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = search_helpdesk,
};
