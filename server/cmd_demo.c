/* cmd_demo.c -- "tandem demo": the main job in front of your eyes.
 *
 * A real server on a copy of the example project; an IDE on its stdio and two sub-agents, over
 * HTTP and WebSocket, do one piece of work together.  Every answer is checked; the exit status is 0
 * only if every step held. */
#include "server/command.h"
#include "server/demo.h"
#include "server/report.h"
#include "state/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The example: beside the sources, or where "make install" puts it. */
static char *
find_example(void)
{
    static const char *const places[] = {"../../deploy/example", "../deploy/example",
                                         "../share/tandem/example"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof places[0]; i++) {
        char *path = xasprintf("%.*s/%s", (int)(slash - self), self, places[i]);
        char *pack = xasprintf("%s/.tandem/workflows/" DEMO_PACK, path);
        bool there = access(pack, R_OK) == 0;

        free(pack);
        if (there) {
            char *real = realpath(path, NULL);

            free(path);
            return real;
        }
        free(path);
    }
    return NULL;
}

/* On a terminal the server stays for a look around. */
static void
stay(const struct demo *d)
{
    const char *program = program_invocation_name; /* As it was typed: it need not be installed. */
    sigset_t signals;
    int signal_number;

    printf("\nThe server stays up for you at %s, until Ctrl-C. In another terminal, try:\n"
           "    %s status --root %s\n"
           "    %s call --root %s pos_workflow action=get_state session_id=%s\n",
           d->play.server.url, program, d->play.root, program, d->play.root, d->session);
    fflush(stdout);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigwait(&signals, &signal_number);
}

static bool (*const story[])(struct demo *) = {
#define ROW(NAME) demo_##NAME,
    DEMO_STEPS(ROW)
#undef ROW
};

static bool
play_story(struct demo *d, const char *example)
{
    struct fault f = FAULT_INIT;
    int64_t first_ns = 0;

    demo_begin(d);
    if (play_open(&d->play, example, &first_ns, &f) != E_OK) {
        return demo_failed("the server did not start", NULL, &f);
    }
    d->step_start = clock_mono(clock_real()) - first_ns;
    demo_held(d, "IDE", "starts the server and gets its first answer");
    for (size_t i = 0; i < sizeof story / sizeof story[0]; i++) {
        if (!story[i](d)) {
            return false;
        }
    }
    return true;
}

static int
run(struct invocation *invocation)
{
    char *example = invocation->values[0] ? xstrdup(invocation->values[0]) : find_example();
    const char *program = program_invocation_name;
    struct demo d = {.steps = 0};
    unsigned kib = 0;
    bool good, ended;

    if (!example) {
        fprintf(stderr, "tandem demo: the example project is not beside this binary; name it with "
                        "--example DIR\n");
        return STATUS_FAILED;
    }
    signal(SIGPIPE, SIG_IGN);
    good = play_story(&d, example);
    if (good) {
        kib = play_memory_kib(&d.play);
        if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
            stay(&d);
        }
    }
    demo_begin(&d);
    play_watch_close(&d.watcher);
    ended = play_close(&d.play);
    if (good && ended) {
        demo_held(&d, "IDE", "closes the pipe: the server ends with 0 and leaves nothing behind");
        printf("\n%u steps, 3 clients, 1 process, %.1f MiB\n"
               "Next: \"%s setup\" puts it into your editor",
               d.steps, kib / 1024.0, program);
        if (access(example, W_OK) == 0) {
            printf("; \"%s call --root %s pos_workflow action=list_workflows\" asks it", program,
                   example);
        }
        puts(".");
    } else if (good) {
        fprintf(stderr, "tandem demo: the server did not end well\n");
    }
    free(example);
    return good && ended ? STATUS_OK : STATUS_FAILED;
}

static const struct command_option options[] = {
    {"example", "DIR", "the project to play on, instead of the one that comes with tandem"},
    {NULL, NULL, NULL},
};

const struct command command_demo = {
    .name = "demo",
    .usage = "",
    .summary = "show the main job: an IDE and two sub-agents on one server",
    .details =
        "Starts a server of its own on a copy of the example project, plays all three clients, "
        "checks "
        "every answer, and ends with status 0 only if every step held. On a terminal the server "
        "stays up until Ctrl-C.",
    .options = options,
    .most_args = 0,
    .run = run,
};
