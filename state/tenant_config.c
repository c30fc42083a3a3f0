/* tenant_config.c -- the model of a tenant's settings. */
#include "state/tenant_config.h"

#include "state/base/file.h"
#include "state/base/json_put.h"
#include "state/json_bounded.h"
#include "state/json_place.h"
#include "state/tenant_id.h"

#define TEXT_MAX 256 /* Bytes of a name. */

struct checking {
    struct slice text;
    const char *name, *id;
    struct problems *problems; /* Never null. */
};

/* Notes what is wrong with the value that 'path' leads to, or with where it should be. */
static void
wrong(const struct checking *c, const char *path, const char *what)
{
    struct json_place place = json_place(c->text, path);

    problems_add(c->problems, PROBLEM_ERROR, c->name, place.line, place.column, "%s: %s", path + 1,
                 what);
}

/* ---- Values ---- */

/* Up to three parts of letters, digits, '_', '+' and '-', as the names of the time zone database
 * are. */
static bool
is_timezone(const char *text)
{
    unsigned parts = 1;

    for (const char *p = text; *p; p++) {
        bool letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z');

        if (*p == '/' && p > text && p[1] && p[1] != '/') {
            parts++;
        } else if (!letter && !(*p >= '0' && *p <= '9' && p > text) && !strchr("_+-", *p)) {
            return false;
        }
    }
    return *text && strlen(text) < 64 && parts <= 3;
}

static bool
is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

static bool
is_text(const char *text)
{
    return *text && strlen(text) <= TEXT_MAX;
}

static bool
is_id(const char *text)
{
    return tenant_id_valid(slice_of(text));
}

/* A path beneath the project that hides nothing. */
static bool
is_file(const char *text)
{
    size_t depth;

    return path_is_visible(slice_of(text), TEXT_MAX, &depth);
}

static void
check_string(const struct checking *c, const json_t *value, const char *path,
             bool (*is_good)(const char *), const char *what)
{
    if (value && (!json_is_string(value) || !is_good(json_string_value(value)))) {
        wrong(c, path, what);
    }
}

/* ---- Sections ---- */

static void
check_client(const struct checking *c, const json_t *client)
{
    static const struct {
        const char *key, *path;
        bool (*is_good)(const char *);
        const char *what;
    } members[] = {
        {"id", "/client/id", is_id, TENANT_ID_RULE},
        {"name", "/client/name", is_text, "a text of 1 to 256 bytes is needed"},
        {"short_name", "/client/short_name", is_text, "a text of 1 to 256 bytes is needed"},
        {"timezone", "/client/timezone", is_timezone,
         "a time zone such as Europe/Lisbon is needed"},
    };
    const char *id = json_string_value(json_object_get(client, "id"));

    if (!json_is_object(client)) {
        wrong(c, "/client", "an object with id, name, short_name and timezone is needed");
        return;
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const json_t *value = json_object_get(client, members[i].key);

        if (!json_is_string(value) || !members[i].is_good(json_string_value(value))) {
            wrong(c, members[i].path, members[i].what);
        }
    }
    check_string(c, json_object_get(client, "currency"), "/client/currency", is_currency,
                 "a currency of three letters such as EUR is needed");
    if (c->id && id && is_id(id) && strcmp(id, c->id) != 0) {
        wrong(c, "/client/id", "it must be the name of the file without .json");
    }
}

static void
check_agents(const struct checking *c, const json_t *agents)
{
    const char *name;
    json_t *agent;

    json_object_foreach((json_t *)(uintptr_t)agents, name, agent) {
        const json_t *enabled = json_object_get(agent, "enabled");
        char *path = xasprintf("/agents/%s", name), *inside;

        if (!json_is_object(agent)) {
            wrong(c, path, "an object with enabled and prompt_file is needed");
        }
        if (enabled && !json_is_boolean(enabled)) {
            inside = xasprintf("%s/enabled", path);
            wrong(c, inside, "true or false is needed");
            free(inside);
        }
        inside = xasprintf("%s/prompt_file", path);
        check_string(c, json_object_get(agent, "prompt_file"), inside, is_file,
                     "a path without .. and hidden parts is needed");
        free(inside);
        free(path);
    }
}

static void
check_helpdesk(const struct checking *c, const json_t *helpdesk)
{
    const json_t *score = json_object_get(helpdesk, "min_score");

    check_string(c, json_object_get(helpdesk, "index"), "/helpdesk/index", is_id, TENANT_ID_RULE);
    if (score &&
        (!json_is_number(score) || json_number_value(score) < 0 || json_number_value(score) > 1)) {
        wrong(c, "/helpdesk/min_score", "a number from 0 to 1 is needed");
    }
}

static void
check_llm(const struct checking *c, const json_t *llm)
{
    check_string(c, json_object_get(llm, "provider"), "/llm/provider", is_text,
                 "a text of 1 to 256 bytes is needed");
    check_string(c, json_object_get(llm, "tier"), "/llm/tier", is_text,
                 "a text of 1 to 256 bytes is needed");
}

static void
check_meta(const struct checking *c, const json_t *meta)
{
    const json_t *status = json_object_get(meta, "status");
    const char *text = json_string_value(status);

    if (status && (!text || (strcmp(text, "active") != 0 && strcmp(text, "suspended") != 0))) {
        wrong(c, "/_meta/status", "\"active\" or \"suspended\" is needed");
    }
}

static void
check_sections(const struct checking *c, const json_t *config)
{
    static const struct {
        const char *key;
        void (*check)(const struct checking *c, const json_t *section);
    } sections[] = {
        {"branding", NULL}, {"llm", check_llm},       {"helpdesk", check_helpdesk}, {"quota", NULL},
        {"features", NULL}, {"agents", check_agents}, {"_meta", check_meta},
    };

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const json_t *section = json_object_get(config, sections[i].key);

        if (section && !json_is_object(section)) {
            char *path = xasprintf("/%s", sections[i].key);

            wrong(c, path, "an object is needed");
            free(path);
        } else if (section && sections[i].check) {
            sections[i].check(c, section);
        }
    }
}

/* ---- Files ---- */

/* The tree of the text; or null, and why. */
static json_t *
load(const struct checking *c)
{
    const struct json_bounds bounds = {TENANT_DEPTH_MAX, TENANT_VALUES_MAX};
    json_error_t error;
    json_t *tree;

    if (c->text.len > TENANT_FILE_MAX) {
        problems_add(c->problems, PROBLEM_ERROR, c->name, 0, 0, "it has more than %zu bytes",
                     TENANT_FILE_MAX);
        return NULL;
    }
    if (!json_bounds_hold(c->text, &bounds)) {
        problems_add(c->problems, PROBLEM_ERROR, c->name, 0, 0,
                     "it has more than %d values, or more than %d containers within each other",
                     TENANT_VALUES_MAX, TENANT_DEPTH_MAX);
        return NULL;
    }
    tree =
        json_loadb(c->text.data ? c->text.data : "", c->text.len, JSON_REJECT_DUPLICATES, &error);
    if (!tree) {
        problems_add(c->problems, PROBLEM_ERROR, c->name, error.line > 0 ? (unsigned)error.line : 1,
                     error.column > 0 ? (unsigned)error.column : 1, "not JSON: %s", error.text);
    } else if (!json_is_object(tree)) {
        problems_add(c->problems, PROBLEM_ERROR, c->name, 1, 1, "it must be one JSON object");
        json_decref(tree);
        tree = NULL;
    }
    return tree;
}

/* Tells the first error from 'at' on. */
static enum err
tell_first(const struct problems *problems, size_t at, const char *name, struct fault *f)
{
    while (at < problems->count && problems->items[at].severity != PROBLEM_ERROR) {
        at++;
    }
    if (at < problems->count) {
        const struct problem *p = &problems->items[at];

        fault_at(f, E_REFUSED, p->line, p->column, "%s:%u:%u: %s", name, p->line, p->column,
                 p->text);
    } else {
        fault_set(f, E_REFUSED, "%s: there are too many problems to tell", name);
    }
    return fault_remedy(f, "mend it; \"tandem check\" tells all that is wrong with a file");
}

enum err
tenant_config_parse(struct slice text, const char *id, const char *name, struct problems *problems,
                    json_t **config, struct fault *f)
{
    struct problems own = PROBLEMS_INIT;
    struct checking c = {text, name, id, problems ? problems : &own};
    size_t errors = c.problems->errors, count = c.problems->count;
    enum err err = E_OK;

    *config = load(&c);
    if (*config) {
        check_client(&c, json_object_get(*config, "client"));
        check_sections(&c, *config);
    }
    if (c.problems->errors > errors) {
        err = tell_first(c.problems, count, name, f);
        json_decref(*config);
        *config = NULL;
    }
    problems_fini(&own);
    return err;
}

json_t *
tenant_config_default(const char *id)
{
    json_t *config = json_must(json_object()), *client = json_must(json_object());

    json_put_text(client, "id", id);
    json_put_text(client, "name", id);
    json_put_text(client, "short_name", id);
    json_put_text(client, "timezone", "UTC");
    json_put_text(client, "currency", "USD");
    json_put(config, "client", client);
    return config;
}

void
tenant_config_merge(json_t *config, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(config, key);
        } else if (json_is_object(value)) {
            tenant_config_merge(json_own(config, key, json_must(json_object())), value);
        } else {
            json_put(config, key, json_clone(value));
        }
    }
}

bool
tenant_config_suspended(const json_t *config)
{
    const char *status =
        json_string_value(json_object_get(json_object_get(config, "_meta"), "status"));

    return status && strcmp(status, "suspended") == 0;
}
