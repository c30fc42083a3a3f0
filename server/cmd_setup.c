/* cmd_setup.c -- "tandem setup": the entry that makes an editor or an agent use this server. */
#include "server/context.h"
#include "server/reach.h"
#include "server/report.h"
#include "server/setup_token.h"
#include "server/text_diff.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPTION_WRITE, OPTION_SCOPE, OPTION_TRANSPORT, OPTION_URL, OPTION_UNDO };
static const struct command_option own_options[] = {
    [OPTION_WRITE] = {"write", NULL, "change the client's file, keeping the old one beside it"},
    [OPTION_SCOPE] = {"scope", "project|user", "for this project, or all of the user's"},
    [OPTION_TRANSPORT] = {"transport", "stdio|http", "start a server (default), or use this one"},
    [OPTION_URL] = {"url", "URL", "with http: the server, instead of the project's own"},
    [OPTION_UNDO] = {"undo", NULL, "put the old file back, or take the entry out"},
    {NULL, NULL, NULL},
};

/* What was asked for. */
struct wish {
    const struct setup_client *client;
    enum setup_scope scope;
    enum setup_transport transport;
    bool write, undo;
    const char *url;
};

/* Which of two words an option says; 'fallback' if it was not given. */
static bool
choose(const char *option, const char *given, const char *first, const char *second, int fallback,
       int *chosen)
{
    *chosen = !given                       ? fallback
              : strcmp(given, first) == 0  ? 0
              : strcmp(given, second) == 0 ? 1
                                           : -1;
    if (*chosen < 0) {
        fprintf(stderr, "tandem: --%s is %s or %s, not \"%s\"\n", option, first, second, given);
    }
    return *chosen >= 0;
}

static bool
understand(const struct invocation *invocation, struct wish *wish)
{
    struct fault f = FAULT_INIT;
    int scope, transport;

    *wish = (struct wish){
        .write = invocation->values[OPTION_WRITE] != NULL,
        .undo = invocation->values[OPTION_UNDO] != NULL,
        .url = invocation->values[OPTION_URL],
    };
    if (setup_client_find(invocation->args[0], &wish->client, &f)) {
        report_fault(stderr, &f);
        return false;
    }
    if (!choose("scope", invocation->values[OPTION_SCOPE], "project", "user",
                wish->client->files[SETUP_PROJECT] ? SETUP_PROJECT : SETUP_USER, &scope) ||
        !choose("transport", invocation->values[OPTION_TRANSPORT], "stdio", "http", SETUP_STDIO,
                &transport)) {
        return false;
    }
    if (wish->write && wish->undo) {
        fputs("tandem: --write and --undo exclude each other\n", stderr);
        return false;
    }
    wish->scope = (enum setup_scope)scope;
    wish->transport = (enum setup_transport)transport;
    return true;
}

/* A file as people write it. */
static void
print_file(const struct setup_client *client, enum setup_scope scope)
{
    char *file = setup_file(client, scope, "");
    const char *home = getenv("HOME");
    size_t len = home ? strlen(home) : 0;

    if (file && scope == SETUP_USER && len && strncmp(file, home, len) == 0) {
        printf("~%s", file + len);
    } else if (file) {
        fputs(scope == SETUP_PROJECT ? file + 1 : file, stdout);
    }
    free(file);
}

static int
list_clients(void)
{
    for (const struct setup_client *c = setup_clients; c->name; c++) {
        printf("%-15s %-15s ", c->name, c->title);
        print_file(c, SETUP_PROJECT);
        fputs(c->files[SETUP_PROJECT] && c->files[SETUP_USER] ? ", or " : "", stdout);
        print_file(c, SETUP_USER);
        putchar('\n');
    }
    return STATUS_OK;
}

/* The path of this program, new: as a shell finds it, if that is this one, since that outlives an
 * update; else where it is. */
static char *
own_path(void)
{
    const char *path = getenv("PATH");
    char self[PATH_MAX];
    struct stat mine, found;

    if (!realpath("/proc/self/exe", self)) {
        return NULL;
    }
    while (path && *path && stat(self, &mine) == 0) {
        size_t len = strcspn(path, ":");
        char *candidate = xasprintf("%.*s/tandem", (int)len, path);

        if (candidate[0] == '/' && stat(candidate, &found) == 0 && found.st_ino == mine.st_ino &&
            found.st_dev == mine.st_dev) {
            return candidate;
        }
        free(candidate);
        path += len + (path[len] == ':');
    }
    return xstrdup(self);
}

/* The entry that is wished for, new. */
static enum err
make_entry(struct context *context, const struct wish *wish, json_t **entry, struct fault *f)
{
    char *command = own_path();
    struct setup_values values = {.command = command, .root = context->project.root};
    struct reach reach = {.remote = false};
    enum err err = command ? E_OK : fault_set(f, E_IO, "where this program is, is not known");

    if (!err && wish->transport == SETUP_HTTP) {
        err = reach_find(context, wish->url, &reach, f);
        if (!err && !reach.remote) {
            err = fault_set(f, E_NOT_FOUND, "no server runs whose URL could be told: %s",
                            reach.absent.text);
            fault_remedy(f, "start one with: tandem serve, or name it: --url URL");
        }
        values.url = reach.url;
        values.token = reach.token;
    }
    if (!err) {
        err = setup_entry(wish->client, wish->scope, wish->transport, &values, entry, f);
    }
    reach_fini(&reach);
    free(command);
    return err;
}

/* Prints 'text' without the token, which may stay on the screen for long. */
static void
print_without(const char *text, const char *token)
{
    const char *at;

    while (token && (at = strstr(text, token)) != NULL) {
        printf("%.*s(token)", (int)(at - text), text);
        text = at + strlen(token);
    }
    fputs(text, stdout);
}

static void
print_change(const struct setup *s, const json_t *entry)
{
    struct setup_token token = setup_token_of(s->client, entry);
    struct buf text = BUF_INIT;

    text_diff(&text, s->path, buf_slice(&s->before), buf_slice(&s->after));
    print_without(text.data ? text.data : "", token.literal);
    buf_fini(&text);
}

/* What would be written, or nothing if it is there already. */
static enum err
plan(struct setup *s, json_t *entry, bool *same, struct fault *f)
{
    json_t *old = NULL;
    enum err err = setup_read(s, &old, f);

    if (!err) {
        setup_token_keep(s->client, old, entry);
        err = setup_plan(s, entry, f);
    }
    *same = !err && slice_equal(buf_slice(&s->before), buf_slice(&s->after));
    json_decref(old);
    return err;
}

static enum err
apply(struct setup *s, const struct wish *wish, json_t *entry, struct fault *f)
{
    bool kept = false, same;
    enum err err = plan(s, entry, &same, f);

    if (err) {
        return err;
    }
    if (same) {
        printf("%s has this entry already\n", s->path);
        return setup_token_check(s, entry, f);
    }
    print_change(s, entry);
    err = setup_token_check(s, entry, f);
    if (err) {
        puts("");
        return err;
    }
    if (!wish->write) {
        puts("\nNothing is changed yet: --write does it.");
        return E_OK;
    }
    err = setup_write(s, &kept, f);
    if (!err) {
        printf("\nWritten%s%s%s. Now %s.\n", kept ? ", the old file is beside it as " : "",
               kept ? s->name : "", kept ? SETUP_BACKUP : "", wish->client->next);
    }
    return err;
}

static enum err
undo(struct setup *s, struct fault *f)
{
    static const char *const texts[] = {
        [SETUP_RESTORED] = "is what it was before",
        [SETUP_REMOVED] = "was not there before, and is gone",
        [SETUP_TAKEN_OUT] = "has changed since; the entry is taken out, the rest is as it was",
    };
    enum setup_undone undone;
    enum err err = setup_undo(s, &undone, f);

    if (!err) {
        printf("%s %s\n", s->path, texts[undone]);
    }
    return err;
}

static int
run(struct invocation *invocation)
{
    struct fault f = FAULT_INIT;
    struct setup setup = SETUP_INIT;
    struct context context;
    json_t *entry = NULL;
    struct wish wish;
    char *path;
    enum err err;

    if (invocation->arg_count == 0) {
        return list_clients();
    }
    if (!understand(invocation, &wish)) {
        return STATUS_USAGE;
    }
    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    err = wish.undo ? E_OK : make_entry(&context, &wish, &entry, &f);
    path = err ? NULL : setup_file(wish.client, wish.scope, context.project.root);
    err = err ? err : setup_open(&setup, wish.client, path, &f);
    err = err ? err : wish.undo ? undo(&setup, &f) : apply(&setup, &wish, entry, &f);
    if (err) {
        report_fault(stderr, &f);
    }
    setup_fini(&setup);
    json_decref(entry);
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_setup = {
    .name = "setup",
    .usage = "[CLIENT]",
    .summary = "make an editor or an agent use this server; lists those it knows",
    .details =
        "Prints what would change in the client's configuration; --write does it. Only the "
        "entry \"tandem\" is touched. With --transport http the token is not written where "
        "the client can read it from the variable TANDEM_TOKEN (see \"tandem env\"), and else only "
        "into a file that nobody but you can read; such a server wants --listen with a "
        "port, so that it is at the same place each time.",
    .options = own_options,
    .most_args = 1,
    .run = run,
};
