/* standards_check.c -- reads each standard as the search does, and keeps what went wrong. */
#include "state/standards_check.h"

#include "state/base/rune.h"
#include "state/search.h"
#include "state/search_chunk.h"
#include "state/search_synonyms.h"

static void
add_fault(struct problems *problems, const char *path, const struct fault *f)
{
    problems_add(problems, PROBLEM_ERROR, path, f->line, f->column, "%s", f->text);
}

/* Where a text stops being UTF-8: columns count characters. */
static void
add_bad_bytes(struct problems *problems, const char *path, struct slice text)
{
    unsigned line = 1, column = 1;
    uint32_t rune;
    size_t n;

    for (size_t at = 0; at < text.len && (n = rune_decode(text, at, &rune)) > 0; at += n) {
        line += rune == '\n';
        column = rune == '\n' ? 1 : column + 1;
    }
    problems_add(problems, PROBLEM_ERROR, path, line, column,
                 "the standard is not UTF-8 from here on");
}

static void
check_standard(const struct dir_place *at, const char *path, struct problems *problems)
{
    struct buf text = {.limit = DOCUMENT_TEXT_MAX};
    struct fault f = FAULT_INIT;
    struct chunks chunks;
    enum err err = standards_read(at, slice_of(path), &text, &f);

    if (err == E_REFUSED) {
        add_bad_bytes(problems, path, buf_slice(&text));
    } else if (err == E_TOO_LARGE) {
        problems_add(problems, PROBLEM_ERROR, path, 0, 0,
                     "the standard is larger than %u bytes: make it several", DOCUMENT_TEXT_MAX);
    } else if (err || chunks_make(buf_slice(&text), &chunks, &f) != E_OK) {
        add_fault(problems, path, &f);
    } else {
        chunks_fini(&chunks);
    }
    buf_fini(&text);
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
        add_fault(problems, SYNONYMS_FILE, &f);
    }
    synonyms_destroy(synonyms);
    buf_fini(&text);
    free(path);
    return there;
}

size_t
standards_check(const struct dir_place *at, struct problems *problems)
{
    struct document_list list;
    struct fault f = FAULT_INIT;
    size_t count = check_synonyms(at, problems);

    if (standards_find(at, &list, &f) != E_OK) {
        add_fault(problems, "", &f);
    }
    for (size_t i = 0; i < list.unread_count; i++) {
        problems_add(problems, PROBLEM_ERROR, list.unread[i], 0, 0, "the folder cannot be read");
    }
    for (size_t i = 0; i < list.count; i++) {
        check_standard(at, list.paths[i], problems);
    }
    count += list.count;
    document_list_fini(&list);
    return count;
}

bool
standards_check_file(const struct dir_place *at, const char *path, struct problems *problems)
{
    if (strcmp(path, SYNONYMS_FILE) == 0) {
        return check_synonyms(at, problems);
    }
    if (!standards_path_is_valid(slice_of(path))) {
        return false;
    }
    check_standard(at, path, problems);
    return true;
}
