/* stamp.c -- what the kernel keeps of a file. */
#include "state/base/stamp.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#define ZFS_MAGIC 0x2fc12fc1 /* Not the kernel's own, so in no header of it. */

bool
stamp_take(const struct dir *dir, const char *relative, struct file_stamp *stamp)
{
    struct stat st;

    if (fstatat(dir_fd(dir), relative, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    *stamp = (struct file_stamp){
        .identity = {.device = st.st_dev,
                     .inode = st.st_ino,
                     .size = st.st_size,
                     .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec},
        .changed_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec};
    return true;
}

bool
stamp_covers(const struct file_stamp *stamp, const struct file_identity *identity, int64_t began_ns)
{
    return file_identity_equal(&stamp->identity, identity) && stamp->changed_ns < began_ns;
}

bool
stamp_holds(const struct dir *dir, const char *relative, const struct file_stamp *stamp)
{
    struct file_stamp now;

    return stamp_take(dir, relative, &now) &&
           file_identity_equal(&now.identity, &stamp->identity) &&
           now.changed_ns == stamp->changed_ns;
}

bool
stamp_is_cheap(const struct dir *dir)
{
    static const unsigned long local[] = {EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC,      TMPFS_MAGIC,     RAMFS_MAGIC,
                                          OVERLAYFS_SUPER_MAGIC, ZFS_MAGIC};
    struct statfs fs;

    if (fstatfs(dir_fd(dir), &fs) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if ((unsigned long)fs.f_type == local[i]) {
            return true;
        }
    }
    return false;
}
