/* search_look.c -- one walk over the files, and what of them is new. */
#include "state/search_look.h"

#include "state/standards.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME "standards"

void
search_look_fini(struct search_look *told)
{
    problems_fini(&told->problems);
    *told = (struct search_look)SEARCH_LOOK_INIT;
}

static void
skip(struct search_look *told, const char *path, const struct fault *why)
{
    told->skipped++;
    problems_add(&told->problems, PROBLEM_ERROR, path, 0, 0, "%s", why->text);
}

static void
write_stamp(const struct file_identity *id, char stamp[SEARCH_STAMP_MAX])
{
    snprintf(stamp, SEARCH_STAMP_MAX, "%" PRIx64 ".%" PRIx64 ".%" PRId64 ".%" PRId64, id->device,
             id->inode, id->size, id->mtime_ns);
}

/* Reads one file into 'text', unless the generation has it as it is, then '*known'.  Errors of the
 * file. */
static enum err
read_file(const struct search_place *place, struct search_builder *b, const char *path,
          char stamp[SEARCH_STAMP_MAX], struct buf *text, bool *known, struct fault *f)
{
    struct file_identity identity;
    enum err err = standards_identity(place->standards, slice_of(path), &identity, f);

    *known = false;
    if (err) {
        return err;
    }
    write_stamp(&identity, stamp);
    *known = search_builder_keep(b, path, stamp);
    return *known ? E_OK : standards_read(place->standards, slice_of(path), text, f);
}

/* Sees to it that the generation has one file.  Errors of the index. */
static enum err
look_at(const struct search_place *place, struct search_builder *b, const char *path,
        struct search_look *told, struct fault *f)
{
    struct buf text = {.limit = DOCUMENT_TEXT_MAX};
    char stamp[SEARCH_STAMP_MAX];
    struct fault why = FAULT_INIT;
    bool known;
    enum err err = read_file(place, b, path, stamp, &text, &known, &why);

    told->files++;
    if (!err && !known) {
        err = text.failed ? fault_set(&why, E_OVERLOAD, "there is no memory for the index now")
                          : search_builder_put(b, path, stamp, buf_slice(&text), &why);
        if (err && err != E_TOO_LARGE) {
            buf_fini(&text);
            *f = why;
            return err;
        }
    }
    buf_fini(&text);
    if (err && err != E_NOT_FOUND) { /* It may have gone since the walk. */
        search_builder_keep(b, path, NULL);
        skip(told, path, &why);
    }
    return E_OK;
}

/* What was in folders that cannot be listed now stays. */
static void
skip_folders(struct search_builder *b, const struct document_list *list, struct search_look *told)
{
    for (size_t i = 0; i < list->unread_count; i++) {
        struct fault why = FAULT_INIT;

        fault_set(&why, E_IO, "the folder cannot be read");
        search_builder_keep_below(b, list->unread[i]);
        skip(told, list->unread[i], &why);
    }
}

static enum err
look_at_all(const struct search_place *place, struct search_builder *b,
            const struct document_list *list, struct search_look *told, struct fault *f)
{
    enum err err = E_OK;

    skip_folders(b, list, told);
    for (size_t i = 0; i < list->count && !err && !told->partial; i++) {
        if (place->stop && atomic_load(place->stop)) {
            err = fault_set(f, E_CANCELLED, "the server is ending");
        } else if (place->files_max && i == place->files_max) {
            told->partial = true;
        } else {
            err = look_at(place, b, list->paths[i], told, f);
        }
    }
    return err;
}

enum err
search_look(const struct search_place *place, struct search_store *old, uint64_t number,
            struct search_store **store, struct search_look *told, struct fault *f)
{
    struct search_builder *b = NULL;
    struct document_list list;
    enum err err;

    *store = NULL;
    *told = (struct search_look)SEARCH_LOOK_INIT;
    err = standards_find(place->standards, &list, f);
    if (err) {
        return err;
    }
    err = search_builder_begin(place->index, NAME, number, old, &b, f);
    if (!err) {
        search_builder_heed(b, place->stop);
        err = look_at_all(place, b, &list, told, f);
    }
    if (!err) {
        err = search_builder_end(b, clock_wall(place->clock) / 1000000, store, f);
    } else if (b) {
        search_builder_abort(b);
    }
    document_list_fini(&list);
    return err;
}
