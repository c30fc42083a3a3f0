/* cmd_status.c -- "tandem status": whether the project's server runs, and how it is. */
#include "server/reach.h"
#include "server/report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_JSON, OPTION_URL };
static const struct command_option own_options[] = {
    [OPTION_JSON] = {"json", NULL, "as JSON: what get_server_info says, and the url"},
    [OPTION_URL] = {"url", "URL", "the server to ask, instead of the project's own"},
    {NULL, NULL, NULL},
};

static void
print_uptime(double seconds)
{
    unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

    printf("%-12s ", "uptime");
    if (s >= 86400) {
        printf("%lud ", s / 86400);
    }
    if (s >= 3600) {
        printf("%luh ", s / 3600 % 24);
    }
    if (s >= 60) {
        printf("%lum ", s / 60 % 60);
    }
    printf("%lus\n", s % 60);
}

static void
print_text(const char *label, const json_t *value)
{
    if (json_is_string(value)) {
        printf("%-12s %s\n", label, json_string_value(value));
    } else if (json_is_integer(value)) {
        printf("%-12s %lld\n", label, (long long)json_integer_value(value));
    }
}

/* The members of an object that are numbers, in one line: "live 2, started 5". */
static void
print_numbers(const char *label, json_t *object)
{
    const char *separator = "";
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        return;
    }
    printf("%-12s ", label);
    json_object_foreach(object, key, value) {
        if (json_is_integer(value)) {
            printf("%s%s %lld", separator, key, (long long)json_integer_value(value));
            separator = ", ";
        }
    }
    putchar('\n');
}

/* Where the console is.  Its token goes along only to a person's own screen: it lets in whoever has
 * it, and a pipe may end in a log. */
static void
print_console(const struct reach *r, const char *url)
{
    const char *path = strstr(url, "://");
    size_t origin = path ? strcspn(path + 3, "/") + (size_t)(path + 3 - url) : 0;

    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
        printf("%-12s %.*s/%s%s\n", "console", (int)origin, url,
               r->token && isatty(STDOUT_FILENO) ? "#token=" : "",
               r->token && isatty(STDOUT_FILENO) ? r->token : "");
    }
}

/* What is not known of a cache is told as "-", never as 0. */
static void
print_cache(const char *name, const json_t *cache)
{
    static const struct {
        const char *member, *word;
    } rows[] = {{"hits", "hits"},
                {"misses", "misses"},
                {"double_loads", "double loads"},
                {"lock_waits", "lock waits"}};

    printf("%-12s %s:", "cache", name);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *value = json_object_get(cache, rows[i].member);

        if (json_is_integer(value)) {
            printf("%s %s %lld", i ? "," : "", rows[i].word, (long long)json_integer_value(value));
        } else {
            printf("%s %s -", i ? "," : "", rows[i].word);
        }
    }
    putchar('\n');
}

static void
print_info(const struct reach *r, const char *url, const json_t *info)
{
    const json_t *server = json_object_get(info, "server");
    json_t *caches = json_object_get(info, "caches");
    const char *name;
    json_t *cache;

    printf("%-12s %s\n", "url", url);
    print_console(r, url);
    print_text("pid", json_object_get(server, "pid"));
    print_text("version", json_object_get(server, "version"));
    print_text("mode", json_object_get(server, "transport_mode"));
    print_text("managed by", json_object_get(server, "managed_by"));
    print_text("started", json_object_get(server, "started_at"));
    print_uptime(json_number_value(json_object_get(server, "uptime_seconds")));
    print_text("project", json_object_get(json_object_get(info, "project"), "name"));
    print_numbers("mcp", json_object_get(info, "mcp_sessions"));
    print_numbers("workflow", json_object_get(info, "sessions"));
    print_numbers("in flight", json_object_get(info, "requests_in_flight"));
    print_numbers("index", json_object_get(info, "index"));
    json_object_foreach(caches, name, cache) {
        print_cache(name, cache);
    }
}

/* Prints what the server said about itself. */
static enum err
tell(const struct reach *r, const char *url, const struct client_reply *reply, bool as_json,
     struct fault *f)
{
    json_t *info = json_loadb(reply->body.data ? reply->body.data : "", reply->body.len, 0, NULL);
    const char *instance =
        json_string_value(json_object_get(json_object_get(info, "server"), "instance"));
    enum err err = E_OK;

    if (reply->status == 401) {
        err = fault_set(f, E_UNAUTHORIZED, "the server at %s asks for another token", url);
    } else if (reply->status != 200 || !json_is_object(info)) {
        err = fault_set(f, E_IO, "the server at %s answered with status %d", url, reply->status);
    } else if (r->discovery.instance &&
               (!instance || strcmp(instance, r->discovery.instance) != 0)) {
        err = fault_set(f, E_CONFLICT, "at %s another server answers than server.json names", url);
    } else if (as_json) {
        json_object_set_new(info, "url", json_string(url));
        json_dumpf(info, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        putchar('\n');
    } else {
        print_info(r, url, info);
    }
    json_decref(info);
    return err;
}

static int
run(struct invocation *invocation)
{
    bool as_json = invocation->values[OPTION_JSON] != NULL;
    const char *url = invocation->values[OPTION_URL];
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct fault f = FAULT_INIT;
    struct context context;
    struct reach reach;
    enum err err;

    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    err = reach_find(&context, url, &reach, &f);
    if (!err && reach.remote) {
        err = reach_ask(&context, &reach, "POST", "/api/tools/get_server_info", SLICE("{}"), &reply,
                        &f);
        if (!err) {
            err = tell(&reach, reach.url, &reply, as_json, &f);
        } else if (reach.discovery.url) {
            fprintf(stderr, "tandem: process %ld does not answer at %s\n",
                    (long)reach.discovery.pid, reach.discovery.url);
        }
    } else if (!err && reach.discovery.pid) {
        const struct discovery *d = &reach.discovery;

        printf("%-12s %ld\n%-12s stdio\n%-12s %s\n%-12s %s\n", "pid", (long)d->pid, "mode",
               "managed by", d->managed_by ? d->managed_by : "?", "started",
               d->started_at ? d->started_at : "?");
    } else if (!err) {
        err = fault_set(&f, E_NOT_FOUND, "no server runs for this project: %s", reach.absent.text);
        fault_remedy(&f, "start one with: tandem serve");
    }
    if (err) {
        report_fault(stderr, &f);
    }
    buf_fini(&reply.body);
    reach_fini(&reach);
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_status = {
    .name = "status",
    .usage = "",
    .summary = "tell whether the project's server runs, where, and how it is",
    .details =
        "\"managed by\" says who has started the server, and ends it: systemd with the unit, a "
        "container, another service manager, the client on its standard input with the name "
        "of that process, a terminal, or nobody.",
    .options = own_options,
    .run = run,
};
