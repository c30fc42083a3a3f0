/* process.c -- /proc/self, and what getrusage(2) says. */
#include "state/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number behind 'word' in a text of /proc, or -1. */
static int64_t
number_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    long long value;

    return at && sscanf(at + strlen(word), "%lld", &value) == 1 ? value : -1;
}

static void
read_status(struct process_usage *u)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    if (len > 0) {
        int64_t resident, size;

        text[len] = '\0';
        resident = number_behind(text, "\nVmRSS:");
        size = number_behind(text, "\nVmSize:");
        u->resident_bytes = resident < 0 ? -1 : resident * 1024;
        u->virtual_bytes = size < 0 ? -1 : size * 1024;
        u->threads = number_behind(text, "\nThreads:");
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int64_t
count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t count = -3; /* ".", "..", and the one of the look. */

    if (!dir) {
        return -1;
    }
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

struct process_usage
process_usage(void)
{
    struct process_usage u = {-1, -1, -1, -1, -1, -1};
    struct rusage usage;
    struct rlimit limit;

    read_status(&u);
    u.descriptors = count_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        u.descriptors_max = (int64_t)limit.rlim_cur;
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        u.cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return u;
}
