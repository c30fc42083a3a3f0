/* search_draft.c -- passages by their keys, and their texts. */
#include "state/search_draft.h"

#include "state/base/log.h"
#include "state/digest.h"
#include "state/search_private.h"

LOG_MODULE("search");

#define ENOUGH_OF_TEN 9u

struct by_key {
    unsigned char key[VECTOR_KEY_SIZE];
    size_t row;
};

/* ---- Passages ---- */

/* Two statements on one connection. */
struct passages {
    struct search_store *store;
    struct search_reader *reader;
    sqlite3_stmt *list, *read;
};

static void
passages_close(struct passages *p)
{
    sqlite3_finalize(p->list);
    sqlite3_finalize(p->read);
    if (p->reader) {
        search_reader_give(p->store, p->reader);
    }
}

/* '*p' must be closed in any case. */
static enum err
passages_open(struct search_store *store, struct passages *p, struct fault *f)
{
    enum err err;

    *p = (struct passages){.store = store};
    err = search_reader_take(store, &p->reader, f);
    err = err ? err
              : sql_prepare(p->reader->db,
                            "SELECT c.id, c.phase FROM chunks c JOIN files f ON f.id = c.file"
                            " ORDER BY f.path, c.ordinal",
                            &p->list, f);
    return err ? err
               : sql_prepare(p->reader->db,
                             "SELECT f.title, c.path, c.text FROM chunks c"
                             " JOIN files f ON f.id = c.file WHERE c.id = ?1",
                             &p->read, f);
}

/* Puts what the vector of a passage is made of into 'out'. */
static enum err
read_passage(const struct passages *p, int64_t chunk, struct buf *out, struct fault *f)
{
    bool row;
    enum err err;

    buf_reset(out);
    sqlite3_bind_int64(p->read, 1, chunk);
    err = sql_step(p->read, &row, f);
    if (err || !row) {
        return err ? err : fault_set(f, E_REFUSED, "the index is damaged");
    }
    buf_add_slice(out, sql_slice(p->read, 0));
    buf_addc(out, '\n');
    buf_add_slice(out, sql_slice(p->read, 1));
    buf_adds(out, "\n\n");
    buf_add_slice(out, sql_slice(p->read, 2));
    sqlite3_reset(p->read);
    return out->failed ? fault_set(f, E_OVERLOAD, "there is no memory for the passages now") : E_OK;
}

static enum err
describe(const struct passages *p, struct vector_row *r, struct buf *text, struct fault *f)
{
    unsigned char digest[DIGEST_SIZE];
    enum err err;

    r->chunk = sqlite3_column_int64(p->list, 0);
    r->phase = sqlite3_column_type(p->list, 1) == SQLITE_NULL ? -1 : sqlite3_column_int(p->list, 1);
    err = read_passage(p, r->chunk, text, f);
    if (!err && !digest_make(buf_slice(text), digest)) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for the passages now");
    }
    if (!err) {
        memcpy(r->key, digest, sizeof r->key);
    }
    return err;
}

static enum err
describe_all(const struct passages *p, struct search_vectors *v, struct fault *f)
{
    size_t count = search_vectors_info(v).count, i = 0;
    struct buf text = BUF_INIT;
    bool row = true;
    enum err err = E_OK;

    while (!err && row) {
        err = sql_step(p->list, &row, f);
        if (!err && row && i == count) {
            err = fault_set(f, E_REFUSED, "the index is damaged");
        }
        if (!err && row) {
            err = describe(p, search_vectors_rows(v) + i++, &text, f);
        }
    }
    buf_fini(&text);
    return err || i == count ? err : fault_set(f, E_REFUSED, "the index is damaged");
}

/* ---- The draft ---- */

static int
by_key(const void *a, const void *b)
{
    const struct by_key *x = a, *y = b;
    int order = memcmp(x->key, y->key, sizeof x->key);

    return order ? order : (x->row > y->row) - (x->row < y->row);
}

enum err
draft_make(struct search_store *store, unsigned dimension, struct draft *d, struct fault *f)
{
    const struct search_store_info *info = search_store_info(store);
    size_t count = (size_t)info->passages;
    struct passages p = {.list = NULL};
    enum err err;

    *d = (struct draft){.store = search_store_ref(store)};
    err = search_vectors_make(info->generation, dimension, count, &d->vectors, f);
    err = err ? err : passages_open(store, &p, f);
    err = err ? err : describe_all(&p, d->vectors, f);
    passages_close(&p);
    if (!err) {
        d->index = try_malloc((count + 1) * sizeof *d->index);
        err = d->index ? E_OK : fault_set(f, E_OVERLOAD, "there is no memory for vectors now");
    }
    for (size_t i = 0; i < count && !err; i++) {
        memcpy(d->index[i].key, search_vectors_row(d->vectors, i)->key, VECTOR_KEY_SIZE);
        d->index[i].row = i;
    }
    if (!err) {
        qsort(d->index, count, sizeof *d->index, by_key);
    }
    return err;
}

void
draft_free(struct draft *d)
{
    search_store_unref(d->store);
    search_vectors_unref(d->vectors);
    free(d->index);
    *d = (struct draft){.store = NULL};
}

bool
draft_is_whole(const struct draft *d)
{
    struct search_vectors_info info = search_vectors_info(d->vectors);

    return info.there == info.count;
}

bool
draft_is_enough(const struct draft *d)
{
    struct search_vectors_info info = search_vectors_info(d->vectors);

    return info.there && info.there >= info.count / 10 * ENOUGH_OF_TEN + info.count % 10;
}

bool
draft_give(void *draft, const unsigned char key[VECTOR_KEY_SIZE], struct vector_bytes bytes)
{
    struct draft *d = draft;
    size_t count = search_vectors_info(d->vectors).count, low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(d->index[middle].key, key, VECTOR_KEY_SIZE) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < count && memcmp(d->index[low].key, key, VECTOR_KEY_SIZE) == 0; low++) {
        if (!search_vectors_row(d->vectors, d->index[low].row)->there) {
            search_vectors_put_bytes(d->vectors, d->index[low].row, bytes);
        }
    }
    return true;
}

enum err
draft_shape(struct draft *d, unsigned dimension, struct fault *f)
{
    struct search_vectors_info info = search_vectors_info(d->vectors);
    struct search_vectors *v = NULL;
    enum err err;

    if (info.dimension == dimension) {
        return E_OK;
    }
    if (!info.dimension) {
        return search_vectors_shape(d->vectors, dimension, f);
    }
    log_warn("vectors of another model are thrown away", F_UINT("dimension", info.dimension),
             F_UINT("now", dimension));
    err = search_vectors_make(info.generation, dimension, info.count, &v, f);
    if (!err) {
        for (size_t i = 0; i < info.count; i++) {
            search_vectors_rows(v)[i] = *search_vectors_row(d->vectors, i);
            search_vectors_rows(v)[i].there = false;
        }
        search_vectors_unref(d->vectors);
        d->vectors = v;
        d->next = 0;
    }
    return err;
}

/* ---- What is to be done ---- */

enum err
draft_next(struct draft *d, size_t max, struct draft_batch *b, struct fault *f)
{
    size_t count = search_vectors_info(d->vectors).count;
    struct passages p;
    enum err err = passages_open(d->store, &p, f);

    *b = (struct draft_batch){.rows = xcalloc(max, sizeof *b->rows),
                              .texts = xcalloc(max, sizeof *b->texts),
                              .slices = xcalloc(max, sizeof *b->slices)};
    while (d->next < count && search_vectors_row(d->vectors, d->next)->there) {
        d->next++;
    }
    for (size_t i = d->next; i < count && b->count < max && !err; i++) {
        const struct vector_row *row = search_vectors_row(d->vectors, i);
        struct buf *text = &b->texts[b->count];

        if (!row->there) {
            b->rows[b->count++] = i;
            err = read_passage(&p, row->chunk, text, f);
            b->slices[b->count - 1] = buf_slice(text);
        }
    }
    passages_close(&p);
    return err;
}

void
draft_batch_fini(struct draft_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        buf_fini(&b->texts[i]);
    }
    free(b->rows);
    free(b->texts);
    free(b->slices);
}
