/* search_look.c -- one walk over the files, and what of them is new. */
#include "state/search_look.h"

#include "state/base/log.h"
#include "state/standards.h"

#include <inttypes.h>
#include <stdio.h>

LOG_MODULE("search");

#define NAME "standards"

static void
write_stamp(const struct file_identity *id, char stamp[SEARCH_STAMP_MAX])
{
    snprintf(stamp, SEARCH_STAMP_MAX, "%" PRIx64 ".%" PRIx64 ".%" PRId64 ".%" PRId64, id->device,
             id->inode, id->size, id->mtime_ns);
}

/* Reads one file into the generation, unless it is there.  Errors that end the build only. */
static enum err
look_at(const struct search_place *place, struct search_builder *b, const char *path,
        struct search_look *told, struct fault *f)
{
    struct buf text = {.limit = DOCUMENT_TEXT_MAX};
    struct file_identity identity;
    char stamp[SEARCH_STAMP_MAX];
    struct fault why = FAULT_INIT;
    enum err err = standards_identity(place->data, slice_of(path), &identity, &why);

    told->files++;
    if (!err) {
        write_stamp(&identity, stamp);
        if (search_builder_keep(b, path, stamp)) {
            return E_OK;
        }
        err = standards_read(place->data, slice_of(path), &text, &why);
        if (!err && !text.failed) {
            err = search_builder_put(b, path, stamp, buf_slice(&text), &why);
        }
    }
    buf_fini(&text);
    if (err == E_NOT_FOUND) {
        return E_OK; /* It has gone since the walk. */
    }
    if (err == E_OVERLOAD || (err == E_IO && strncmp(why.text, "the index", 9) == 0)) {
        *f = why;
        return err;
    }
    if (err) {
        search_builder_keep(b, path, NULL);
        told->skipped++;
        log_warn("a standard cannot be searched", F_STR("file", path), F_STR("why", why.text));
    }
    return E_OK;
}

enum err
search_look(const struct search_place *place, struct search_store *old, uint64_t number,
            int64_t now_ms, struct search_store **store, struct search_look *told, struct fault *f)
{
    struct search_builder *b = NULL;
    struct document_list list;
    enum err err = standards_find(place->data, &list, f);

    *store = NULL;
    *told = (struct search_look){.files = 0};
    if (err) {
        return err;
    }
    err = search_builder_begin(place->index, NAME, number, old, &b, f);
    for (size_t i = 0; i < list.count && !err; i++) {
        if (place->stop && atomic_load(place->stop)) {
            err = fault_set(f, E_CANCELLED, "the server is ending");
        } else if (place->files_max && i == place->files_max) {
            told->partial = true;
            break;
        } else {
            err = look_at(place, b, list.paths[i], told, f);
        }
    }
    if (!err) {
        err = search_builder_end(b, now_ms, store, f);
    } else if (b) {
        search_builder_abort(b);
    }
    document_list_fini(&list);
    return err;
}
