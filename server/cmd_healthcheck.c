/* cmd_healthcheck.c -- "tandem healthcheck": whether the server answers, for containers and
 * supervisors that want a status and no tool beside the binary itself. */
#include "server/reach.h"
#include "server/report.h"

#include <stdio.h>

#define WAIT_NS INT64_C(3000000000) /* What asks gives up by itself, mostly after 5 s or more. */

enum { OPTION_READY, OPTION_URL };
static const struct command_option own_options[] = {
    [OPTION_READY] = {"ready", NULL, "whether it takes work, not only whether it lives"},
    [OPTION_URL] = {"url", "URL", "the server to ask, instead of the project's own"},
    {NULL, NULL, NULL},
};

static enum err
ask(const struct reach *r, const char *path, struct fault *f)
{
    const struct client_request request = {
        .method = "GET", .path = path, .timeout_ns = WAIT_NS}; /* Anybody may ask for these. */
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum err err = client_exchange(&r->target, &request, &reply, f);

    if (!err && reply.status != 200) {
        err = fault_set(f, E_NOT_READY, "GET %s: status %d", path, reply.status);
    }
    buf_fini(&reply.body);
    return err;
}

static int
run(struct invocation *invocation)
{
    const char *path = invocation->values[OPTION_READY] ? "/ready" : "/health";
    struct fault f = FAULT_INIT;
    struct context context;
    struct reach reach;
    enum err err;

    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    err = reach_find(&context, invocation->values[OPTION_URL], &reach, &f);
    if (!err && reach.remote) {
        err = ask(&reach, path, &f);
    } else if (!err) {
        err = fault_set(&f, E_NOT_FOUND, "no server to ask: %s", reach.absent.text);
    }
    if (err) {
        report_fault(stderr, &f);
    } else {
        puts(invocation->values[OPTION_READY] ? "ready" : "healthy");
    }
    reach_fini(&reach);
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_healthcheck = {
    .name = "healthcheck",
    .usage = "",
    .summary = "status 0 if the server answers (with --ready: takes work)",
    .details = "",
    .options = own_options,
    .run = run,
};
