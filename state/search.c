/* search.c -- the search as a whole: its thread begins and ends, is told of changes, and tells how
 * it is.
 *
 * DESIGN.  A change only raises a number.  The thread notes the number, looks at all files, and
 * builds; if the number has risen meanwhile it does so again.  So no change is lost, however it
 * falls, and any number of changes during a build cost one build more. */
#include "state/search.h"

#include "state/base/thread.h"
#include "state/search_life.h"

#define ANSWERS_KEPT 256

void
search_stir(struct search *s)
{
    LOCK(SEARCH, &s->lock);
    s->wanted++;
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
}

bool
search_settle(struct search *s, int64_t deadline_ns)
{
    uint64_t wanted;
    bool in_time = true;

    LOCK(SEARCH, &s->lock);
    wanted = s->wanted;
    while (s->seen < wanted && in_time) {
        in_time = cond_wait(&s->settled, &s->lock, deadline_ns);
    }
    in_time = s->seen >= wanted;
    UNLOCK(SEARCH, &s->lock);
    return in_time;
}

/* Called by the thread that makes vectors. */
static void
vectors_ready(void *search)
{
    struct search *s = search;

    LOCK(SEARCH, &s->lock);
    s->offered = true;
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
}

UNSHARED struct search *
search_create(const struct search_options *options)
{
    struct search *s = xcalloc(1, sizeof *s);

    s->options = *options;
    s->options.standards = dir_place_ref(&options->standards);
    s->options.index = dir_place_ref(&options->index);
    s->synonyms_path = xasprintf("%s/" SYNONYMS_FILE, options->standards.path);
    s->again_ns = INT64_MAX;
    s->answers = slots_create(&search_answers_class, s, ANSWERS_KEPT);
    lock_init(&s->lock, RANK_SEARCH);
    cond_init(&s->wake);
    cond_init(&s->settled);
    if (options->embedder) {
        embedder_ref(options->embedder);
        s->embed = search_embed_create(options->embedder, vectors_ready, s);
    }
    return s;
}

enum err
search_prepare(struct search *s, struct fault *f)
{
    if (s->embed && (search_embed_start(s->embed, f) != E_OK ||
                     embed_queries_create(s->options.embedder, &s->queries, f) != E_OK)) {
        return E_IO;
    }
    s->prepared = true;
    search_stir(s);
    return E_OK;
}

enum err
search_start(struct search *s, struct fault *f)
{
    s->started = thread_start(&s->thread, "search", search_run_thread, s) == 0;
    return s->started ? E_OK : fault_set(f, E_IO, "there can be no thread for the search");
}

UNSHARED void
search_destroy(struct search *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    LOCK(SEARCH, &s->lock);
    cond_signal(&s->wake);
    UNLOCK(SEARCH, &s->lock);
    if (s->started) {
        pthread_join(s->thread, NULL);
    }
    search_embed_destroy(s->embed);
    embed_queries_destroy(s->queries);
    embedder_unref(s->options.embedder);
    slots_destroy(s->answers);
    edition_unref(s->current);
    editions_free(s->gone);
    dir_unref(s->index);
    search_look_fini(&s->told);
    dir_place_unref(&s->options.standards);
    dir_place_unref(&s->options.index);
    free(s->synonyms_path);
    cond_fini(&s->wake);
    cond_fini(&s->settled);
    lock_fini(&s->lock);
    free(s);
}

void
search_status(struct search *s, struct search_status *status)
{
    *status = (struct search_status){.ready = false};
    LOCK(SEARCH, &s->lock);
    if (s->current) {
        status->index = *search_store_info(s->current->store);
        status->ready = true;
    }
    status->stale = s->seen != s->wanted || s->trouble[0];
    status->skipped = s->skipped;
    status->builds = s->builds;
    status->failures = s->failures;
    memcpy(status->trouble, s->trouble, sizeof status->trouble);
    UNLOCK(SEARCH, &s->lock);
    status->embeds = s->embed != NULL;
    if (s->embed) {
        search_embed_status(s->embed, &status->vectors);
    }
}

struct slots_counters
search_counters(struct search *s)
{
    return slots_counters(s->answers);
}

struct slots_counters
search_query_counters(struct search *s)
{
    return s->queries ? embed_queries_counters(s->queries) : (struct slots_counters){.hits = 0};
}
