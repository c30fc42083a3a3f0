/* cmd_env.c -- "tandem env": where the project's server is and what it asks for, for programs that
 * find no server.json: sub-agents in other folders, scripts, containers.
 *
 * What it prints is the variables CLIENT_... of state/config.h: "call", "tools", "status" and
 * "watch" read them again, wherever they run. */
#include "server/reach.h"
#include "server/report.h"

#include <jansson.h>
#include <stdio.h>

enum { OPTION_JSON, OPTION_URL };
static const struct command_option own_options[] = {
    [OPTION_JSON] = {"json", NULL, "as a JSON object"},
    [OPTION_URL] = {"url", "URL", "the server to tell of, instead of the project's own"},
    {NULL, NULL, NULL},
};

/* Prints 'text' as one word of a shell's: nothing in single quotes is special but their end. */
static void
print_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            putchar(*text);
        }
    }
    putchar('\'');
}

static void
print_variable(json_t *json, const char *name, const char *value)
{
    if (!value || !value[0]) {
        return;
    }
    if (json) {
        json_object_set_new(json, name, json_string(value));
    } else {
        printf("export %s=", name);
        print_quoted(value);
        putchar('\n');
    }
}

static void
tell(const struct reach *r, bool as_json)
{
    json_t *json = as_json ? json_object() : NULL;
    char *ws = discovery_ws_url(r->url);

    print_variable(json, CLIENT_URL, r->url);
    print_variable(json, CLIENT_WS_URL, ws);
    print_variable(json, CLIENT_TOKEN, r->token);
    if (json) {
        json_dumpf(json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    free(ws);
    json_decref(json);
}

static int
run(struct invocation *invocation)
{
    struct fault f = FAULT_INIT;
    struct context context;
    struct reach reach;
    enum err err;

    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    err = reach_find(&context, invocation->values[OPTION_URL], &reach, &f);
    if (!err && !reach.remote) {
        err = fault_set(&f, E_NOT_FOUND, "no server to tell of: %s", reach.absent.text);
        fault_remedy(&f, "start one with: tandem serve");
    }
    if (err) {
        report_fault(stderr, &f);
    } else {
        tell(&reach, invocation->values[OPTION_JSON] != NULL);
    }
    reach_fini(&reach);
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_env = {
    .name = "env",
    .usage = "",
    .summary = "print the server's address and token for sub-agents",
    .details = "As lines for a shell: eval \"$(tandem env)\". Whoever has them may use the server; "
               "\"call\", \"tools\", \"status\" and \"watch\" do so by themselves.",
    .options = own_options,
    .run = run,
};
