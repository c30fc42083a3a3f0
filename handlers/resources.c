/* resources.c -- resources/list, resources/templates/list and resources/read: what can be read of a
 * project without a tool.
 *
 * Standards are its Markdown files, packs an overview each, sessions the state of a workflow;
 * skills are files of both, and others (skill_resources.c). Everything is read when it is asked
 * for, on a worker.  What a URI does not name is not found, whatever is wrong with it. */
#include "handlers/resources.h"

#include "handlers/era.h"
#include "handlers/methods.h"
#include "handlers/offers.h"
#include "handlers/skill_resources.h"
#include "handlers/tools.h"
#include "state/base/base64.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/standards.h"
#include "state/state.h"
#include "state/uri.h"
#include "state/workflow.h"

/* What is read: the text and what it is, or the whole content of a fixture. */
struct content {
    const char *mime;
    struct buf text;
    json_t *fixture; /* Owned, or null. */
    bool kept;       /* A client may keep it for a while. */
};

/* Each kind appends the text of what 'name', encoded as in a URI, names. */
typedef enum err read_kind(struct request *req, struct slice name, struct buf *out,
                           struct fault *f);
static read_kind read_standard, read_pack, read_session;

/* By prefix; without 'mime', the name's end tells it. */
static const struct kind {
    const char *prefix, *variable, *title, *mime;
    read_kind *read;
    bool kept;
    const char *description;
} kinds[] = {
    {URI_SKILL, "file", "Skill", NULL, skill_resource_read, true,
     "A file of a skill: its SKILL.md says what it is for; skills/list lists the rest."},
    {URI_PACK, "id", "Workflow pack", "application/json", read_pack, true,
     "What a pack of workflows is for, with its phases and tasks."},
    {URI_SESSION, "session_id", "Workflow session", "application/json", read_session, false,
     "Where a workflow session stands, as pos_workflow's get_state tells it."},
    {URI_STANDARD, "path", "Standard", "text/markdown", read_standard, true,
     "A Markdown file of the project's standards."},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- Lists ---- */

/* A resource or template; 'uri_key' says which. */
static json_t *
describe(const struct request *req, const char *uri_key, const char *uri, const char *name,
         const char *title, const char *description, const char *mime)
{
    json_t *entry = json_must(json_object());

    json_put_text(entry, uri_key, uri);
    json_put_text(entry, "name", name);
    if (title && era_knows(req, REVISION_2025_06_18)) {
        json_put_text(entry, "title", title);
    }
    if (description && *description) {
        json_put_text(entry, "description", description);
    }
    if (mime) {
        json_put_text(entry, "mimeType", mime);
    }
    return entry;
}

static enum err
add_standards(struct request *req, struct offers *o)
{
    struct standards_list list;
    enum err err = standards_find(state_options(req->state)->data, &list, &req->fault);

    for (size_t i = 0; i < list.count; i++) {
        struct buf uri = BUF_INIT;

        buf_adds(&uri, URI_STANDARD);
        uri_add_path(&uri, slice_of(list.paths[i]));
        if (!uri.failed) {
            offers_add(o, uri.data,
                       describe(req, "uri", uri.data, list.paths[i], NULL, NULL, "text/markdown"));
        } else if (!err) {
            err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the list now");
        }
        buf_fini(&uri);
    }
    standards_list_fini(&list);
    return err;
}

static enum err
add_packs(struct request *req, struct offers *o)
{
    json_t *answer = NULL, *pack;
    enum err err = workflow_list_workflows(state_workflow(req->state),
                                           &(struct workflow_args){.action = "list_workflows"},
                                           &answer, &req->fault);
    size_t i;

    json_array_foreach(err ? NULL : json_object_get(answer, "workflows"), i, pack) {
        const char *id = json_string_value(json_object_get(pack, "id"));
        char *uri = xasprintf(URI_PACK "%s", id);

        offers_add(o, uri,
                   describe(req, "uri", uri, id, json_string_value(json_object_get(pack, "name")),
                            json_string_value(json_object_get(pack, "description")),
                            "application/json"));
        free(uri);
    }
    json_decref(answer);
    return err;
}

enum err
resources_list(struct request *req)
{
    struct offers o = {.all = NULL};
    size_t first = 0, end = 0;
    enum err err = add_standards(req, &o);

    err = err ? err : add_packs(req, &o);
    err = err ? err : skill_resources_add(req, &o);
    if (!err && offers_fixtures(req)) {
        fixtures_add_resources(&o);
    }
    err = err ? err : offers_find_page(req, &o, OFFERS_PAGE, &first, &end);
    for (size_t i = first; !err && i < end; i++) {
        if (!o.all[i].value) {
            o.all[i].value = skill_resource(req, o.all[i].key);
        }
    }
    if (!err) {
        offers_write(req, "resources", &o, first, end);
        era_add_cache(req, OFFERS_TTL_MS, true);
    }
    offers_fini(&o);
    return err;
}

enum err
resources_templates(struct request *req)
{
    enum err err = offers_no_cursor(req);
    json_t *templates;

    if (err) {
        return err;
    }
    templates = json_must(json_array());
    for (size_t i = 0; i < KINDS; i++) {
        char *uri = xasprintf("%s{%s}", kinds[i].prefix, kinds[i].variable);

        json_add(templates, describe(req, "uriTemplate", uri, kinds[i].title, kinds[i].title,
                                     kinds[i].description, kinds[i].mime));
        free(uri);
    }
    if (offers_fixtures(req)) {
        fixtures_add_templates(templates);
    }
    request_add_json(req, "resourceTemplates", templates);
    json_decref(templates);
    era_add_cache(req, 60000, true);
    return E_OK;
}

const char *
resources_variable(struct slice uri_template)
{
    for (size_t i = 0; i < KINDS; i++) {
        size_t len = strlen(kinds[i].prefix), name = strlen(kinds[i].variable);

        if (uri_template.len == len + name + 2 &&
            memcmp(uri_template.data, kinds[i].prefix, len) == 0 && uri_template.data[len] == '{' &&
            uri_template.data[uri_template.len - 1] == '}' &&
            memcmp(uri_template.data + len + 1, kinds[i].variable, name) == 0) {
            return kinds[i].variable;
        }
    }
    return NULL;
}

/* ---- Reading ---- */

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

static enum err
read_standard(struct request *req, struct slice name, struct buf *out, struct fault *f)
{
    struct buf path = {.limit = STANDARDS_PATH_MAX};
    enum err err = offers_decode_path(name, &path)
                       ? standards_read(state_options(req->state)->data, buf_slice(&path), out, f)
                       : fault_set(f, E_NOT_FOUND, "this names no standard");

    buf_fini(&path);
    return err;
}

/* Adds 'value' (stolen) to 'out', if 'err' says that there is one. */
static enum err
tell(enum err err, json_t *value, struct buf *out)
{
    if (!err) {
        json_write(out, value);
    }
    json_decref(value);
    return err;
}

static enum err
read_pack(struct request *req, struct slice name, struct buf *out, struct fault *f)
{
    char *id = xstrndup(name.data, name.len);
    json_t *overview = NULL;
    enum err err = workflow_pack(state_workflow(req->state), id, &overview, f);

    free(id);
    return tell(err, overview, out);
}

static enum err
read_session(struct request *req, struct slice name, struct buf *out, struct fault *f)
{
    char *id = xstrndup(name.data, name.len);
    struct workflow_args args = {.action = "get_state", .session_id = id};
    json_t *state = NULL;
    enum err err = workflow_get_state(state_workflow(req->state), &args, &state, f);

    free(id);
    return tell(err, state, out);
}

/* Reads what 'uri', ended by NUL and without another, names. */
static enum err
read_content(struct request *req, struct slice uri, struct content *content, struct fault *f)
{
    if (offers_fixtures(req)) {
        content->fixture = fixtures_read(uri.data);
        content->kept = true;
        if (content->fixture) {
            return E_OK;
        }
    }
    for (size_t i = 0; i < KINDS; i++) {
        size_t len = strlen(kinds[i].prefix);

        if (uri.len > len && memcmp(uri.data, kinds[i].prefix, len) == 0) {
            content->mime = kinds[i].mime ? kinds[i].mime : skill_resource_mime(uri);
            content->kept = kinds[i].kept;
            return kinds[i].read(req, (struct slice){uri.data + len, uri.len - len}, &content->text,
                                 f);
        }
    }
    return fault_set(f, E_NOT_FOUND, "this names no resource");
}

static enum err
not_found(struct request *req, struct slice uri)
{
    offers_tell_uri(req, uri);
    fault_set(&req->fault, E_NO_RESOURCE, "there is no resource '%.*s'", (int)rune_cut(uri, 256),
              uri.data);
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
    era_add_cache(req, content->kept ? OFFERS_TTL_MS : 0, content->kept);
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
