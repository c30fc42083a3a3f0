/* standards.h -- the project's standards: Markdown files in the data folder's "standards".
 *
 * A standard is named by its path below that folder, always with '/' and ".md" at its end.  Nothing
 * is cached: each call looks at the files as they are now.  Links, hidden files and what is not
 * UTF-8 are no standards.  Any thread; no locks. */
#ifndef TANDEM_STANDARDS_H
#define TANDEM_STANDARDS_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"
#include "state/skills.h"

#include <stdbool.h>

#define STANDARDS_PATH_MAX 1024u          /* Bytes of a path. */
#define STANDARDS_DEPTH_MAX 16u           /* Folders below each other. */
#define STANDARDS_MAX 50000u              /* Files. */
#define STANDARDS_TEXT_MAX (1024u * 1024) /* Bytes of one. */

struct standards_list {
    char **paths; /* Owned; sorted bytewise. */
    size_t count;
};

/* True for what may name a standard: no hidden, empty or "." parts, no control characters, no
 * backslash, UTF-8, within the limits. */
bool standards_path_is_valid(struct slice path);

/* The paths of all standards in the data folder 'data'; none if it has no such folder.  E_TOO_LARGE
 * over STANDARDS_MAX, or as many entries in one folder; E_IO.  On error the list is empty. */
enum err standards_find(const struct dir *data, struct standards_list *list, struct fault *f);
void standards_list_fini(struct standards_list *list);

/* What one is, without its whole text. */
struct standard_look {
    int64_t size;                    /* Bytes. */
    int64_t modified_ns;             /* Since 1970. */
    char title[SKILL_TITLE_MAX + 1]; /* Its first heading, if that is near the front; or empty. */
};
/* False if there is none, or it cannot be looked at. */
bool standards_look(const struct dir *data, struct slice path, struct standard_look *look);

/* Appends the text of one to 'out'.  E_NOT_FOUND also for what cannot name one; E_TOO_LARGE;
 * E_REFUSED if it is not UTF-8; E_IO. */
enum err standards_read(const struct dir *data, struct slice path, struct buf *out,
                        struct fault *f);

/* Which version of one there is.  E_NOT_FOUND, E_IO. */
enum err standards_identity(const struct dir *data, struct slice path,
                            struct file_identity *identity, struct fault *f);

#endif
