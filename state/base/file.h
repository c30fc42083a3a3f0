/* file.h -- files beneath a root: bounded reads, writes that survive a crash.
 *
 * Every path that a client or a pack gives is relative to a struct dir, and the kernel keeps it
 * beneath (openat2: no "..", no absolute path, no symbolic link).  A write goes to a temporary
 * sibling, is flushed, renamed and the folder flushed: a reader, or the next process after a
 * crash, sees the old or the new file, whole.  Any thread; nothing is shared but the kernel. */
#ifndef TANDEM_FILE_H
#define TANDEM_FILE_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An open root folder, counted. */
struct dir;

/* A folder by where it would be, whether or not it is there. */
struct dir_place {
    struct dir *base;
    const char *path; /* Relative to it. */
};
/* A copy, with a reference to the base, that dir_place_unref() gives back; and its path is its own.
 */
struct dir_place dir_place_ref(const struct dir_place *place);
void dir_place_unref(struct dir_place *place);

/* Which version of a file was read: a cache entry is good while this stays equal. */
struct file_identity {
    uint64_t device, inode;
    int64_t size;
    int64_t mtime_ns;
};

/* Whether a file is the same, unchanged. */
static inline bool
file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns;
}

/* Opens 'path' (absolute or not; links in it are followed: it is ours, not a peer's) as a root, in
 * '*dir', counted.  With 'create', makes it and its parents with mode 0700.  E_NOT_FOUND, E_IO. */
enum err dir_open(const char *path, bool create, struct dir **dir, struct fault *f);
/* Opens the folder 'relative' beneath 'root' as a root of its own, counted; 'create' as above.
 * E_NOT_FOUND; E_ARGUMENT if it leaves the root; E_IO. */
enum err dir_sub(struct dir *root, const char *relative, bool create, struct dir **dir,
                 struct fault *f);
struct dir *dir_ref(struct dir *dir);
/* Null is ignored. */
void dir_unref(struct dir *dir);
/* The descriptor, borrowed while the caller holds a reference. */
int dir_fd(const struct dir *dir);

/* Opens 'relative' beneath 'dir' with open(2) 'flags' and 'mode', always O_CLOEXEC.  Returns the
 * descriptor, or -1 with errno (EXDEV and ELOOP: it would have left the root). */
int dir_open_at(const struct dir *dir, const char *relative, int flags, mode_t mode);

/* Appends the whole regular file to 'out' and, if not null, tells its identity, both taken from one
 * descriptor.  E_NOT_FOUND; E_TOO_LARGE over 'max' bytes; E_ARGUMENT if it leaves the root or is
 * not a regular file; E_IO. */
enum err dir_read(const struct dir *dir, const char *relative, size_t max, struct buf *out,
                  struct file_identity *identity, struct fault *f);
/* True for a path whose parts may all be shown: at most 'max' bytes of UTF-8, no control character,
 * no backslash, no part that is empty or begins with a dot.  Stores how many '/' it holds.  Pure.
 */
bool path_is_visible(struct slice path, size_t max, size_t *depth);
/* Identity only.  E_NOT_FOUND, E_ARGUMENT, E_IO. */
enum err dir_identity(const struct dir *dir, const char *relative, struct file_identity *identity,
                      struct fault *f);
/* True if 'relative' would lead out of 'dir', by "..", a leading slash or a symbolic link; a link
 * that stays beneath it is fine.  What does not exist leads nowhere. */
bool dir_leads_out(const struct dir *dir, const char *relative);
bool dir_is_folder(const struct dir *dir, const char *relative);
bool dir_is_file(const struct dir *dir, const char *relative);

struct dir_entry {
    char *name; /* Owned. */
    bool folder;
    struct file_identity identity;
    int64_t changed_ns; /* When it was changed last, whatever its mtime was set to (ctime). */
};
struct dir_list {
    struct dir_entry *entries; /* Sorted by name, bytewise; owned. */
    size_t count;
};
/* Lists folders and regular files in 'relative' ("." for the root itself), without those whose name
 * begins with a dot.  At most 'max' entries: E_TOO_LARGE.  E_NOT_FOUND, E_IO. */
enum err dir_list(const struct dir *dir, const char *relative, size_t max, struct dir_list *list,
                  struct fault *f);
void dir_list_fini(struct dir_list *list);

/* Replaces 'name' (one component) in 'dir' by 'data', mode 0600, crash-safe: on E_OK the new
 * content is on disk.  On error the old content is there (or, if only the folder's flush failed,
 * the new one), whole, and no temporary file stays.  E_ARGUMENT if it is no file name, E_IO. The
 * process must ignore SIGXFSZ for a file size limit to be an error. */
enum err dir_write(const struct dir *dir, const char *name, struct slice data, struct fault *f);
/* As dir_write(), for what means nothing once the machine has crashed: a reader sees the old or
 * the new content, whole, but nothing waits for the disk. */
enum err dir_write_volatile(const struct dir *dir, const char *name, struct slice data,
                            struct fault *f);
/* As dir_write(), but E_CONFLICT if 'name' exists. */
enum err dir_create_file(const struct dir *dir, const char *name, struct slice data,
                         struct fault *f);
/* Renames within 'dir', and flushes the folder. */
enum err dir_rename(const struct dir *dir, const char *from, const char *to, struct fault *f);
/* Removes one file, and flushes the folder.  E_NOT_FOUND if it was not there. */
enum err dir_remove(const struct dir *dir, const char *name, struct fault *f);
/* As dir_remove(), but a crash of the machine may bring it back. */
enum err dir_remove_volatile(const struct dir *dir, const char *name, struct fault *f);
/* Removes what crashed writers left: files named ".<name>.<random>.tmp".  Call before others use
 * 'dir'.  Returns how many. */
unsigned dir_sweep(const struct dir *dir);

#endif
