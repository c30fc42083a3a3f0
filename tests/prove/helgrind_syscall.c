/* helgrind_syscall.c -- valgrind 3.19 does not know openat2(2): in the server that it runs
 * openat(2) stands in for it, which follows links where the other would refuse.  No test of paths
 * runs so. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>

/* The linker leads calls of syscall() to the first, and the first's to the real one. */
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

long
__wrap_syscall(long number, ...)
{
    long args[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        args[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_openat2) {
        const struct open_how *how = (const struct open_how *)(uintptr_t)args[2];

        return openat((int)args[0], (const char *)(uintptr_t)args[1], (int)how->flags,
                      (mode_t)how->mode);
    }
    return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
