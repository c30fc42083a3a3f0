/* cmd_doctor.c -- "tandem doctor": whether the clients that are set up will find this server, and
 * what its sandbox would be.
 *
 * It looks from their side: reads the entry that a client has, runs the command that stands there
 * as an editor would, or asks the URL, and says what mends what is wrong. */
#include "server/context.h"
#include "server/handshake.h"
#include "server/reach.h"
#include "server/report.h"
#include "server/sandbox.h"
#include "server/setup_token.h"
#include "state/version.h"

#include <stdio.h>

#define PATIENCE_NS INT64_C(20000000000)
#define ARGV_MAX 64u

struct doctor {
    struct context *context;
    unsigned looked_at, findings;
};

/* A client's entry that is looked at. */
struct patient {
    const struct setup_client *client;
    enum setup_scope scope;
    const char *file; /* Borrowed. */
};

static void
good(const struct patient *p, const char *text)
{
    printf("ok   %-15s %s: %s\n", p->client->name, p->file, text);
}

static void
finding(struct doctor *d, const struct patient *p, const struct fault *f)
{
    const char *scope =
        p->scope == SETUP_USER && p->client->files[SETUP_PROJECT] ? " --scope user" : "";

    d->findings++;
    printf("BAD  %-15s %s: %s\n", p->client->name, p->file, f->text);
    if (f->remedy[0]) {
        printf("     %s\n", f->remedy);
    } else {
        printf("     tandem setup %s --write%s makes the entry anew\n", p->client->name, scope);
    }
}

/* The text of the entry's first member of these; null if it has none. */
static const char *
first_of(const json_t *entry, const char *const *keys)
{
    const char *text = NULL;

    for (; *keys && !text; keys++) {
        text = json_string_value(json_object_get(entry, *keys));
    }
    return text;
}

/* 'text' as the client reads it: the folder it names is the project's; new. */
static char *
expanded(const char *text, const char *name, const char *value)
{
    const char *at = name && name[0] ? strstr(text, name) : NULL;

    return at ? xasprintf("%.*s%s%s", (int)(at - text), text, value, at + strlen(name))
              : xstrdup(text);
}

/* The entry's command line, for free_argv(); false if it has none. */
static bool
read_argv(const struct patient *p, const json_t *entry, const char *root, char *argv[ARGV_MAX + 1])
{
    static const char *const commands[] = {"command", "cmd", NULL};
    const json_t *list = json_object_get(entry, "command"), *args = json_object_get(entry, "args");
    const char *command = first_of(entry, commands);
    size_t count = 0, i;
    json_t *arg;

    if (command) {
        argv[count++] = expanded(command, p->client->root, root);
        list = args;
    }
    json_array_foreach(list, i, arg) {
        if (count < ARGV_MAX && json_is_string(arg)) {
            argv[count++] = expanded(json_string_value(arg), p->client->root, root);
        }
    }
    argv[count] = NULL;
    return count > 0;
}

static void
free_argv(char **argv)
{
    for (; *argv; argv++) {
        free(*argv);
    }
}

/* The project that a command line serves; null if it does not say. */
static const char *
root_of(char *const *argv)
{
    for (; *argv; argv++) {
        if (strcmp(*argv, "--root") == 0) {
            return argv[1];
        }
        if (strncmp(*argv, "--root=", 7) == 0) {
            return *argv + 7;
        }
    }
    return NULL;
}

static enum err
look_at_command(const struct doctor *d, char **argv, struct handshake *h, struct fault *f)
{
    const char *root = root_of(argv);
    enum err err;

    if (argv[0][0] != '/') {
        return fault_set(f, E_REFUSED,
                         "\"%s\" is no absolute path: editors search elsewhere than "
                         "a shell does",
                         argv[0]);
    }
    if (!root) {
        return fault_set(f, E_REFUSED,
                         "the command names no project (--root): an editor may start "
                         "it in any folder");
    }
    err = handshake_stdio((const char *const *)argv, PATIENCE_NS, h, f);
    if (err == E_IO || err == E_TIMEOUT) {
        fault_remedy(f, "see what it says: %s %s --root %s </dev/null", argv[0],
                     argv[1] ? argv[1] : "", root);
    }
    if (!err && strcmp(root, d->context->project.root) != 0) {
        printf("note it serves another project than this one: %s\n", root);
    }
    return err;
}

static enum err
look_at_url(const struct patient *p, const json_t *entry, const char *url, struct handshake *h,
            struct fault *f)
{
    struct setup_token token = setup_token_of(p->client, entry);
    const char *shown = token.variable[0] ? getenv(token.variable) : token.literal;
    enum err err = handshake_http(url, shown, PATIENCE_NS, h, f);

    if (err == E_UNAUTHORIZED && strcmp(token.variable, CLIENT_TOKEN) == 0) {
        fault_remedy(f, "set TANDEM_TOKEN where the client starts: eval \"$(tandem env)\"");
    } else if (err == E_UNAUTHORIZED && token.variable[0]) {
        fault_remedy(f, "set %s where the client starts, to the token that \"tandem env\" tells",
                     token.variable);
    } else if (err && err != E_UNAUTHORIZED) {
        fault_remedy(f, "start it with: tandem serve --listen, and the port of that URL");
    }
    return err;
}

static void
look_at_entry(struct doctor *d, const struct patient *p, const json_t *entry)
{
    static const char *const urls[] = {"url", "serverUrl", "httpUrl", "uri", NULL};
    const char *url = first_of(entry, urls);
    struct handshake h = {.name = ""};
    char *argv[ARGV_MAX + 1] = {NULL};
    struct fault f = FAULT_INIT;
    char text[200];
    enum err err;

    if (url) {
        err = look_at_url(p, entry, url, &h, &f);
    } else if (read_argv(p, entry, d->context->project.root, argv)) {
        err = look_at_command(d, argv, &h, &f);
    } else {
        err = fault_set(&f, E_REFUSED, "the entry has neither a command nor a URL");
    }
    if (!err && strcmp(h.name, TANDEM_NAME) != 0) {
        err = fault_set(&f, E_REFUSED, "what answers calls itself \"%s\"", h.name);
    } else if (!err && strcmp(h.version, TANDEM_VERSION) != 0) {
        err = fault_set(&f, E_REFUSED, "what answers is version %s; this one is " TANDEM_VERSION,
                        h.version);
    }
    if (err) {
        finding(d, p, &f);
    } else {
        snprintf(text, sizeof text, "%s as " TANDEM_NAME " %s, in both eras",
                 url ? "answers by HTTP" : "starts and answers", h.version);
        good(p, text);
    }
    free_argv(argv);
}

static void
look_at_file(struct doctor *d, const struct setup_client *client, enum setup_scope scope)
{
    char *file = setup_file(client, scope, d->context->project.root);
    struct patient p = {.client = client, .scope = scope, .file = file};
    struct setup setup = SETUP_INIT;
    struct fault f = FAULT_INIT;
    json_t *entry = NULL;
    enum err err;

    if (!file) {
        return;
    }
    err = setup_open(&setup, client, file, &f);
    if (!err && setup.there) {
        err = setup_read(&setup, &entry, &f);
    }
    if (err) {
        d->looked_at++;
        finding(d, &p, &f);
    } else if (entry) {
        d->looked_at++;
        look_at_entry(d, &p, entry);
        if (setup_token_check(&setup, entry, &f)) {
            finding(d, &p, &f);
        }
    }
    json_decref(entry);
    setup_fini(&setup);
}

/* What a server would give up here: see serve_sandbox.c. */
static void
look_at_sandbox(struct doctor *d)
{
    const unsigned wanted = d->context->settings->sandbox;
    struct fault files = FAULT_INIT, calls = FAULT_INIT;
    const char *mark = "ok", *text = "auto: a server is shut in";
    unsigned abi;
    bool whole = sandbox_knows_files(&abi, &files) == E_OK;

    whole = sandbox_knows_calls(&calls) == E_OK && whole;
    if (wanted == SANDBOX_OFF) {
        mark = "note";
        text = "off: a server keeps all that its user may do, though it needs little of that";
    } else if (!whole && wanted == SANDBOX_ON) {
        mark = "BAD";
        text = "on: a server refuses to start, for not all of it is there";
        d->findings++;
    } else if (!whole) {
        mark = "note";
        text = "auto: a server does without what is not there";
    } else if (wanted == SANDBOX_ON) {
        text = "on: a server is shut in";
    }
    printf("%-4s %-15s %s\n", mark, "sandbox", text);
    if (abi) {
        printf("     files: Landlock, ABI %u\n", abi);
    } else {
        printf("     files: %s\n", files.text);
    }
    printf("     system calls: %s\n", calls.code ? calls.text : "seccomp");
    if (wanted == SANDBOX_ON && !whole) {
        puts("     let it do what it can, with --sandbox auto, or run it where there is both");
    }
}

static int
run(struct invocation *invocation)
{
    const char *only = invocation->arg_count ? invocation->args[0] : NULL;
    struct context context;
    struct doctor doctor = {.context = &context};
    const struct setup_client *client;
    struct fault f = FAULT_INIT;

    if (only && setup_client_find(only, &client, &f)) {
        report_fault(stderr, &f);
        return STATUS_USAGE;
    }
    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    for (const struct setup_client *c = setup_clients; c->name; c++) {
        if (!only || strcmp(only, c->name) == 0) {
            look_at_file(&doctor, c, SETUP_PROJECT);
            look_at_file(&doctor, c, SETUP_USER);
        }
    }
    if (!doctor.looked_at) {
        doctor.findings++;
        printf("BAD  no client %shas an entry for tandem\n     tandem setup CLIENT --write makes "
               "one; \"tandem setup\" lists the clients\n",
               only ? "of that name " : "");
    }
    look_at_sandbox(&doctor);
    if (doctor.findings) {
        printf("%u finding%s\n", doctor.findings, doctor.findings == 1 ? "" : "s");
    } else {
        puts("no finding");
    }
    context_close(&context);
    return doctor.findings ? STATUS_FAILED : STATUS_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[CLIENT]",
    .summary = "check the clients that are set up, and the sandbox here",
    .details = "Runs the command of each entry as an editor does, without an environment and in "
               "the folder /, or asks its URL; shakes hands in both eras of MCP; says what is "
               "wrong, and what mends it. Then what of the sandbox a server here would have: "
               "whether the kernel has Landlock and filters of system calls, and what the setting "
               "makes of that. Status 1 if anything is wrong.",
    .most_args = 1,
    .run = run,
};
