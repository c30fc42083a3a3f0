/* standards_check.c -- checks the standards as documents, and the list of synonyms with them. */
#include "state/standards_check.h"

#include "state/documents_check.h"
#include "state/search.h"
#include "state/search_synonyms.h"

static struct document_folder
folder_at(const struct dir_place *at)
{
    return (struct document_folder){at->path, "standard", DOCUMENT_DEPTH_MAX};
}

/* Returns whether there is such a list. */
static bool
check_synonyms(const struct dir_place *at, struct problems *problems)
{
    char *path = xasprintf("%s/" SYNONYMS_FILE, at->path);
    struct synonyms *synonyms = NULL;
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    enum err err = dir_read(at->base, path, SYNONYMS_BYTES_MAX, &text, NULL, &f);
    bool there = err != E_NOT_FOUND;

    err = err ? err : synonyms_create(buf_slice(&text), true, &synonyms, &f);
    if (err && there) {
        check_add_fault(problems, SYNONYMS_FILE, &f);
    }
    synonyms_destroy(synonyms);
    buf_fini(&text);
    free(path);
    return there;
}

size_t
standards_check(const struct dir_place *at, struct problems *problems)
{
    const struct document_folder folder = folder_at(at);
    size_t count = check_synonyms(at, problems);

    return count + documents_check(at->base, &folder, "", problems);
}

bool
standards_check_file(const struct dir_place *at, const char *path, struct problems *problems)
{
    const struct document_folder folder = folder_at(at);

    if (strcmp(path, SYNONYMS_FILE) == 0) {
        return check_synonyms(at, problems);
    }
    if (!standards_path_is_valid(slice_of(path))) {
        return false;
    }
    documents_check_one(at->base, &folder, path, path, problems);
    return true;
}
