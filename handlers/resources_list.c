/* resources_list.c -- resources/list and resources/templates/list, and what fits a template.
 *
 * The list is sorted by URI; what costs a look into a file is found out for the entries of the page
 * that is told. */
#include "handlers/era.h"
#include "handlers/icons.h"
#include "handlers/methods.h"
#include "handlers/resources.h"
#include "handlers/resources_private.h"
#include "handlers/service_resources.h"
#include "handlers/skill_resources.h"
#include "state/base/json_put.h"
#include "state/standards.h"
#include "state/state.h"
#include "state/uri.h"
#include "state/workflow.h"

/* ---- Templates ---- */

/* The end of a variable's part of a URI: where the template goes on with '/', or the end. */
static size_t
end_of_variable(struct slice uri, size_t at, bool last)
{
    const char *slash = last ? NULL : memchr(uri.data + at, '/', uri.len - at);

    return slash ? (size_t)(slash - uri.data) : uri.len;
}

bool
resource_fits(const char *uri_template, struct slice uri,
              struct slice variables[RESOURCE_VARIABLES_MAX])
{
    size_t at = 0, count = 0;

    for (const char *t = uri_template; *t; t++) {
        if (*t == '{') {
            size_t end;

            t += strcspn(t, "}");
            end = end_of_variable(uri, at, t[1] == '\0');
            if (end == at) {
                return false;
            }
            variables[count++] = (struct slice){uri.data + at, end - at};
            at = end;
        } else if (at == uri.len || uri.data[at++] != *t) {
            return false;
        }
    }
    return at == uri.len;
}

static enum resources_template
has_variable(const char *uri_template, const char *variable)
{
    char *named = xasprintf("{%s}", variable);
    bool has = strstr(uri_template, named) != NULL;

    free(named);
    return has ? TEMPLATE_HAS_VARIABLE : TEMPLATE_LACKS_VARIABLE;
}

enum resources_template
resources_template(struct slice uri_template, const char *variable)
{
    for (const struct resource_kind *kind = resource_kinds; kind->uri_template; kind++) {
        if (slice_is(uri_template, kind->uri_template)) {
            return has_variable(kind->uri_template, variable);
        }
    }
    for (const struct service_resource *s = service_resources; s->uri; s++) {
        if (slice_is(uri_template, s->uri) && service_resource_is_template(s)) {
            return has_variable(s->uri, variable);
        }
    }
    return TEMPLATE_UNKNOWN;
}

/* ---- Entries ---- */

/* What a resource, or with 'uri_key' "uriTemplate" a template, is told with.  Null and 0 are left
 * out. */
struct description {
    const char *uri_key, *uri, *name, *title, *text, *mime;
    const char *modified; /* When it was changed last: ISO 8601. */
    int64_t size;         /* Bytes, plus 1: 0 is not known. */
};

static json_t *
describe(const struct request *req, const struct description *d)
{
    json_t *entry = json_must(json_object());

    json_put_text(entry, d->uri_key ? d->uri_key : "uri", d->uri);
    json_put_text(entry, "name", d->name);
    if (d->title && *d->title && era_knows(req, REVISION_2025_06_18)) {
        json_put_text(entry, "title", d->title);
    }
    if (d->text && *d->text) {
        json_put_text(entry, "description", d->text);
    }
    if (d->mime) {
        json_put_text(entry, "mimeType", d->mime);
    }
    if (d->size) {
        json_put_int(entry, "size", d->size - 1);
    }
    if (d->modified && *d->modified && era_knows(req, REVISION_2025_06_18)) {
        json_put(entry, "annotations", json_pack("{s:s}", "lastModified", d->modified));
    }
    return entry;
}

static enum err
add_standards(struct request *req, struct offers *o)
{
    struct document_list list;
    enum err err = standards_find(state_standards(req->state), &list, &req->fault);

    for (size_t i = 0; i < list.count; i++) {
        struct buf uri = BUF_INIT;

        buf_adds(&uri, URI_STANDARD);
        uri_add_path(&uri, slice_of(list.paths[i]));
        if (!uri.failed) {
            offers_add(o, uri.data, NULL);
        } else if (!err) {
            err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for the list now");
        }
        buf_fini(&uri);
    }
    document_list_fini(&list);
    return err;
}

/* A standard as it is now; one that has just gone is told without what is known of it no more. */
static json_t *
describe_standard(const struct request *req, const char *uri)
{
    struct slice encoded = {uri + sizeof URI_STANDARD - 1, strlen(uri) - (sizeof URI_STANDARD - 1)};
    struct buf path = {.limit = DOCUMENT_PATH_MAX};
    struct standard_look look = {.size = -1};
    char modified[CLOCK_TEXT_SIZE] = "";
    json_t *entry = NULL;

    if (offers_decode_path(encoded, &path)) {
        if (standards_look(state_standards(req->state), buf_slice(&path), &look)) {
            clock_format_utc(look.modified_ns, modified);
        }
        entry = describe(req, &(struct description){.uri = uri,
                                                    .name = path.data,
                                                    .title = look.title,
                                                    .mime = "text/markdown",
                                                    .modified = modified,
                                                    .size = look.size + 1});
    }
    buf_fini(&path);
    return entry;
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
        json_t *entry = describe(
            req,
            &(struct description){.uri = uri,
                                  .name = id,
                                  .title = json_string_value(json_object_get(pack, "name")),
                                  .text = json_string_value(json_object_get(pack, "description")),
                                  .mime = "application/json"});

        icons_put(req, entry, ICON_PACK);
        offers_add(o, uri, entry);
        free(uri);
    }
    json_decref(answer);
    return err;
}

/* Adds a session, and the phase that it is in. */
static void
add_session(struct request *req, const json_t *row, struct offers *o)
{
    const char *id = json_string_value(json_object_get(row, "session_id"));
    const char *pack = json_string_value(json_object_get(row, "workflow_type"));
    const char *target = json_string_value(json_object_get(row, "target_file"));
    int phase = (int)json_integer_value(json_object_get(row, "current_phase"));
    char *uri = xasprintf(URI_SESSION "%s", id), *name = xasprintf("%s: %s", pack, target);
    struct description d = {.uri = uri, .name = name, .mime = "application/json"};

    d.text = "A workflow session that is under way.";
    d.modified = json_string_value(json_object_get(row, "updated_at"));
    offers_add(o, uri, describe(req, &d));
    free(uri);
    free(name);
    d.uri = uri = xasprintf(URI_SESSION "%s/phase/%d", id, phase);
    d.name = name = xasprintf("%s: %s, phase %d", pack, target, phase);
    d.text = "What is to be done in its current phase.";
    d.modified = NULL;
    offers_add(o, uri, describe(req, &d));
    free(uri);
    free(name);
}

/* Those that are neither completed nor gone. */
static enum err
add_sessions(struct request *req, struct offers *o)
{
    json_t *answer = NULL, *row;
    enum err err = workflow_list_sessions(state_workflow(req->state),
                                          &(struct workflow_args){.action = "list_sessions"},
                                          &answer, &req->fault);
    size_t i;

    json_array_foreach(err ? NULL : json_object_get(answer, "sessions"), i, row) {
        const char *status = json_string_value(json_object_get(row, "session_status"));

        if (status && strcmp(status, "completed") != 0) {
            add_session(req, row, o);
        }
    }
    json_decref(answer);
    return err;
}

static void
add_services(const struct request *req, struct offers *o)
{
    for (const struct service_resource *s = service_resources; s->uri; s++) {
        if (!service_resource_is_template(s)) {
            offers_add(o, s->uri,
                       describe(req, &(struct description){.uri = s->uri,
                                                           .name = s->name,
                                                           .title = s->title,
                                                           .text = s->description,
                                                           .mime = s->mime}));
        }
    }
}

/* ---- The methods ---- */

enum err
resources_list(struct request *req)
{
    struct offers o = {.all = NULL};
    size_t first = 0, end = 0;
    enum err err = add_standards(req, &o);

    err = err ? err : add_packs(req, &o);
    err = err ? err : add_sessions(req, &o);
    err = err ? err : skill_resources_add(req, &o);
    add_services(req, &o);
    if (!err && offers_fixtures(req)) {
        fixtures_add_resources(&o);
    }
    err = err ? err : offers_find_page(req, &o, OFFERS_PAGE, &first, &end);
    for (size_t i = first; !err && i < end; i++) {
        const char *uri = o.all[i].key;

        if (!o.all[i].value) {
            o.all[i].value = strncmp(uri, URI_STANDARD, sizeof URI_STANDARD - 1) == 0
                                 ? describe_standard(req, uri)
                                 : skill_resource(req, uri);
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
    for (const struct resource_kind *kind = resource_kinds; kind->uri_template; kind++) {
        json_add(templates, describe(req, &(struct description){.uri_key = "uriTemplate",
                                                                .uri = kind->uri_template,
                                                                .name = kind->title,
                                                                .title = kind->title,
                                                                .text = kind->description,
                                                                .mime = kind->mime}));
    }
    for (const struct service_resource *s = service_resources; s->uri; s++) {
        if (service_resource_is_template(s)) {
            json_add(templates, describe(req, &(struct description){.uri_key = "uriTemplate",
                                                                    .uri = s->uri,
                                                                    .name = s->title,
                                                                    .title = s->title,
                                                                    .text = s->description,
                                                                    .mime = s->mime}));
        }
    }
    if (offers_fixtures(req)) {
        fixtures_add_templates(templates);
    }
    request_add_json(req, "resourceTemplates", templates);
    json_decref(templates);
    era_add_cache(req, 60000, true);
    return E_OK;
}
