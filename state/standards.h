/* standards.h -- the project's standards: the documents of one of its folders, usually the data
 * folder's "standards".
 *
 * A standard is named by its path below that folder; documents.h has the rules.  Any thread; no
 * locks. */
#ifndef TANDEM_STANDARDS_H
#define TANDEM_STANDARDS_H

#include "state/documents.h"
#include "state/skills.h"

/* These do what documents.h says of their kind. */
bool standards_path_is_valid(struct slice path);
enum err standards_find(const struct dir_place *at, struct document_list *list, struct fault *f);
enum err standards_read(const struct dir_place *at, struct slice path, struct buf *out,
                        struct fault *f);
enum err standards_identity(const struct dir_place *at, struct slice path,
                            struct file_identity *identity, struct fault *f);

/* What one is, without its whole text. */
struct standard_look {
    int64_t size;                    /* Bytes. */
    int64_t modified_ns;             /* Since 1970. */
    char title[SKILL_TITLE_MAX + 1]; /* Its first heading, if that is near the front; or empty. */
};
/* False if there is none, or it cannot be looked at. */
bool standards_look(const struct dir_place *at, struct slice path, struct standard_look *look);

#endif
