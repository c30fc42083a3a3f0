/* fault_shim.c -- allocations and file calls that fail when a plan says so.
 *
 * Linked into a server, so that its definitions go before those of the libraries, for the
 * libraries' own calls too.  All forward to the real ones.  Any thread; before the plan is found,
 * and where there is none, nothing is counted.  Compiled without sanitizers in every variant: it is
 * called before theirs have begun. */
#include "tests/fault_plan.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAMES 18
#define PATH_FRAMES 15 /* Of which three are the shim's. */
#define EXPORT __attribute__((visibility("default")))

static struct fault_plan *_Atomic plan;
/* Set while a thread tells where it is, which may itself allocate. */
static __thread bool telling;

/* ---- the plan ---- */

__attribute__((constructor)) static void
find_plan(void)
{
    const char *path = getenv(FAULT_PLAN_VARIABLE);
    void *frames[2], *p;
    int fd;

    if (!path) {
        return;
    }
    backtrace(frames, 2); /* Loads what it needs now. */
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    p = fd < 0 ? MAP_FAILED
               : mmap(NULL, sizeof(struct fault_plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        static const char line[] = "fault_shim: no plan\n";
        ssize_t n = write(STDERR_FILENO, line, sizeof line - 1);
        (void)n;
        _exit(126);
    }
    close(fd);
    plan = p;
}

/* The frames of this thread, innermost first. */
static int
walk(void **frames, int most)
{
    int count;

    telling = true;
    count = backtrace(frames, most);
    telling = false;
    return count;
}

static void
tell_site(char *site, size_t size, void **frames, int count)
{
    size_t at = 0;

    telling = true;
    site[0] = '\0';
    for (int i = 2; i < count && at < size; i++) {
        Dl_info info;
        const char *name;
        int n;

        if (!dladdr(frames[i], &info) || !info.dli_fname) {
            continue;
        }
        name = strrchr(info.dli_fname, '/');
        n = snprintf(site + at, size - at, "%s%s+0x%lx", at ? " " : "",
                     name ? name + 1 : info.dli_fname,
                     (unsigned long)((char *)frames[i] - (char *)info.dli_fbase - 1));
        if (n < 0 || (size_t)n >= size - at) {
            site[at] = '\0'; /* A whole frame or none. */
            break;
        }
        at += (size_t)n;
    }
    telling = false;
}

static void
tell(struct fault_plan *p, const char *call, const char *path, size_t size)
{
    void *frames[FRAMES];

    snprintf(p->call, sizeof p->call, "%s", call);
    snprintf(p->path, sizeof p->path, "%s", path ? path : "");
    p->size = size;
    tell_site(p->site, sizeof p->site, frames, walk(frames, FRAMES));
    atomic_store(&p->hit, 1);
}

static unsigned long
path_of(void *frames[], int count)
{
    unsigned long hash = 0xCBF29CE484222325u;

    for (int i = 3; i < count; i++) {
        hash = (hash ^ (unsigned long)frames[i]) * 0x100000001B3u;
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

/* What a sanitizer asks the C library for when a thread starts is nothing of the program's.  And
 * libwebsockets 4.1 does not come to itself again when the loader finds no memory for its plug-in:
 * there is nothing in it to mend here. */
static bool
is_others(void *frames[], int count)
{
    bool loader = false, websockets = false;
    Dl_info info;

    for (int i = 3; i < count; i++) {
        if (dladdr(frames[i], &info) && info.dli_fname) {
            if (strstr(info.dli_fname, "/libasan.")) {
                return true;
            }
            loader = loader || strstr(info.dli_fname, "/ld-linux");
            websockets = websockets || strstr(info.dli_fname, "/libwebsockets");
        }
    }
    return loader && websockets;
}

static void
note_path(struct fault_plan *p, unsigned long hash, unsigned long n, void *frames[], int count)
{
    for (unsigned i = 0; i < FAULT_PATHS; i++) {
        struct fault_path *at = &p->paths[(hash + i) % FAULT_PATHS];
        unsigned long none = 0;

        if (atomic_compare_exchange_strong(&at->hash, &none, hash)) {
            at->first = n;
            tell_site(at->site, sizeof at->site, frames, count);
            return;
        }
        if (none == hash) {
            return;
        }
    }
}

/* Whether this, the n-th, is the first call on the path that fails. */
static bool
is_target(struct fault_plan *p, unsigned long n)
{
    void *frames[PATH_FRAMES];
    int no = 0, count = walk(frames, PATH_FRAMES);
    unsigned long hash = path_of(frames, count);

    if (!p->target) {
        note_path(p, hash, n, frames, count);
    }
    return hash == p->target && !is_others(frames, count) &&
           atomic_compare_exchange_strong(&p->hit, &no, 1);
}

/* Counts a call of 'kind'; true if it is the one that fails. */
static bool
fails(enum fault_kind kind, const char *call, const char *path, size_t size)
{
    struct fault_plan *p = plan;
    unsigned long n;

    if (!p || telling || !atomic_load_explicit(&p->armed, memory_order_relaxed) ||
        p->kind != kind) {
        return false;
    }
    n = atomic_fetch_add(&p->count, 1) + 1;
    if (p->by_path) {
        if (!is_target(p, n)) {
            return false;
        }
        tell(p, call, path, size);
        errno = p->error;
        return true;
    }
    if (p->kind == FAULT_SPACE ? p->nth && n >= p->nth : n == p->nth) {
        if (n == p->nth) {
            tell(p, call, path, size);
        }
        errno = p->error;
        return true;
    }
    return false;
}

/* ---- memory ---- */

/* Those of AddressSanitizer's library where it is there, else those of the C library. */
#define REAL_MEMORY(NAME, ...)                                     \
    void *__interceptor_##NAME(__VA_ARGS__) __attribute__((weak)); \
    void *__libc_##NAME(__VA_ARGS__);
#define REAL(NAME) (__interceptor_##NAME ? __interceptor_##NAME : __libc_##NAME)
REAL_MEMORY(malloc, size_t)
REAL_MEMORY(calloc, size_t, size_t)
REAL_MEMORY(realloc, void *, size_t)
REAL_MEMORY(memalign, size_t, size_t)

EXPORT void *
malloc(size_t size)
{
    return fails(FAULT_MEMORY, "malloc", NULL, size) ? NULL : REAL(malloc)(size);
}

EXPORT void *
calloc(size_t count, size_t size)
{
    return fails(FAULT_MEMORY, "calloc", NULL, count * size) ? NULL : REAL(calloc)(count, size);
}

EXPORT void *
realloc(void *old, size_t size)
{
    return fails(FAULT_MEMORY, "realloc", NULL, size) ? NULL : REAL(realloc)(old, size);
}

EXPORT void *
reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

EXPORT void *
aligned_alloc(size_t align, size_t size)
{
    return fails(FAULT_MEMORY, "aligned_alloc", NULL, size) ? NULL : REAL(memalign)(align, size);
}

EXPORT int
posix_memalign(void **out, size_t align, size_t size)
{
    void *p =
        fails(FAULT_MEMORY, "posix_memalign", NULL, size) ? NULL : REAL(memalign)(align, size);

    if (!p) {
        return ENOMEM;
    }
    *out = p;
    return 0;
}

/* ---- files ---- */

/* A real function, looked for once. */
#define FORWARD(TYPE, NAME, ...)                          \
    static TYPE (*real)(__VA_ARGS__);                     \
    if (!real) {                                          \
        *(void **)(void *)&real = dlsym(RTLD_NEXT, NAME); \
    }

/* Whether 'fd' is a file or a folder, and not where errors are told. */
static bool
is_file(int fd)
{
    struct stat st;
    int saved = errno;
    bool is = fd != STDERR_FILENO && fd >= 0 && plan &&
              atomic_load_explicit(&plan->armed, memory_order_relaxed) && fstat(fd, &st) == 0 &&
              (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));

    errno = saved;
    return is;
}

/* One call on a file fails; 'makes': it takes room on the disk. */
static bool
file_fails(const char *call, const char *path, bool makes)
{
    /* Where that cannot be opened libwebsockets 4.1 crashes; there is nothing in it to mend here.
     */
    if (path && strcmp(path, "/dev/urandom") == 0) {
        return false;
    }
    return fails(FAULT_FILES, call, path, 0) || (makes && fails(FAULT_SPACE, call, path, 0));
}

static bool
descriptor_fails(const char *call, int fd, bool makes)
{
    char link[32], path[128];
    ssize_t n;

    if (!is_file(fd)) {
        return false;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return file_fails(call, path, makes);
}

/* Whether this write takes only a part. */
static bool
is_short(const char *call, int fd, size_t size)
{
    return size > 1 && is_file(fd) && fails(FAULT_SHORT, call, NULL, size);
}

#define OPEN_BODY(NAME, ARGS, PATH, ...)                  \
    mode_t mode = 0;                                      \
    va_list args;                                         \
    FORWARD(int, NAME, __VA_ARGS__)                       \
    if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
        va_start(args, flags);                            \
        mode = va_arg(args, mode_t);                      \
        va_end(args);                                     \
    }                                                     \
    return file_fails(NAME, PATH, flags & O_CREAT) ? -1 : real ARGS;

EXPORT int
open(const char *path, int flags,
     ...){OPEN_BODY("open", (path, flags, mode), path, const char *, int, ...)}

EXPORT int open64(const char *path, int flags,
                  ...){OPEN_BODY("open64", (path, flags, mode), path, const char *, int, ...)}

EXPORT int openat(int dir, const char *path, int flags, ...){
    OPEN_BODY("openat", (dir, path, flags, mode), path, int, const char *, int, ...)}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    OPEN_BODY("openat64", (dir, path, flags, mode), path, int, const char *, int, ...)
}

/* What the fortified forms become. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
EXPORT int
__open_2(const char *path, int flags)
{
    return open(path, flags, 0);
}
EXPORT int
__open64_2(const char *path, int flags)
{
    return open64(path, flags, 0);
}
EXPORT int
__openat_2(int dir, const char *path, int flags)
{
    return openat(dir, path, flags, 0);
}
EXPORT int
__openat64_2(int dir, const char *path, int flags)
{
    return openat64(dir, path, flags, 0);
}

/* openat2() has no function of its own. */
EXPORT long
syscall(long number, ...)
{
    long a[6];
    va_list args;
    FORWARD(long, "syscall", long, ...)

    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_openat2) {
        const uint64_t *how = (const uint64_t *)(uintptr_t)a[2]; /* 'flags' are first. */
        if (file_fails("openat2", (const char *)(uintptr_t)a[1], *how & O_CREAT)) {
            return -1;
        }
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

EXPORT ssize_t
write(int fd, const void *data, size_t size)
{
    FORWARD(ssize_t, "write", int, const void *, size_t)
    if (descriptor_fails("write", fd, true)) {
        return -1;
    }
    return real(fd, data, is_short("write", fd, size) ? size / 2 : size);
}

#define PWRITE(NAME, OFFSET)                                                    \
    EXPORT ssize_t NAME(int fd, const void *data, size_t size, OFFSET at)       \
    {                                                                           \
        FORWARD(ssize_t, #NAME, int, const void *, size_t, OFFSET)              \
        if (descriptor_fails(#NAME, fd, true)) {                                \
            return -1;                                                          \
        }                                                                       \
        return real(fd, data, is_short(#NAME, fd, size) ? size / 2 : size, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

EXPORT ssize_t
writev(int fd, const struct iovec *parts, int count)
{
    FORWARD(ssize_t, "writev", int, const struct iovec *, int)
    if (descriptor_fails("writev", fd, true)) {
        return -1;
    }
    return real(fd, parts, count > 1 && is_short("writev", fd, 2) ? 1 : count);
}

/* Calls with one descriptor. */
#define ON_DESCRIPTOR(NAME)                                        \
    EXPORT int NAME(int fd)                                        \
    {                                                              \
        FORWARD(int, #NAME, int)                                   \
        return descriptor_fails(#NAME, fd, false) ? -1 : real(fd); \
    }
ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)

/* A close that fails has closed. */
EXPORT int
close(int fd)
{
    bool failed;
    int error;
    FORWARD(int, "close", int)

    failed = descriptor_fails("close", fd, false);
    error = errno;
    if (real(fd) != 0) {
        return -1;
    }
    errno = failed ? error : errno;
    return failed ? -1 : 0;
}

EXPORT DIR *
opendir(const char *path)
{
    FORWARD(DIR *, "opendir", const char *)
    return file_fails("opendir", path, false) ? NULL : real(path);
}

EXPORT DIR *
fdopendir(int fd)
{
    FORWARD(DIR *, "fdopendir", int)
    return descriptor_fails("fdopendir", fd, false) ? NULL : real(fd);
}

EXPORT int
mkdir(const char *path, mode_t mode)
{
    FORWARD(int, "mkdir", const char *, mode_t)
    return file_fails("mkdir", path, true) ? -1 : real(path, mode);
}

EXPORT int
mkdirat(int dir, const char *path, mode_t mode)
{
    FORWARD(int, "mkdirat", int, const char *, mode_t)
    return file_fails("mkdirat", path, true) ? -1 : real(dir, path, mode);
}

EXPORT int
unlink(const char *path)
{
    FORWARD(int, "unlink", const char *)
    return file_fails("unlink", path, false) ? -1 : real(path);
}

EXPORT int
unlinkat(int dir, const char *path, int flags)
{
    FORWARD(int, "unlinkat", int, const char *, int)
    return file_fails("unlinkat", path, false) ? -1 : real(dir, path, flags);
}

EXPORT int
rename(const char *from, const char *to)
{
    FORWARD(int, "rename", const char *, const char *)
    return file_fails("rename", from, true) ? -1 : real(from, to);
}

EXPORT int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    FORWARD(int, "renameat", int, const char *, int, const char *)
    return file_fails("renameat", from, true) ? -1 : real(from_dir, from, to_dir, to);
}

EXPORT int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    FORWARD(int, "renameat2", int, const char *, int, const char *, unsigned)
    return file_fails("renameat2", from, true) ? -1 : real(from_dir, from, to_dir, to, flags);
}

#define TRUNCATE(NAME, OFFSET)                                            \
    EXPORT int NAME(int fd, OFFSET length)                                \
    {                                                                     \
        FORWARD(int, #NAME, int, OFFSET)                                  \
        return descriptor_fails(#NAME, fd, true) ? -1 : real(fd, length); \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
