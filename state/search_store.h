/* search_store.h -- one generation of an index: documents cut into passages, in a database that
 * does not change any more.
 *
 * A builder makes a generation beside the old one, from what is new and what the old one has
 * already; whoever uses the old one goes on with it until the last lets go.  On disk a generation
 * is a file of its own, "<name>-<generation>.db", removed when nobody uses it any more and there is
 * a newer one; it is nothing but a cache.  Where there is no place for it, it lives in memory.
 *
 * A store is immutable and counted, for any thread; a builder is for one thread. */
#ifndef TANDEM_SEARCH_STORE_H
#define TANDEM_SEARCH_STORE_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/search_rank.h"

#include <stdatomic.h>

#define SEARCH_STAMP_MAX 96

struct search_store;
struct search_builder;

struct search_store_info {
    uint64_t generation; /* From 1, rising over restarts. */
    int64_t built_ms;    /* Wall clock, UTC. */
    uint64_t files, passages;
    uint64_t words;         /* Different ones. */
    uint64_t bytes;         /* Of the database. */
    double mean_length;     /* Of passages, as rank_length() gives it. */
    double document_length; /* The mean of documents. */
    bool on_disk;
};

/* Opens the newest generation of 'name' that 'dir' holds, counted, and removes what is old,
 * damaged, of another format or not to be read.  E_NOT_FOUND if there is none; E_OVERLOAD. */
enum err search_store_open(struct dir *dir, const char *name, struct search_store **store,
                           struct fault *f);
struct search_store *search_store_ref(struct search_store *store);
/* Null is ignored. */
void search_store_unref(struct search_store *store);
/* There is a newer one: its file goes when nobody uses it any more. */
void search_store_supersede(struct search_store *store);
const struct search_store_info *search_store_info(const struct search_store *store);

/* Begins the generation 'number' of 'name' with what 'old' (or null) has, in 'dir', or in memory if
 * that is null.  'name' and 'old' are borrowed until the end. */
enum err search_builder_begin(struct dir *dir, const char *name, uint64_t number,
                              struct search_store *old, struct search_builder **builder,
                              struct fault *f);
/* Of one without an old generation, before its first document: words are not stemmed, for languages
 * that are not English.  On error it can only be aborted. */
enum err search_builder_as_written(struct search_builder *b, struct fault *f);
/* From now on it gives up with E_CANCELLED, within a moment, once '*stop' (borrowed; null: never)
 * is set. */
void search_builder_heed(struct search_builder *b, const _Atomic bool *stop);
/* True if 'old' had the document 'path' with that stamp, which is then part of this generation.
 * With 'stamp' null any will do: the document cannot be read now, and what was known of it stays.
 */
bool search_builder_keep(struct search_builder *b, const char *path, const char *stamp);
/* The same for all documents below 'folder', "" for all there are. */
void search_builder_keep_below(struct search_builder *b, const char *folder);
/* Adds a document, which replaces an old one of that path.  E_TOO_LARGE for text past the bounds of
 * Markdown: then nothing has changed.  E_IO, E_OVERLOAD, E_CANCELLED, E_REFUSED (the old one is
 * damaged): then the builder can only be aborted. */
enum err search_builder_put(struct search_builder *b, const char *path, const char *stamp,
                            struct slice text, struct fault *f);
/* Takes out what was neither kept nor put.  The generation is in '*store' then, counted; null if it
 * does not differ from the old one.  Frees the builder, also on error. */
enum err search_builder_end(struct search_builder *b, int64_t now_ms, struct search_store **store,
                            struct fault *f);
/* Frees it with what it has built. */
void search_builder_abort(struct search_builder *b);

#endif
