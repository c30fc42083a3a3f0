/* stamp.h -- whether a file is still the one that was read, for one system call.
 *
 * A stamp is what the kernel keeps of a file, its ctime too, which nobody can set.  A file that has
 * the stamp that it had is the same bytes, if the stamp is older than the look at it: a change
 * within the same tick of the kernel's clock may leave no mark.  So who keeps what a file says
 * takes clock_files() before he reads it, and the stamp after that.  Any thread. */
#ifndef TANDEM_STAMP_H
#define TANDEM_STAMP_H

#include "state/base/file.h"

struct file_stamp {
    struct file_identity identity;
    int64_t changed_ns; /* ctime. */
};

/* The stamp of the regular file 'relative' beneath 'dir'; false if there is none.  A link is none.
 * On the way to it links are followed, unlike anywhere else: what has this very stamp was found
 * without them. */
bool stamp_take(const struct dir *dir, const char *relative, struct file_stamp *stamp);
/* Whether what was read from a file with 'identity', not before 'began_ns' (clock_files()), is what
 * a file with 'stamp', taken after that, says. */
bool stamp_covers(const struct file_stamp *stamp, const struct file_identity *identity,
                  int64_t began_ns);
/* Whether the file has that stamp now. */
bool stamp_holds(const struct dir *dir, const char *relative, const struct file_stamp *stamp);

/* Whether 'dir' is on a disk or in the memory of this machine: asking for a stamp waits for no
 * network and no other process there, and its times are of this machine's clock.  What is not known
 * is not. */
bool stamp_is_cheap(const struct dir *dir);

#endif
