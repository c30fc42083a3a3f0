/* helpdesk_load.c -- walks the folders of an index, and has its vectors made. */
#include "state/helpdesk_load.h"

#include "state/base/log.h"
#include "state/documents.h"
#include "state/helpdesk_file.h"
#include "state/tenant_id.h"

LOG_MODULE("helpdesk");

/* What one load works on. */
struct load {
    const struct helpdesk_place *place; /* Borrowed, as all here. */
    const struct embed_limits *limits;
    struct helpdesk_index *index;
    struct fault *f;
};

bool
helpdesk_name_valid(struct slice name)
{
    return tenant_id_valid(name);
}

static bool
given_up(const struct load *l)
{
    return l->limits && stop_is_set(&l->limits->stop);
}

/* Adds one document; one that is no good is left out.  Errors that end the load only. */
static enum err
add_document(struct load *l, const struct document_folder *folder, const char *path)
{
    struct buf text = {.limit = DOCUMENT_TEXT_MAX};
    struct fault why = FAULT_INIT;
    enum err err = documents_read(l->place->root, folder, slice_of(path), &text, &why);

    if (!err && text.failed) {
        err = fault_set(&why, E_OVERLOAD, "there is no memory for the helpdesk index now");
    }
    if (!err) {
        err = helpdesk_index_add_document(l->index, path, buf_slice(&text), NULL, &why);
    }
    buf_fini(&text);
    if (err == E_NOT_FOUND) {
        return E_OK; /* It has gone since the walk. */
    }
    if (err == E_OVERLOAD || (err && l->index->count == l->index->passages_max)) {
        *l->f = why;
        return err;
    }
    if (err) {
        l->index->skipped++;
        log_warn("a document cannot be searched", F_STR("file", path), F_STR("why", why.text));
    }
    return E_OK;
}

static enum err
add_documents(struct load *l, const struct document_folder *folder)
{
    struct document_list list;
    enum err err = documents_find(l->place->root, folder, &list, l->f);

    if (!err && list.unread_count) { /* Half an index would take the place of a whole one. */
        err = fault_set(l->f, E_IO, "folder '%s%s%s' cannot be read", folder->name,
                        *list.unread[0] ? "/" : "", list.unread[0]);
    }
    for (size_t i = 0; i < list.count && !err; i++) {
        err = given_up(l) ? fault_set(l->f, E_CANCELLED, "the server is ending")
                          : add_document(l, folder, list.paths[i]);
    }
    document_list_fini(&list);
    return err;
}

/* Adds what the index file 'name' in 'folder' holds, if there is one. */
static enum err
add_file(struct load *l, const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s", folder, name);
    struct buf text = {.limit = l->place->file_max};
    enum err err = dir_read(l->place->root, path, l->place->file_max, &text, NULL, l->f);

    if (err == E_NOT_FOUND) {
        err = E_OK;
    } else if (!err && text.failed) {
        err = fault_set(l->f, E_OVERLOAD, "there is no memory for the helpdesk index now");
    } else if (!err) {
        err = helpdesk_file_read(buf_slice(&text), name, strcmp(name, "index.jsonl") == 0,
                                 l->place->embedder, l->index, l->f);
    } else if (err == E_TOO_LARGE) {
        fault_remedy(l->f, "raise helpdesk.file_max");
    }
    buf_fini(&text);
    free(path);
    return err;
}

/* Adds a folder: its documents as deep as 'depth', and its index files. */
static enum err
add_folder(struct load *l, const char *folder, unsigned depth)
{
    struct document_folder documents = {folder, "document", depth};
    enum err err = add_documents(l, &documents);

    err = err ? err : add_file(l, folder, "index.jsonl");
    return err ? err : add_file(l, folder, "index.json");
}

/* Empties the index again. */
static enum err
begin_again(struct load *l)
{
    helpdesk_index_unref(l->index);
    l->index = helpdesk_index_create(l->place->passages_max);
    return l->place->words ? helpdesk_index_use_words(l->index, l->f) : E_OK;
}

static enum err
read_remote(struct load *l, struct slice text)
{
    struct helpdesk_remote *remote = l->place->remote;

    return helpdesk_file_read(text, "helpdesk.url", helpdesk_remote_is_lines(remote),
                              l->place->embedder, l->index, l->f);
}

/* Adds the remote index file to an index that is empty: the copy, if that is good; else a new one;
 * and if there is none to be had, or it is damaged, the copy after all. */
static enum err
add_remote(struct load *l, bool anew)
{
    const struct helpdesk_place *place = l->place;
    struct buf copy = BUF_INIT, fetched = BUF_INIT;
    bool old = false;
    bool there =
        !anew && helpdesk_remote_copy(place->remote, place->file_max, &copy, &old) && !copy.failed;
    bool good = there && !old && read_remote(l, buf_slice(&copy)) == E_OK;
    enum err err = E_OK;

    if (!good) {
        err = there && !old ? begin_again(l) : E_OK;
        err = err ? err
                  : helpdesk_remote_fetch(place->remote, place->file_max,
                                          l->limits ? &l->limits->stop : NULL, &fetched, l->f);
        err = err ? err : read_remote(l, buf_slice(&fetched));
        if (!err) {
            helpdesk_remote_keep(place->remote, buf_slice(&fetched));
        } else if (there && old && err != E_CANCELLED && begin_again(l) == E_OK) {
            log_warn("the helpdesk's index file is an old copy", F_STR("why", l->f->text));
            err = read_remote(l, buf_slice(&copy));
            l->index->stale = true;
        }
    }
    buf_fini(&copy);
    buf_fini(&fetched);
    return err;
}

static enum err
fill(struct load *l, const char *name, bool anew)
{
    const struct helpdesk_place *place = l->place;
    bool shared = strcmp(name, HELPDESK_SHARED) == 0;
    char *own = xasprintf("%s/%s", place->folder, name);
    enum err err = E_OK;

    if ((!shared && !dir_is_folder(place->root, own)) ||
        (shared && place->required && !dir_is_folder(place->root, place->folder))) {
        fault_set(l->f, E_NOT_FOUND, "there is no helpdesk index '%s'", name);
        err = fault_remedy(l->f, "make the folder '%s', with Markdown files in it",
                           shared ? place->folder : own);
    }
    if (!err && shared && place->remote) {
        err = add_remote(l, anew);
    }
    if (!err && shared) {
        err = add_folder(l, place->folder, 0);
    }
    err = err ? err : add_folder(l, own, DOCUMENT_DEPTH_MAX);
    free(own);
    return err;
}

/* Whether an index that could not be embedded is better than none: the embedder's trouble will
 * pass, and nothing that knows more is there. */
static bool
can_do_without(const struct helpdesk_index *index, const struct helpdesk_index *old, enum err err)
{
    bool passes = err == E_IO || err == E_NOT_READY || err == E_LIMIT || err == E_TIMEOUT;

    return passes && index->words && index->count && (!old || old->without[0]);
}

enum err
helpdesk_load(const struct helpdesk_place *place, const char *name,
              const struct helpdesk_index *old, bool anew, const struct embed_limits *limits,
              struct helpdesk_index **index, struct fault *f)
{
    struct fault local = FAULT_INIT, unfinished = FAULT_INIT;
    struct load l = {place, limits, helpdesk_index_create(place->passages_max), f ? f : &local};
    enum err err = place->words ? helpdesk_index_use_words(l.index, l.f) : E_OK;
    bool usable = false;

    err = err ? err : fill(&l, name, anew);
    if (!err) {
        err = helpdesk_index_embed(l.index, place->embedder, anew ? NULL : old, limits, l.f);
        usable = !err;
        if (can_do_without(l.index, old, err)) {
            helpdesk_index_do_without(l.index, l.f->text);
            usable = true;
        }
    }
    if (usable && l.index->words && helpdesk_words_finish(l.index->words, &unfinished) != E_OK) {
        usable = false;
        *l.f = unfinished;
        err = unfinished.code;
    }
    if (!usable) {
        helpdesk_index_unref(l.index);
        l.index = NULL;
    }
    *index = l.index;
    return err;
}
