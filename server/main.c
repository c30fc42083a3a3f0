/* main.c -- prepares the process, reads the command line, runs the command. */
#include "server/init.h"
#include "server/options.h"
#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors 0 to 2 are open from here on: nothing that is opened later can be taken for one. */
static bool
open_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

static bool
prepare_process(void)
{
    if (!open_standard_descriptors()) {
        return false;
    }
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* A file that may not grow is an error of that write. */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    mem_prepare(); /* Before any thread. */
    json_prepare();
    log_prepare();
    keeper_prepare();
    return true;
}

int
main(int argc, char **argv)
{
    struct invocation invocation;
    int status = STATUS_FAILED;

    if (init_stand_aside() && prepare_process() &&
        options_parse(argc, argv, stdout, stderr, &invocation, &status)) {
        status = invocation.command->run(&invocation);
        invocation_fini(&invocation);
    }
    if (fflush(stdout) != 0) {
        status = status ? status : STATUS_FAILED; /* What was to be told could not be written. */
    }
    return status;
}
