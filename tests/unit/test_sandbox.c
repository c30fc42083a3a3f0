/* test_sandbox.c -- behind the walls what is forbidden fails, and what a server needs still works.
 *
 * Each try has a process of its own, which builds the walls and tries.  A refused call fails with
 * EPERM, in builds with a sanitizer it ends the process. */
#include "tests/check.h"

#include "server/sandbox.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILLS true
#else
#define KILLS false
#endif

static struct tree *tree; /* "mine" may be written, "seen" read, "other" neither. */

/* ---- In the process that is shut in ---- */

#define NOT_HERE 98 /* The kernel has no such wall. */

static void
give_up(enum err err, const struct fault *f)
{
    fprintf(stderr, "%s\n", f->text);
    _exit(err == E_NOT_READY ? NOT_HERE : 99);
}

static void
shut_files(void)
{
    struct sandbox s;
    struct fault f = FAULT_INIT;
    char path[4096];
    enum err err = sandbox_open(&s, false, &f);

    if (err) {
        give_up(err, &f);
    }
    snprintf(path, sizeof path, "%s/mine", tree_path(tree));
    sandbox_allow_path(&s, path, SANDBOX_WRITE);
    snprintf(path, sizeof path, "%s/seen", tree_path(tree));
    sandbox_allow_path(&s, path, SANDBOX_READ);
    snprintf(path, sizeof path, "%s/sockets", tree_path(tree));
    sandbox_allow_path(&s, path, SANDBOX_SOCKET);
    sandbox_allow_path(&s, "/dev/null", SANDBOX_DEVICE);
    sandbox_allow_path(&s, "/there/is/no/such/path", SANDBOX_WRITE);
    err = sandbox_enter(&s, &f);
    if (err) {
        give_up(err, &f);
    }
    sandbox_close(&s);
}

static int
at(const char *name, int flags)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", tree_path(tree), name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static bool
is_refused(int result)
{
    return result < 0 && errno == EACCES;
}

/* Number of the first try that goes another way than it must; 0 if none does. */
static int
try_files(void)
{
    char from[4096], to[4096];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    shut_files();
    if (at("mine/new", O_RDWR | O_CREAT) < 0 || at("mine/new", O_WRONLY | O_TRUNC) < 0) {
        return 1;
    }
    if (at("seen/file", O_RDONLY) < 0 || !is_refused(at("seen/file", O_WRONLY)) ||
        !is_refused(at("seen/new", O_RDWR | O_CREAT))) {
        return 2;
    }
    if (!is_refused(at("other/file", O_RDONLY)) ||
        !is_refused(at("other", O_RDONLY | O_DIRECTORY)) ||
        !is_refused(at("seen/../other/file", O_RDONLY)) || !is_refused(at("seen/link", O_RDONLY)) ||
        !is_refused(open("/etc/passwd", O_RDONLY))) {
        return 3;
    }
    snprintf(from, sizeof from, "%s/mine/new", tree_path(tree));
    snprintf(to, sizeof to, "%s/mine/newer", tree_path(tree));
    if (rename(from, to) != 0 || unlink(to) != 0) {
        return 4;
    }
    snprintf(from, sizeof from, "%s/other/file", tree_path(tree));
    if (!is_refused(unlink(from)) || !is_refused(mkdir("/tmp/tandem-sandbox", 0700))) {
        return 5;
    }
    if (open("/dev/null", O_RDWR) < 0 || !is_refused(open("/dev/zero", O_RDONLY))) {
        return 6;
    }
    snprintf(un.sun_path, sizeof un.sun_path, "%.80s/sockets/s", tree_path(tree));
    if (bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || unlink(un.sun_path) != 0) {
        return 7;
    }
    snprintf(un.sun_path, sizeof un.sun_path, "%.80s/other/s", tree_path(tree));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return is_refused(bind(fd, (struct sockaddr *)&un, sizeof un)) ? 0 : 8;
}

static void *
do_nothing(void *arg)
{
    return arg;
}

/* The same for what the filter lets pass. */
static int
try_allowed_calls(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    pthread_t thread;
    int fds[2];
    pid_t pid;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (socket(families[i], families[i] == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0) < 0 &&
            errno != EAFNOSUPPORT) { /* A machine without version 6. */
            return 1;
        }
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0) {
        return 2;
    }
    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        return 3;
    }
    pid = fork(); /* A process, but no program. */
    if (pid == 0) {
        _exit(0);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : 4;
}

static long
start_program(void)
{
    char *const none[] = {NULL};

    return execve("/bin/true", none, none);
}

static long
take_over_process(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0ul, NULL, 0ul, 0ul);
#else
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
#endif
}

static long
mount_something(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long
make_name_space(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0ul);
}

static long
leave_name_space(void)
{
    return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long
load_program_into_kernel(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long
use_kernel_keys(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static long
open_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long
open_crypto_socket(void)
{
    return socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0);
}

static long
open_old_socket(void)
{
    return socket(AF_AX25, SOCK_DGRAM, 0);
}

static long
open_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

#if defined(__x86_64__)
static long
call_by_other_numbers(void)
{
    return syscall(0x40000000 + SYS_getpid);
}
#endif

/* ---- Outside ---- */

/* Runs 'body' in a process of its own; waitpid()'s status.  Where the kernel cannot do what is to
 * be tested, the test ends as skipped. */
static int
run_apart(int (*body)(void))
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE) {
        printf("NOT TESTED: this kernel cannot do it\n");
        skip();
    }
    return status;
}

static void
files_are_those_that_were_listed(void **state)
{
    int status = run_apart(try_files);

    (void)state;
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

static void
filter_calls(void)
{
    struct fault f = FAULT_INIT;
    enum err err = sandbox_filter_calls(&f);

    if (err) {
        give_up(err, &f);
    }
}

static int
filter_and_try_allowed(void)
{
    filter_calls();
    return try_allowed_calls();
}

static void
needed_calls_pass(void **state)
{
    int status = run_apart(filter_and_try_allowed);

    (void)state;
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

static long (*forbidden)(void);

static int
filter_and_try_forbidden(void)
{
    filter_calls();
    return forbidden() == -1 && errno == EPERM ? 0 : 1;
}

static void
dangerous_calls_are_refused(void **state)
{
    static const struct {
        const char *name;
        long (*call)(void);
    } calls[] = {
        {"execve", start_program},
        {"ptrace", take_over_process},
        {"mount", mount_something},
        {"clone with a name space", make_name_space},
        {"unshare", leave_name_space},
        {"bpf", load_program_into_kernel},
        {"keyctl", use_kernel_keys},
        {"socket of packets", open_packet_socket},
        {"socket of the kernel's ciphers", open_crypto_socket},
        {"socket of a family between", open_old_socket},
        {"io_uring_setup", open_ring},
#if defined(__x86_64__)
        {"x32", call_by_other_numbers},
#endif
    };

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int status;

        forbidden = calls[i].call;
        status = run_apart(filter_and_try_forbidden);
        if (KILLS ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS
                  : !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("%s: status %#x", calls[i].name, (unsigned)status);
        }
    }
}

/* A list that lacks something is not made a wall of. */
static int
list_nothing_real(void)
{
    struct sandbox s;
    struct fault f = FAULT_INIT;
    enum err err = sandbox_open(&s, false, &f);

    if (err) {
        give_up(err, &f);
    }
    sandbox_allow(&s, 1000, SANDBOX_READ);
    return sandbox_enter(&s, &f) == E_IO && open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 1;
}

static void
half_a_list_is_none(void **state)
{
    (void)state;
    CHECK_INT(run_apart(list_nothing_real), 0);
}

/* As on a kernel, or in a container, that has neither. */
static int
look_without_both(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    struct sandbox s;
    unsigned abi = 9;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        return NOT_HERE;
    }
    return sandbox_knows_files(&abi, NULL) != E_NOT_READY || abi != 0 ? 1
           : sandbox_knows_calls(NULL) != E_NOT_READY                 ? 2
           : sandbox_open(&s, false, NULL) != E_NOT_READY             ? 3
           : sandbox_filter_calls(NULL) != E_NOT_READY                ? 4
                                                                      : 0;
}

/* What is told before anything is done is what comes of doing it. */
static int
look_and_do(void)
{
    struct sandbox s;
    unsigned abi;
    enum err files = sandbox_knows_files(&abi, NULL), calls = sandbox_knows_calls(NULL);

    if (sandbox_open(&s, false, NULL) != files || (!files && s.abi != abi)) {
        return 1;
    }
    sandbox_close(&s);
    return sandbox_filter_calls(NULL) == calls ? 0 : 2;
}

static void
what_the_system_has_is_known_before(void **state)
{
    (void)state;
    CHECK_INT(run_apart(look_without_both), 0);
    CHECK_INT(run_apart(look_and_do), 0);
}

static int
set_up(void **state)
{
    (void)state;
    tree = tree_create();
    tree_mkdir(tree, "mine");
    tree_mkdir(tree, "sockets");
    tree_write(tree, "seen/file", "a");
    tree_write(tree, "other/file", "a");
    tree_symlink(tree, "../other/file", "seen/link");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    tree_destroy(tree);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_those_that_were_listed),
        cmocka_unit_test(needed_calls_pass),
        cmocka_unit_test(dangerous_calls_are_refused),
        cmocka_unit_test(half_a_list_is_none),
        cmocka_unit_test(what_the_system_has_is_known_before),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
