/* prompts.c -- prompts/list and prompts/get: one prompt a pack, "start-<id>", that tells an agent
 * to work through it. */
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/icons.h"
#include "handlers/offers.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/state.h"
#include "state/workflow.h"

#define PREFIX "start-"
#define NAME_MAX_BYTES 1024u
#define TARGET_MAX 4096u

static const char target_description[] =
    "What the work is about: a path relative to the project's folder.";

static json_t *
describe(const struct request *req, const char *name, const json_t *pack)
{
    const char *title = json_string_value(json_object_get(pack, "name"));
    const char *description = json_string_value(json_object_get(pack, "description"));
    json_t *prompt = json_must(json_object());

    json_put_text(prompt, "name", name);
    if (title && era_knows(req, REVISION_2025_06_18)) {
        json_put_text(prompt, "title", title);
    }
    json_put_text(prompt, "description",
                  description && *description ? description : "Works through this pack.");
    json_put(prompt, "arguments",
             json_must(json_pack("[{s:s, s:s, s:b}]", "name", "target_file", "description",
                                 target_description, "required", 1)));
    icons_put(req, prompt, ICON_PACK);
    return prompt;
}

enum err
prompts_list(struct request *req)
{
    struct offers o = {.all = NULL};
    json_t *answer = NULL, *pack;
    enum err err = workflow_list_workflows(state_workflow(req->state),
                                           &(struct workflow_args){.action = "list_workflows"},
                                           &answer, &req->fault);
    size_t i;

    json_array_foreach(err ? NULL : json_object_get(answer, "workflows"), i, pack) {
        char *name = xasprintf(PREFIX "%s", json_string_value(json_object_get(pack, "id")));

        offers_add(&o, name, describe(req, name, pack));
        free(name);
    }
    json_decref(answer);
    if (!err) {
        if (offers_fixtures(req)) {
            fixtures_add_prompts(req, &o);
        }
        err = offers_write_page(req, "prompts", &o);
    }
    offers_fini(&o);
    if (!err) {
        era_add_cache(req, OFFERS_TTL_MS, true);
    }
    return err;
}

/* ---- prompts/get ---- */

static enum err
read_name(const struct request *req, struct buf *name, struct fault *f)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_NAME];

    if (value->kind != KIND_STRING || !json_string_add(value->raw, name) || !name->len) {
        return fault_set(f, E_PARAMS, "params.name is missing, or no string");
    }
    return E_OK;
}

enum err
prompts_prepare(struct request *req, enum runs *runs)
{
    const struct json_value *arguments = &req->message.param[RPC_PARAM_ARGUMENTS];
    struct buf name = {.limit = NAME_MAX_BYTES};
    enum err err = read_name(req, &name, &req->fault);

    err = err ? err : era_check_name(req, buf_slice(&name));
    buf_fini(&name);
    if (!err && arguments->kind != KIND_NONE && arguments->kind != KIND_OBJECT) {
        err = fault_set(&req->fault, E_PARAMS, "params.arguments is no object");
    }
    *runs = WORKER;
    return err ? err : tools_check_rate(req);
}

/* The arguments of a prompt: an object of strings, new, or null for none. */
static enum err
load_arguments(struct request *req, json_t **args)
{
    enum err err =
        rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "arguments", args, &req->fault);
    const char *key;
    json_t *value;

    json_object_foreach(err ? NULL : *args, key, value) {
        if (!json_is_string(value)) {
            return fault_set(&req->fault, E_PARAMS, "arguments.%.64s is no string", key);
        }
    }
    return err;
}

static enum err
unknown_prompt(struct request *req, struct slice name)
{
    fault_set(&req->fault, E_PARAMS, "unknown prompt '%.*s'", (int)rune_cut(name, 128), name.data);
    return fault_remedy(&req->fault, "prompts/list names the prompts there are");
}

static enum err
missing_argument(struct request *req, const char *argument)
{
    return fault_set(&req->fault, E_PARAMS, "the prompt needs arguments.%s", argument);
}

/* What the agent is told to do. */
static json_t *
start_message(const char *id, const json_t *overview, const char *target)
{
    const char *title = json_string_value(json_object_get(overview, "name"));
    struct buf text = BUF_INIT;
    json_t *message;

    buf_addf(&text, "Work through the pack '%s' (%s) with the tool pos_workflow.\n\n", id,
             title ? title : id);
    buf_addf(&text,
             "1. Begin with {\"action\":\"start\",\"workflow_type\":\"%s\",\"target_file\":", id);
    buf_add_json(&text, slice_of(target));
    buf_adds(&text,
             "} and keep the session_id that it answers; a session that is under way is resumed.\n"
             "2. Read each task of the phase with get_task (session_id, phase, task_number) and do "
             "it as it is written.\n"
             "3. Hand in the evidence with complete_phase (session_id, phase, evidence). If the "
             "gate refuses, mend what it names and hand in again.\n"
             "4. Go on until the session is completed. After a break, get_state tells where you "
             "are.\n");
    message = text.failed
                  ? NULL
                  : json_must(json_pack("{s:s, s:{s:s, s:o}}", "role", "user", "content", "type",
                                        "text", "text", json_text_slice(buf_slice(&text))));
    buf_fini(&text);
    return message;
}

/* Makes the prompt of a pack: a new result in '*result'. */
static enum err
get_start(struct request *req, const char *name, const json_t *args, json_t **result)
{
    const json_t *given = json_object_get(args, "target_file");
    const char *target = json_string_value(given), *id = name + strlen(PREFIX);
    json_t *overview = NULL, *message = NULL;
    enum err err = strncmp(name, PREFIX, strlen(PREFIX)) == 0
                       ? workflow_pack(state_workflow(req->state), id, &overview, &req->fault)
                       : E_NOT_FOUND;

    if (err == E_NOT_FOUND) {
        return unknown_prompt(req, slice_of(name));
    }
    if (!err && (!target || !*target)) {
        err = missing_argument(req, "target_file");
    } else if (!err && json_string_length(given) > TARGET_MAX) {
        err = fault_set(&req->fault, E_PARAMS, "arguments.target_file is longer than %u bytes",
                        TARGET_MAX);
    } else if (!err) {
        message = start_message(id, overview, target);
        if (!message) {
            err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the answer now");
        }
    }
    if (!err) {
        const char *description = json_string_value(json_object_get(overview, "description"));
        *result = json_must(json_object());
        json_put_text(*result, "description", description ? description : "");
        json_put(*result, "messages", json_must(json_pack("[o]", message)));
    }
    json_decref(overview);
    return err;
}

/* Makes the result of the prompt 'name', ended by NUL and without another. */
static enum err
get_prompt(struct request *req, const char *name, const json_t *args, json_t **result)
{
    const char *missing = NULL;
    enum err err = E_OK;

    if (!offers_fixtures(req) || !fixtures_prompt(req, name, args, result, &missing, &err)) {
        return get_start(req, name, args, result);
    }
    return missing ? missing_argument(req, missing) : err;
}

enum err
prompts_get(struct request *req)
{
    struct buf name = {.limit = NAME_MAX_BYTES};
    json_t *args = NULL, *result = NULL;
    enum err err = read_name(req, &name, &req->fault);

    if (!err && memchr(name.data, '\0', name.len)) {
        err = unknown_prompt(req, buf_slice(&name));
    }
    err = err ? err : load_arguments(req, &args);
    err = err ? err : get_prompt(req, name.data, args, &result);
    if (!err) {
        request_add_json(req, "description", json_object_get(result, "description"));
        request_add_json(req, "messages", json_object_get(result, "messages"));
    }
    json_decref(result);
    json_decref(args);
    buf_fini(&name);
    return err;
}
