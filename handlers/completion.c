/* completion.c -- completion/complete: what a prompt's argument or a template's variable may be.
 *
 * Values come from what is there now, by prefix.  An argument that may be anything has none. */
#include "handlers/era.h"
#include "handlers/methods.h"
#include "handlers/offers.h"
#include "handlers/resources.h"
#include "handlers/tenant.h"
#include "state/base/json_put.h"
#include "state/budget.h"
#include "state/learnings.h"
#include "state/skills.h"
#include "state/standards.h"
#include "state/state.h"
#include "state/workflow.h"

#include <stdio.h>

/* What was asked; borrowed from the loaded params. */
struct question {
    bool prompt; /* 'name' is a prompt's; else a template. */
    const char *name;
    const char *variable;
    const char *prefix;
    const char *session_id; /* From the context; null if it names none. */
};

static enum err
add_paths(struct request *req, struct offers *values)
{
    struct document_list list;
    enum err err = standards_find(state_standards(req->state), &list, &req->fault);

    for (size_t i = 0; i < list.count; i++) {
        offers_add(values, list.paths[i], NULL);
    }
    document_list_fini(&list);
    return err;
}

static enum err
add_skills(struct request *req, struct offers *values)
{
    struct skills *skills = state_skills(req->state);
    struct skill_paths paths;
    enum err err = skills_find(skills, &paths, &req->fault);

    for (size_t i = 0; i < paths.count; i++) {
        char *file = xasprintf("%s/" SKILL_FILE, paths.paths[i]);
        struct skill *skill = NULL;

        if (skills_load(skills, slice_of(paths.paths[i]), &skill, NULL) == E_OK) {
            offers_add(values, file, NULL);
        }
        skill_free(skill);
        free(file);
    }
    skill_paths_fini(&paths);
    return err;
}

/* Adds member 'id_key' of each of the list 'member' that 'action' answers. */
static enum err
add_ids(struct request *req, workflow_action *action, const char *member, const char *id_key,
        struct offers *values)
{
    json_t *answer = NULL, *entry;
    enum err err = action(state_workflow(req->state), &(struct workflow_args){.action = "list"},
                          &answer, &req->fault);
    size_t i;

    json_array_foreach(err ? NULL : json_object_get(answer, member), i, entry) {
        offers_add(values, json_string_value(json_object_get(entry, id_key)), NULL);
    }
    json_decref(answer);
    return err;
}

static enum err
unknown(struct request *req, const char *what)
{
    return fault_set(&req->fault, E_PARAMS, "%s", what);
}

/* The phases that can be read of the session that the context names; without one, none. */
static enum err
add_phases(struct request *req, const char *session_id, struct offers *values)
{
    struct workflow_args args = {.action = "get_session", .session_id = session_id};
    json_t *answer = NULL, *phase;
    char text[24];
    size_t i;

    if (!session_id ||
        workflow_get_session(state_workflow(req->state), &args, &answer, &(struct fault){0})) {
        json_decref(answer);
        return E_OK; /* What is no session has no phases. */
    }
    snprintf(text, sizeof text, "%d",
             (int)json_integer_value(json_object_get(answer, "current_phase")));
    offers_add(values, text, NULL);
    json_array_foreach(json_object_get(answer, "completed_phases"), i, phase) {
        char other[24];

        snprintf(other, sizeof other, "%d", (int)json_integer_value(phase));
        if (strcmp(other, text) != 0) {
            offers_add(values, other, NULL);
        }
    }
    json_decref(answer);
    return E_OK;
}

/* The tenants whose settings the request may read. */
static enum err
add_tenants(struct request *req, struct offers *values)
{
    json_t *ids = NULL, *id;
    enum err err = tenants_list(state_tenants(req->state), true, &ids, &req->fault);
    size_t i;

    json_array_foreach(ids, i, id) {
        if (tenant_check(req, json_string_value(id), NULL) == E_OK) {
            offers_add(values, json_string_value(id), NULL);
        }
    }
    json_decref(ids);
    return err;
}

/* Adds the texts of an array, or a member of each of its objects.  Steals it. */
static enum err
add_texts(json_t *array, const char *key, struct offers *values)
{
    json_t *entry;
    size_t i;

    json_array_foreach(array, i, entry) {
        offers_add(values, json_string_value(key ? json_object_get(entry, key) : entry), NULL);
    }
    json_decref(array);
    return E_OK;
}

static enum err
complete_template(struct request *req, const struct question *q, struct offers *values)
{
    switch (resources_template(slice_of(q->name), q->variable)) {
    case TEMPLATE_UNKNOWN:
        return unknown(req, "ref.uri is no template of resources/templates/list");
    case TEMPLATE_LACKS_VARIABLE:
        return unknown(req, "argument.name is no variable of this template");
    case TEMPLATE_HAS_VARIABLE:
        break;
    }
    if (strcmp(q->variable, "path") == 0) {
        return add_paths(req, values);
    }
    if (strcmp(q->variable, "file") == 0) {
        return add_skills(req, values);
    }
    if (strcmp(q->variable, "phase") == 0) {
        return add_phases(req, q->session_id, values);
    }
    if (strcmp(q->variable, "client_id") == 0) {
        return add_tenants(req, values);
    }
    if (strcmp(q->variable, "target") == 0) {
        return add_texts(learnings_targets(state_learnings(req->state), req->tenant), NULL, values);
    }
    if (strcmp(q->variable, "tandem_session_id") == 0) {
        return add_texts(budget_notes(state_budget(req->state), req->tenant), "session_id", values);
    }
    return strcmp(q->variable, "id") == 0
               ? add_ids(req, workflow_list_workflows, "workflows", "id", values)
               : add_ids(req, workflow_list_sessions, "sessions", "session_id", values);
}

/* The one argument of our prompts may be any path: nothing is proposed. */
static enum err
complete_prompt(struct request *req, const struct question *q)
{
    json_t *overview = NULL;
    enum err err = E_NOT_FOUND;

    if (strncmp(q->name, "start-", 6) == 0) {
        err = workflow_pack(state_workflow(req->state), q->name + 6, &overview, &req->fault);
    }
    json_decref(overview);
    if (err == E_NOT_FOUND) {
        return unknown(req, "ref.name is no prompt of prompts/list");
    }
    if (!err && strcmp(q->variable, "target_file") != 0) {
        return unknown(req, "argument.name is no argument of this prompt");
    }
    return err;
}

/* Reads the question out of the loaded 'ref' and 'argument'. */
static enum err
read_question(struct request *req, const json_t *ref, const json_t *argument, struct question *q)
{
    const char *type = json_string_value(json_object_get(ref, "type"));

    q->prompt = type && strcmp(type, "ref/prompt") == 0;
    if (!q->prompt && (!type || strcmp(type, "ref/resource") != 0)) {
        return unknown(req, "params.ref.type is neither ref/prompt nor ref/resource");
    }
    q->name = json_string_value(json_object_get(ref, q->prompt ? "name" : "uri"));
    if (!q->name) {
        return unknown(req, q->prompt ? "params.ref.name is missing, or no string"
                                      : "params.ref.uri is missing, or no string");
    }
    q->variable = json_string_value(json_object_get(argument, "name"));
    q->prefix = json_string_value(json_object_get(argument, "value"));
    if (!q->variable || !q->prefix) {
        return unknown(req, "params.argument needs the strings name and value");
    }
    return E_OK;
}

static enum err
find_values(struct request *req, const struct question *q, struct offers *values)
{
    if (offers_fixtures(req) && fixtures_complete(req, q->prompt, q->name, q->variable, values)) {
        return E_OK;
    }
    return q->prompt ? complete_prompt(req, q) : complete_template(req, q, values);
}

static void
write_values(struct request *req, const struct offers *values, const char *prefix)
{
    size_t len = strlen(prefix), total = 0;

    request_member(req, "completion");
    buf_adds(&req->out, "{\"values\":[");
    for (size_t i = 0; i < values->count; i++) {
        if (strncmp(values->all[i].key, prefix, len) == 0 && total++ < OFFERS_PAGE) {
            buf_adds(&req->out, total > 1 ? "," : "");
            buf_add_json(&req->out, slice_of(values->all[i].key));
        }
    }
    buf_addf(&req->out, "],\"total\":%zu,\"hasMore\":%s}", total,
             total > OFFERS_PAGE ? "true" : "false");
}

enum err
completion_complete(struct request *req)
{
    struct offers values = {.all = NULL};
    json_t *ref = NULL, *argument = NULL, *context = NULL;
    struct question q = {.prompt = false};
    enum err err = rpc_load(&req->message.param[RPC_PARAM_REF], "ref", &ref, &req->fault);

    if (!err) {
        err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENT], "argument", &argument, &req->fault);
    }
    if (!err && req->message.param[RPC_PARAM_CONTEXT].kind == KIND_OBJECT) {
        err = rpc_load(&req->message.param[RPC_PARAM_CONTEXT], "context", &context, &req->fault);
    }
    err = err ? err : read_question(req, ref, argument, &q);
    q.session_id =
        json_string_value(json_object_get(json_object_get(context, "arguments"), "session_id"));
    err = err ? err : find_values(req, &q, &values);
    if (!err) {
        offers_sort(&values);
        write_values(req, &values, q.prefix);
    }
    offers_fini(&values);
    json_decref(context);
    json_decref(argument);
    json_decref(ref);
    return err;
}
