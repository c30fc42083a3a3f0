/* documents.h -- the Markdown files of a folder and of those below it.
 *
 * A document is named by its path below the folder, always with '/' and ".md" at its end.  Nothing
 * is cached: each call looks at the files as they are now.  Links, hidden files and what is not
 * UTF-8 are no documents; the kernel keeps every path beneath the root.  Any thread; no locks. */
#ifndef TANDEM_DOCUMENTS_H
#define TANDEM_DOCUMENTS_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define DOCUMENT_PATH_MAX 1024u          /* Bytes of a path. */
#define DOCUMENT_DEPTH_MAX 16u           /* Folders below each other. */
#define DOCUMENTS_MAX 50000u             /* Files of one folder, with those below. */
#define DOCUMENT_TEXT_MAX (1024u * 1024) /* Bytes of one. */

/* Where documents are, and what errors call them. */
struct document_folder {
    const char *name; /* Of the folder, relative to the root. */
    const char *noun; /* "standard"; its plural has an 's'. */
    unsigned depth;   /* How far below it documents are: 0 to DOCUMENT_DEPTH_MAX. */
};

struct document_list {
    char **paths; /* Owned; sorted bytewise. */
    size_t count;
    char **unread; /* Folders that could not be read, "" for the whole; owned. */
    size_t unread_count;
};

/* True for what may name a document there: no hidden, empty or "." parts, no control characters, no
 * backslash, UTF-8, within the limits. */
bool documents_path_is_valid(const struct document_folder *folder, struct slice path);

/* The paths of all documents; none if there is no such folder.  A folder that cannot be read does
 * not keep the others from being listed.  E_TOO_LARGE over DOCUMENTS_MAX, or as many entries in one
 * folder; then the list is empty. */
enum err documents_find(const struct dir *root, const struct document_folder *folder,
                        struct document_list *list, struct fault *f);
void document_list_fini(struct document_list *list);

/* Appends the text of one to 'out'.  E_NOT_FOUND also for what cannot name one; E_TOO_LARGE;
 * E_REFUSED if it is not UTF-8; E_IO. */
enum err documents_read(const struct dir *root, const struct document_folder *folder,
                        struct slice path, struct buf *out, struct fault *f);

/* Which version of one there is.  E_NOT_FOUND, E_IO. */
enum err documents_identity(const struct dir *root, const struct document_folder *folder,
                            struct slice path, struct file_identity *identity, struct fault *f);

/* The path of a document below the root; new.  Null for what names none. */
char *documents_place(const struct document_folder *folder, struct slice path);

#endif
