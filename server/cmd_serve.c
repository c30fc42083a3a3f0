/* cmd_serve.c -- "tandem serve", also plain "tandem". */
#include "server/serve.h"

static int
run(struct invocation *invocation)
{
    struct context context;
    int status = STATUS_FAILED;

    if (context_open(invocation, &context)) {
        status = serve_run(&context);
        context_close(&context);
    }
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .usage = "",
    .summary = "run the server, on stdio and over HTTP (also plain \"tandem\")",
    .details = "Where it listens and the token that HTTP clients must show are written to "
               "server.json in the project's data folder, readable by this user only. It ends with "
               "its standard input, or on SIGINT or SIGTERM, or when its terminal hangs up, after "
               "the calls that run have been answered; a second signal ends it at once. SIGHUP "
               "for any other reason, and always under nohup or a service manager, has it read "
               "anew what files say: the settings, keys of tokens, packs, standards, tenants. "
               "Where the project is served already it passes the "
               "lines of its standard input to that server, and takes its place when it goes. "
               "Under systemd it serves the sockets that it is given (LISTEN_FDS), tells how it is "
               "(NOTIFY_SOCKET), keeps the watchdog (WATCHDOG_USEC), and writes its log for the "
               "journal.",
    .most_args = 0,
    .serves = true,
    .run = run,
};
