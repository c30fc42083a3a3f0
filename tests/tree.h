/* tree.h -- a temporary folder with files, for tests of what reads folders.
 *
 * Everything aborts on failure: a test cannot go on without its files. */
#ifndef TANDEM_TESTS_TREE_H
#define TANDEM_TESTS_TREE_H

#include "state/base/file.h"

struct tree;

/* A new, empty folder.  Removed with all it holds by tree_destroy(). */
struct tree *tree_create(void);
void tree_destroy(struct tree *t);
/* Where it is, and its root; both borrowed. */
const char *tree_path(const struct tree *t);
struct dir *tree_dir(const struct tree *t);
/* Writes a file, making the folders that lead to it; an old one is replaced by rename. */
void tree_write(const struct tree *t, const char *path, const char *text);
void tree_write_bytes(const struct tree *t, const char *path, struct slice bytes);
void tree_mkdir(const struct tree *t, const char *path);
void tree_symlink(const struct tree *t, const char *target, const char *path);
/* Removes a file, or a folder with all it holds. */
void tree_remove(const struct tree *t, const char *path);
/* Copies the folder 'from', as the test program sees it, to 'path'. */
void tree_copy(const struct tree *t, const char *from, const char *path);

/* Waits, some milliseconds at most, until what has been written so far, by anybody, is older than
 * what is from now on, as files and clock_files() tell the time. */
void files_settle(void);

#endif
