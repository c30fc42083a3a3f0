/* search_near.c -- filters for vectors: a phase stands in their rows, tags in the index. */
#include "state/search_near.h"

#include "state/search_private.h"

/* Who may be near. */
struct filter {
    int phase;      /* -1: any. */
    bool tagged;    /* Only the following: */
    struct buf ids; /* int64_t, rising. */
};

static size_t
count_of(const struct buf *ids)
{
    return ids->len / sizeof(int64_t);
}

static bool
has_id(const struct buf *ids, int64_t id)
{
    size_t low = 0, high = count_of(ids);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t at;

        memcpy(&at, ids->data + middle * sizeof at, sizeof at);
        if (at == id) {
            return true;
        }
        if (at < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static bool
is_allowed(const void *arg, const struct vector_row *row)
{
    const struct filter *filter = arg;

    return (filter->phase < 0 || row->phase == filter->phase) &&
           (!filter->tagged || has_id(&filter->ids, row->chunk));
}

/* Leaves those passages that have 'tag' too. */
static enum err
take_tag(struct search_reader *reader, struct filter *filter, const char *tag, struct fault *f)
{
    struct buf both = BUF_INIT;
    sqlite3_stmt *ask = NULL;
    bool row = true;
    enum err err =
        sql_prepare(reader->db, "SELECT chunk FROM tags WHERE tag = ?1 ORDER BY chunk", &ask, f);

    if (!err) {
        sql_bind_text(ask, 1, slice_of(tag));
    }
    while (!err && row) {
        err = sql_step(ask, &row, f);
        if (!err && row) {
            int64_t id = sqlite3_column_int64(ask, 0);

            if (!filter->tagged || has_id(&filter->ids, id)) {
                buf_add(&both, &id, sizeof id);
            }
        }
    }
    sqlite3_finalize(ask);
    if (!err && both.failed) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for this search now");
    }
    buf_fini(&filter->ids);
    filter->ids = both;
    filter->tagged = true;
    return err;
}

static enum err
take_tags(struct search_store *store, const struct tag_list *tags, struct filter *filter,
          struct fault *f)
{
    struct search_reader *reader;
    enum err err;

    if (!tags || !tags->count) {
        return E_OK;
    }
    err = search_reader_take(store, &reader, f);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < tags->count && !err; i++) {
        err = take_tag(reader, filter, tags->items[i], f);
    }
    search_reader_give(store, reader);
    return err;
}

enum err
search_near(struct search_store *store, const struct search_vectors *vectors,
            const float *direction, const struct search_ask *ask, int64_t near[SEARCH_NEAR_MAX],
            size_t *count, struct fault *f)
{
    struct filter filter = {.phase = ask->phase};
    struct vector_near found[SEARCH_NEAR_MAX];
    enum err err = take_tags(store, ask->tags, &filter, f);

    *count = 0;
    if (!err) {
        *count =
            search_vectors_find(vectors, direction, is_allowed, &filter, found, SEARCH_NEAR_MAX);
    }
    for (size_t i = 0; i < *count; i++) {
        near[i] = found[i].chunk;
    }
    buf_fini(&filter.ids);
    return err;
}
