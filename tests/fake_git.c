/* fake_git.c -- a script and a named pipe. */
#include "tests/fake_git.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void
fake_git_init(struct fake_git *g, const char *root)
{
    char path[sizeof g->folder + 8];
    FILE *file;

    g->writer = -1;
    snprintf(g->folder, sizeof g->folder, "%s/fake-bin", root);
    snprintf(g->gate, sizeof g->gate, "%s/gate", g->folder);
    snprintf(path, sizeof path, "%s/git", g->folder);
    if (mkdir(g->folder, 0700) != 0 || mkfifo(g->gate, 0600) != 0) {
        harness_give_up(g->folder);
    }
    file = fopen(path, "we");
    if (!file) {
        harness_give_up(path);
    }
    fprintf(file,
            "#!/bin/sh\nif [ \"$1\" = rev-parse ]; then echo .git; exit 0; fi\nexec cat '%s'\n",
            g->gate);
    fclose(file);
    chmod(path, 0700);
}

bool
fake_git_wait(struct fake_git *g, int64_t deadline_ns)
{

    /* The pipe can be opened for writing without waiting only while somebody reads. */
    while ((g->writer = open(g->gate, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        if (now_ns() > deadline_ns) {
            return false;
        }
        look_again_soon();
    }
    return true;
}

bool
fake_git_waits(const struct fake_git *g)
{
    return write(g->writer, "\n", 1) == 1;
}

void
fake_git_release(struct fake_git *g)
{
    unlink(g->gate);
    if (g->writer >= 0) {
        close(g->writer);
        g->writer = -1;
    }
}
