/* documents_check.h -- what of the documents of a folder a search could not use, and why: for
 * "tandem check".
 *
 * Nothing is changed, nothing kept.  Any thread; no locks. */
#ifndef TANDEM_DOCUMENTS_CHECK_H
#define TANDEM_DOCUMENTS_CHECK_H

#include "state/base/problems.h"
#include "state/documents.h"

/* Adds an error for the document 'path' of 'folder', told as 'shown', if it cannot be read, is no
 * UTF-8, is too large or cannot be cut into passages. */
void documents_check_one(const struct dir *root, const struct document_folder *folder,
                         const char *path, const char *shown, struct problems *problems);
/* The same for all of them, each told by its path after 'prefix', and for folders that cannot be
 * listed.  Returns how many documents there are. */
size_t documents_check(const struct dir *root, const struct document_folder *folder,
                       const char *prefix, struct problems *problems);
/* Adds what a failure says, at its place in 'path'. */
void check_add_fault(struct problems *problems, const char *path, const struct fault *f);

#endif
