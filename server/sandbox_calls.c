/* sandbox_calls.c -- the filter of system calls: a program of BPF, which the kernel runs once for
 * each call by number and remembers, where it does not look at arguments.
 *
 * DESIGN.  Written down here as it is loaded, where libseccomp would take a quarter of a
 * millisecond to come and to make it of a list: of four, in which a server has to answer. */
#include "server/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000u /* Of numbers: x32. */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define OTHER_ABI 0x80000000u /* There is none. */
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#endif

#if defined(UNDER_ADDRESS_SANITIZER) || defined(UNDER_THREAD_SANITIZER)
#define REFUSED SECCOMP_RET_KILL_PROCESS
#else
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)
#endif

/* clone() may make threads and processes, but no name space. */
#define NAME_SPACES                                                                               \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

#ifdef ARCH
/* clang-format off */
#define LOAD(MEMBER)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, MEMBER))
#define ANSWER(ACTION)  BPF_STMT(BPF_RET | BPF_K, ACTION)
/* The next 'YES' or 'NO' steps are passed over. */
#define IS(K, YES, NO)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, K, YES, NO)
#define HAS(K, YES, NO) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, K, YES, NO)
#define REFUSE(CALL)    IS(SYS_##CALL, 0, 1), ANSWER(REFUSED)

static struct sock_filter steps[] = {
    LOAD(arch),
    IS(ARCH, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS), /* The numbers would mean something else. */
    LOAD(nr),
    HAS(OTHER_ABI, 0, 1),
    ANSWER(REFUSED),
    /* Programs. */
    REFUSE(execve), REFUSE(execveat),
    /* Other processes; a leak checker looks at its own that way. */
#ifndef UNDER_ADDRESS_SANITIZER
    REFUSE(ptrace),
#endif
    REFUSE(process_vm_readv), REFUSE(process_vm_writev), REFUSE(pidfd_getfd), REFUSE(kcmp),
    /* Name spaces and mounts. */
    REFUSE(unshare), REFUSE(setns), REFUSE(mount), REFUSE(umount2), REFUSE(pivot_root),
    REFUSE(chroot), REFUSE(move_mount), REFUSE(open_tree), REFUSE(fsopen), REFUSE(fsconfig),
    REFUSE(fsmount), REFUSE(fspick), REFUSE(mount_setattr), REFUSE(name_to_handle_at),
    REFUSE(open_by_handle_at), REFUSE(swapon), REFUSE(swapoff),
    /* The kernel itself: its code, its keys, its wide doors. */
    REFUSE(init_module), REFUSE(finit_module), REFUSE(delete_module), REFUSE(kexec_load),
    REFUSE(kexec_file_load), REFUSE(reboot), REFUSE(bpf), REFUSE(perf_event_open),
    REFUSE(userfaultfd), REFUSE(io_uring_setup), REFUSE(io_uring_enter),
    REFUSE(io_uring_register), REFUSE(add_key), REFUSE(request_key), REFUSE(keyctl),
    REFUSE(syslog), REFUSE(acct), REFUSE(quotactl),
#ifdef __x86_64__
    REFUSE(iopl), REFUSE(ioperm),
#endif
    /* What is the same for all processes of the machine. */
    REFUSE(settimeofday), REFUSE(clock_settime), REFUSE(adjtimex), REFUSE(clock_adjtime),
    REFUSE(sethostname), REFUSE(setdomainname),
    /* Its flags lie in memory, where no filter looks: the C library takes clone() instead. */
    IS(SYS_clone3, 0, 1),
    ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
    IS(SYS_clone, 0, 4),
    LOAD(args[0]), /* The lower half, on both machines. */
    HAS(NAME_SPACES, 0, 1),
    ANSWER(REFUSED),
    ANSWER(SECCOMP_RET_ALLOW),
    IS(SYS_socket, 1, 0),
    IS(SYS_socketpair, 0, 6),
    LOAD(args[0]),
    IS(AF_UNIX, 4, 0),
    IS(AF_INET, 3, 0),
    IS(AF_INET6, 2, 0),
    IS(AF_NETLINK, 1, 0), /* By which the C library looks up interfaces. */
    ANSWER(REFUSED),
    ANSWER(SECCOMP_RET_ALLOW),
};
/* clang-format on */
#endif

enum err
sandbox_knows_calls(struct fault *f)
{
#ifdef ARCH
    const uint32_t action = SECCOMP_RET_ERRNO;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
               ? E_OK
               : fault_set(f, E_NOT_READY,
                           "this kernel has no such filters, or lets none be set: %s",
                           strerror(errno));
#else
    return fault_set(f, E_NOT_READY, "there is no filter of system calls for this machine");
#endif
}

enum err
sandbox_filter_calls(struct fault *f)
{
#ifdef ARCH
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    long failed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    failed = failed
                 ? failed
                 : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &filter);
    if (failed) {
        return fault_set(f, errno == ENOSYS || errno == EINVAL ? E_NOT_READY : E_IO,
                         "the filter of system calls is refused: %s", strerror(errno));
    }
    return E_OK;
#else
    return fault_set(f, E_NOT_READY, "there is no filter of system calls for this machine");
#endif
}
