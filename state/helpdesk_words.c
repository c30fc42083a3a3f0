/* helpdesk_words.c -- a generation of search_store, in memory, whose documents are named by the
 * number of their first passage. */
#include "state/helpdesk_words.h"

#include "state/base/rune.h"
#include "state/search_find.h"

#include <inttypes.h>

#define NAME "helpdesk"

struct helpdesk_words {
    struct search_builder *builder; /* Until it is finished. */
    struct search_store *store;     /* From then on; null without documents. */
    struct synonyms *synonyms;
    bool added;
};

enum err
helpdesk_words_create(struct helpdesk_words **words, struct fault *f)
{
    struct helpdesk_words *w = xcalloc(1, sizeof *w);
    enum err err = synonyms_create(SLICE_NONE, true, &w->synonyms, f);

    err = err ? err : search_builder_begin(NULL, NAME, 1, NULL, &w->builder, f);
    if (err) {
        helpdesk_words_destroy(w);
        w = NULL;
    }
    *words = w;
    return err;
}

void
helpdesk_words_destroy(struct helpdesk_words *w)
{
    if (w) {
        if (w->builder) {
            search_builder_abort(w->builder);
        }
        search_store_unref(w->store);
        synonyms_destroy(w->synonyms);
        free(w);
    }
}

enum err
helpdesk_words_add(struct helpdesk_words *w, size_t first, const char *source, struct slice text,
                   struct fault *f)
{
    char *path = xasprintf("%zu/%s", first, source);
    enum err err = search_builder_put(w->builder, path, "", text, f);

    w->added = w->added || !err;
    free(path);
    return err;
}

enum err
helpdesk_words_finish(struct helpdesk_words *w, struct fault *f)
{
    struct search_builder *builder = w->builder;
    enum err err = E_OK;

    w->builder = NULL;
    if (w->added) {
        err = search_builder_end(builder, 0, &w->store, f);
    } else {
        search_builder_abort(builder);
    }
    return err;
}

enum err
helpdesk_words_find(struct helpdesk_words *w, struct slice query,
                    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX], size_t *count,
                    struct fault *f)
{
    struct search_ask ask = {
        .query = query, .limit = HELPDESK_WORDS_MAX, .phase = -1, .synonyms = w->synonyms};
    struct search_hits found = {.items = NULL};
    enum err err = E_OK;

    ask.query.len = rune_cut(query, SEARCH_QUERY_MAX);
    *count = 0;
    if (w->store) {
        err = search_find(w->store, &ask, &found, f);
        err = err == E_ARGUMENT ? E_OK : err; /* There is no word in it. */
    }
    for (size_t i = 0; i < found.count; i++) {
        hits[(*count)++] =
            (struct helpdesk_word_hit){.first = (size_t)strtoumax(found.items[i].path, NULL, 10),
                                       .ordinal = found.items[i].ordinal};
    }
    search_hits_fini(&found);
    return err;
}
