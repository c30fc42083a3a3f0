/* resources.c -- resources/read: what can be read of a project without a tool.
 *
 * Standards are its Markdown files, packs an overview each, sessions the state of a workflow;
 * skills are files of both, and others (skill_resources.c). Everything is read when it is asked
 * for, on a worker.  What a URI does not name is not found, whatever is wrong with it. */
#include "handlers/resources.h"

#include "handlers/era.h"
#include "handlers/methods.h"
#include "handlers/offers.h"
#include "handlers/resources_private.h"
#include "handlers/service_resources.h"
#include "handlers/skill_resources.h"
#include "handlers/tools.h"
#include "state/base/base64.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/standards.h"
#include "state/state.h"
#include "state/uri.h"
#include "state/workflow.h"

enum err
resources_prepare(struct request *req, enum runs *runs)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    enum err err = offers_read_uri(req, &uri, &req->fault);

    err = err ? err : era_check_name(req, buf_slice(&uri));
    buf_fini(&uri);
    *runs = WORKER;
    return err ? err : tools_check_rate(req);
}

/* What is read: the text and what it is, or the whole content of a fixture. */
struct content {
    const char *mime;
    struct buf text;
    json_t *fixture; /* Owned, or null. */
    bool kept;       /* A client may keep it for a while. */
};

static enum err
read_skill(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    return skill_resource_read(req, variables[0], out, f);
}

static enum err
read_standard(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    struct buf path = {.limit = DOCUMENT_PATH_MAX};
    enum err err = offers_decode_path(variables[0], &path)
                       ? standards_read(state_standards(req->state), buf_slice(&path), out, f)
                       : fault_set(f, E_NOT_FOUND, "this names no standard");

    buf_fini(&path);
    return err;
}

static enum err
read_pack(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    char *id = xstrndup(variables[0].data, variables[0].len);
    json_t *overview = NULL;
    enum err err = workflow_pack(state_workflow(req->state), id, &overview, f);

    free(id);
    return service_resource_tell(err, overview, out);
}

static enum err
read_session(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    char *id = xstrndup(variables[0].data, variables[0].len);
    struct workflow_args args = {.action = "get_state", .session_id = id};
    json_t *state = NULL;
    enum err err = workflow_get_state(state_workflow(req->state), &args, &state, f);

    free(id);
    return service_resource_tell(err, state, out);
}

/* The number of a phase, as it is written; -1 if it is none. */
static int
phase_of(struct slice text)
{
    int phase = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 4) {
            return -1;
        }
        phase = phase * 10 + (text.data[i] - '0');
    }
    return text.len > 1 && text.data[0] == '0' ? -1 : phase;
}

/* A phase that is not open yet is not there yet. */
static enum err
read_phase(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    char *id = xstrndup(variables[0].data, variables[0].len);
    struct workflow_args args = {.action = "get_phase", .session_id = id, .has_phase = true};
    json_t *phase = NULL;
    enum err err = E_NOT_FOUND;

    args.phase = phase_of(variables[1]);
    if (args.phase >= 0) {
        err = workflow_get_phase(state_workflow(req->state), &args, &phase, f);
    }
    free(id);
    return service_resource_tell(err == E_STATE ? E_NOT_FOUND : err, phase, out);
}

const struct resource_kind resource_kinds[] = {
    {URI_SKILL "{file}", "Skill", NULL, read_skill, true,
     "A file of a skill: its SKILL.md says what it is for; skills/list lists the rest."},
    {URI_PACK "{id}", "Workflow pack", "application/json", read_pack, true,
     "What a pack of workflows is for, with its phases and tasks."},
    {URI_SESSION "{session_id}/phase/{phase}", "Phase of a workflow session", "application/json",
     read_phase, false,
     "What is to be done in a phase that is open or completed, as pos_workflow's get_phase tells "
     "it."},
    {URI_SESSION "{session_id}", "Workflow session", "application/json", read_session, false,
     "Where a workflow session stands, as pos_workflow's get_state tells it."},
    {URI_STANDARD "{path}", "Standard", "text/markdown", read_standard, true,
     "A Markdown file of the project's standards."},
    {.uri_template = NULL},
};

/* Reads what 'uri', ended by NUL and without another, names. */
static enum err
read_content(struct request *req, struct slice uri, struct content *content, struct fault *f)
{
    struct slice variables[RESOURCE_VARIABLES_MAX];

    if (offers_fixtures(req)) {
        content->fixture = fixtures_read(uri.data);
        if (content->fixture) {
            content->kept = true;
            return E_OK;
        }
    }
    for (const struct service_resource *s = service_resources; s->uri; s++) {
        if (resource_fits(s->uri, uri, variables)) {
            content->mime = s->mime;
            return s->read(req, variables, &content->text, f);
        }
    }
    for (const struct resource_kind *kind = resource_kinds; kind->uri_template; kind++) {
        if (resource_fits(kind->uri_template, uri, variables)) {
            content->mime = kind->mime ? kind->mime : skill_resource_mime(uri);
            content->kept = kind->kept;
            return kind->read(req, variables, &content->text, f);
        }
    }
    return fault_set(f, E_NOT_FOUND, "this names no resource");
}

static enum err
not_found(struct request *req, struct slice uri)
{
    offers_tell_uri(req, uri);
    fault_set(&req->fault, req->dialect == DIALECT_REST ? E_NOT_FOUND : E_NO_RESOURCE,
              "there is no resource '%.*s'", (int)rune_cut(uri, 256), uri.data);
    return fault_remedy(&req->fault, "resources/list names the resources there are");
}

static void
write_content(struct request *req, struct slice uri, const struct content *content)
{
    request_member(req, "contents");
    buf_addc(&req->out, '[');
    if (content->fixture) {
        json_write(&req->out, content->fixture);
    } else {
        buf_adds(&req->out, "{\"uri\":");
        buf_add_json(&req->out, uri);
        buf_addf(&req->out, ",\"mimeType\":\"%s\",", content->mime);
        if (rune_valid(buf_slice(&content->text))) {
            buf_adds(&req->out, "\"text\":");
            buf_add_json(&req->out, buf_slice(&content->text));
        } else {
            buf_adds(&req->out, "\"blob\":\"");
            buf_add_base64(&req->out, buf_slice(&content->text));
            buf_addc(&req->out, '"');
        }
        buf_addc(&req->out, '}');
    }
    buf_addc(&req->out, ']');
}

/* Reads what params.uri names; both are the caller's to free in any case. */
static enum err
find_content(struct request *req, struct buf *uri, struct content *content)
{
    enum err err = offers_read_uri(req, uri, &req->fault);

    if (!err) {
        err = memchr(uri->data, '\0', uri->len) /* No name here holds one. */
                  ? E_NOT_FOUND
                  : read_content(req, buf_slice(uri), content, &req->fault);
        if (err == E_NOT_FOUND || err == E_ARGUMENT) {
            err = not_found(req, buf_slice(uri));
        } else if (!err && content->text.failed) {
            err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the answer now");
        }
    }
    return err;
}

static void
content_fini(struct content *content)
{
    json_decref(content->fixture);
    buf_fini(&content->text);
}

enum err
resources_read(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    struct content content = {.mime = NULL};
    enum err err = find_content(req, &uri, &content);

    if (!err) {
        write_content(req, buf_slice(&uri), &content);
        era_add_cache(req, content.kept ? OFFERS_TTL_MS : 0, content.kept);
    }
    content_fini(&content);
    buf_fini(&uri);
    return err;
}

enum err
resources_rest(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    struct content content = {.mime = NULL};
    enum err err = find_content(req, &uri, &content);

    if (!err) {
        buf_addc(&req->out, '{');
        req->result_start = req->out.len;
        write_content(req, buf_slice(&uri), &content);
        buf_addc(&req->out, '}');
    }
    content_fini(&content);
    buf_fini(&uri);
    return err;
}

enum err
resources_find(struct request *req, struct buf *uri)
{
    struct content content = {.mime = NULL};
    enum err err = find_content(req, uri, &content);

    content_fini(&content);
    return err;
}
