/* documents_check.c -- reads each document as a search does, and keeps what went wrong. */
#include "state/documents_check.h"

#include "state/base/rune.h"
#include "state/search_chunk.h"

void
check_add_fault(struct problems *problems, const char *path, const struct fault *f)
{
    problems_add(problems, PROBLEM_ERROR, path, f->line, f->column, "%s", f->text);
}

/* Where a text stops being UTF-8: columns count characters. */
static void
add_bad_bytes(struct problems *problems, const char *path, const char *noun, struct slice text)
{
    unsigned line = 1, column = 1;
    uint32_t rune;
    size_t n;

    for (size_t at = 0; at < text.len && (n = rune_decode(text, at, &rune)) > 0; at += n) {
        line += rune == '\n';
        column = rune == '\n' ? 1 : column + 1;
    }
    problems_add(problems, PROBLEM_ERROR, path, line, column, "the %s is not UTF-8 from here on",
                 noun);
}

void
documents_check_one(const struct dir *root, const struct document_folder *folder, const char *path,
                    const char *shown, struct problems *problems)
{
    struct buf text = {.limit = DOCUMENT_TEXT_MAX};
    struct fault f = FAULT_INIT;
    struct chunks chunks;
    enum err err = documents_read(root, folder, slice_of(path), &text, &f);

    if (err == E_REFUSED) {
        add_bad_bytes(problems, shown, folder->noun, buf_slice(&text));
    } else if (err == E_TOO_LARGE) {
        problems_add(problems, PROBLEM_ERROR, shown, 0, 0,
                     "the %s is larger than %u bytes: make it several", folder->noun,
                     DOCUMENT_TEXT_MAX);
    } else if (err || chunks_make(buf_slice(&text), &chunks, &f) != E_OK) {
        check_add_fault(problems, shown, &f);
    } else {
        chunks_fini(&chunks);
    }
    buf_fini(&text);
}

size_t
documents_check(const struct dir *root, const struct document_folder *folder, const char *prefix,
                struct problems *problems)
{
    struct document_list list;
    struct fault f = FAULT_INIT;
    size_t count;

    if (documents_find(root, folder, &list, &f) != E_OK) {
        check_add_fault(problems, prefix, &f);
    }
    for (size_t i = 0; i < list.unread_count; i++) {
        char *shown = xasprintf("%s%s", prefix, list.unread[i]);

        problems_add(problems, PROBLEM_ERROR, shown, 0, 0, "the folder cannot be read");
        free(shown);
    }
    for (size_t i = 0; i < list.count; i++) {
        char *shown = xasprintf("%s%s", prefix, list.paths[i]);

        documents_check_one(root, folder, list.paths[i], shown, problems);
        free(shown);
    }
    count = list.count;
    document_list_fini(&list);
    return count;
}
