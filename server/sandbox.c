/* sandbox.c -- Landlock: the C library of Debian 12 has no functions for it. */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What its header does not have yet either. */
#define ACCESS_TRUNCATE (1ull << 14)
#define ACCESS_IOCTL_DEVICE (1ull << 15)
#define SCOPE_ABSTRACT_SOCKETS (1ull << 0)
#define SCOPE_SIGNALS (1ull << 1)
struct ruleset {
    uint64_t files, ports, scopes;
};

#define READ_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define CHANGE_FILES                                                                              \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)
/* Of a path that is no folder. */
#define FILE_ALONE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)

/* All that the kernel of this ABI can refuse. */
static uint64_t
known_access(unsigned abi)
{
    uint64_t all = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1; /* The first ABI's last. */

    all |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    all |= abi >= 3 ? ACCESS_TRUNCATE : 0;
    all |= abi >= 5 ? ACCESS_IOCTL_DEVICE : 0;
    return all;
}

enum err
sandbox_knows_files(unsigned *abi, struct fault *f)
{
    long known = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi) {
        *abi = known > 0 ? (unsigned)known : 0;
    }
    return known > 0
               ? E_OK
               : fault_set(f, E_NOT_READY, "this kernel has no Landlock, or it is switched off");
}

enum err
sandbox_open(struct sandbox *s, bool abstract, struct fault *f)
{
    struct ruleset ruleset = {.files = 0};
    unsigned abi;
    enum err err = sandbox_knows_files(&abi, f);

    *s = (struct sandbox){.fd = -1, .abi = abi};
    if (err) {
        return err;
    }
    ruleset.files = known_access(s->abi);
    ruleset.scopes = SCOPE_SIGNALS | (abstract ? 0 : SCOPE_ABSTRACT_SOCKETS);
    s->fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset,
                         abi >= 6   ? sizeof ruleset
                         : abi >= 4 ? offsetof(struct ruleset, scopes)
                                    : offsetof(struct ruleset, ports),
                         0);
    return s->fd >= 0 ? E_OK
                      : fault_set(f, E_IO, "the list of files cannot be made: %s", strerror(errno));
}

void
sandbox_allow(struct sandbox *s, int fd, enum sandbox_use use)
{
    static const uint64_t access[] = {
        [SANDBOX_READ] = READ_FILES,
        [SANDBOX_WRITE] = READ_FILES | CHANGE_FILES,
        [SANDBOX_DEVICE] = FILE_ALONE | ACCESS_IOCTL_DEVICE,
        [SANDBOX_SOCKET] = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE,
    };
    struct landlock_path_beneath_attr rule = {.allowed_access = access[use] & known_access(s->abi),
                                              .parent_fd = fd};
    struct stat st;
    int failed = fstat(fd, &st);

    if (failed == 0 && !S_ISDIR(st.st_mode)) {
        rule.allowed_access &= FILE_ALONE | ACCESS_IOCTL_DEVICE;
    }
    if (failed != 0 ||
        (rule.allowed_access &&
         syscall(SYS_landlock_add_rule, s->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)) {
        s->failed = errno;
    }
}

void
sandbox_allow_path(struct sandbox *s, const char *path, enum sandbox_use use)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd >= 0) {
        sandbox_allow(s, fd, use);
        close(fd);
    } else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP) {
        s->failed = errno;
    }
}

enum err
sandbox_enter(struct sandbox *s, struct fault *f)
{
    if (s->failed) {
        return fault_set(f, E_IO, "a file or folder cannot be listed: %s", strerror(s->failed));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, s->fd, 0) != 0) {
        return fault_set(f, E_IO, "the list of files is refused: %s", strerror(errno));
    }
    return E_OK;
}

void
sandbox_close(struct sandbox *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
}
