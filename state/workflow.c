/* workflow.c -- the engine's parts: packs, content, sessions, and how an action fails. */
#include "state/workflow_private.h"

#include "state/workflow_answer.h"

#include "state/base/json_put.h"

#include <stdio.h>
#include <unistd.h>

int64_t
workflow_now(const struct workflow *w)
{
    return clock_wall(w->options.clock);
}

enum err
workflow_open_roots(const struct workflow *w, struct open_roots *open, struct fault *f)
{
    *open = (struct open_roots){.roots = {.dirs = open->dirs}};
    for (size_t i = 0; i < WORKFLOW_PACK_PATHS_MAX && w->pack_paths[i]; i++) {
        struct dir **dir = &open->dirs[open->roots.count];
        enum err err = dir_sub(w->options.workspace, w->pack_paths[i], false, dir, f);

        if (err == E_IO) { /* It may be there: that is not the same as no packs. */
            workflow_close_roots(open);
            return err;
        }
        open->roots.count += err == E_OK;
    }
    return E_OK;
}

void
workflow_close_roots(struct open_roots *open)
{
    for (size_t i = 0; i < open->roots.count; i++) {
        dir_unref(open->dirs[i]);
    }
}

enum err
workflow_load_pack(const struct workflow *w, const char *name, struct pack **pack, struct fault *f)
{
    struct open_roots open;
    enum err err;

    *pack = NULL;
    if (!pack_name_is_valid(name)) {
        fault_set(f, E_ARGUMENT, "workflow_type is not the name of a workflow");
        return fault_remedy(f, "it has letters, digits, '_' and '-' only; see list_workflows");
    }
    err = workflow_open_roots(w, &open, f);
    if (!err) {
        err = pack_load(&open.roots, name, pack, f);
        workflow_close_roots(&open);
    }
    return err;
}

/* If 'path' is absolute and beneath the workspace, its part beneath it; else null. */
static const char *
beneath_workspace(const struct workflow *w, const char *path, char *space, size_t size)
{
    char link[64];
    ssize_t len;

    if (path[0] != '/') {
        return NULL;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd(w->options.workspace));
    len = readlink(link, space, size);
    if (len <= 0 || (size_t)len == size || strncmp(path, space, (size_t)len) != 0 ||
        path[len] != '/' || path[len + 1] == '\0') {
        return NULL;
    }
    return path + len + 1;
}

enum err
workflow_build_content(const struct workflow *w, struct pack *pack, const char *target,
                       const json_t *options, struct wf_content **content, struct fault *f)
{
    const struct pack_dynamic *dynamic = pack_dynamic(pack);
    const char *key = dynamic ? dynamic->source_path_key : NULL;
    const char *path = key ? json_string_value(json_object_get(options, key)) : NULL;
    char space[4096];
    const char *relative = path ? beneath_workspace(w, path, space, sizeof space) : NULL;
    json_t *mended = NULL;
    enum err err;

    if (relative) {
        mended = json_clone(options);
        json_put_text(mended, key, relative);
    }
    err =
        wf_content_build(pack, w->options.workspace, target, mended ? mended : options, content, f);
    json_decref(mended);
    return err;
}

/* Builds the content of an existing session. */
static enum err
content_of_record(const struct workflow *w, const json_t *record, struct wf_content **content,
                  struct fault *f)
{
    struct pack *pack;
    enum err err = workflow_load_pack(w, record_pack(record), &pack, f);

    *content = NULL;
    if (!err) {
        err = workflow_build_content(w, pack, record_target(record), record_options(record),
                                     content, f);
        pack_unref(pack);
    }
    return err;
}

/* A live session's content.  One that cannot be built now (the pack is gone, say) does not keep the
 * session from being looked at; whoever needs the content builds it then, and gets the error. */
static void *
open_session(void *owner, const json_t *raw, json_t **structure)
{
    struct workflow *w = owner;
    struct wf_content *content;

    if (content_of_record(w, raw, &content, NULL) != E_OK) {
        return NULL;
    }
    if (structure) {
        *structure = json_must(wf_content_structure(content));
    }
    return content;
}

static void
close_session(void *content)
{
    wf_content_unref(content);
}

static void
session_changed(void *owner, const char *id, bool list)
{
    const struct workflow *w = owner;

    if (w->tell) {
        w->tell(w->tell_arg, id, list);
    }
}

static const struct session_class sessions_of_packs = {open_session, close_session,
                                                       session_changed};

void
workflow_tell(struct workflow *w, void (*tell)(void *arg, const char *session_id, bool list),
              void *arg)
{
    w->tell = tell;
    w->tell_arg = arg;
}

enum err
workflow_create(const struct workflow_options *options, struct workflow **workflow, struct fault *f)
{
    struct workflow *w = xcalloc(1, sizeof *w);
    struct workflow_store_options store = {
        .dir = options->sessions,
        .clock = options->clock,
        .class = &sessions_of_packs,
        .owner = w,
        .live_max = WORKFLOW_LIVE_MAX,
        .active_max = options->active_max,
        .file_max = options->file_max,
        .files_max = options->files_max,
        .stale_ns = options->stale_ns,
        .lock_ns = WORKFLOW_LOCK_NS,
    };
    enum err err;

    w->options = *options;
    dir_ref(options->workspace);
    for (size_t i = 0; i < WORKFLOW_PACK_PATHS_MAX && options->pack_paths[i]; i++) {
        w->pack_paths[i] = xstrdup(options->pack_paths[i]);
    }
    w->gates = workflow_gates_create();
    err = workflow_store_create(&store, &w->store, f);
    if (err) {
        workflow_destroy(w);
        w = NULL;
    }
    *workflow = w;
    return err;
}

void
workflow_destroy(struct workflow *w)
{
    if (!w) {
        return;
    }
    workflow_store_destroy(w->store);
    workflow_gates_destroy(w->gates);
    for (size_t i = 0; i < WORKFLOW_PACK_PATHS_MAX; i++) {
        free(w->pack_paths[i]);
    }
    dir_unref(w->options.workspace);
    free(w);
}

size_t
workflow_clean(struct workflow *w)
{
    return workflow_store_clean(w->store);
}

struct workflow_counters
workflow_counters(struct workflow *w)
{
    struct workflow_store_counters s = workflow_store_counters(w->store);

    return (struct workflow_counters){
        .sessions = s.sessions,
        .gates = workflow_gates_counters(w->gates),
        .sessions_live = s.sessions.size,
        .sessions_on_disk = s.on_disk.all,
        .sessions_active = s.on_disk.by_state[RECORD_ACTIVE],
        .sessions_paused = s.on_disk.by_state[RECORD_PAUSED],
        .sessions_failed = s.on_disk.by_state[RECORD_FAILED],
        .sessions_completed = s.on_disk.by_state[RECORD_COMPLETED],
        .action_acquisitions = s.action_acquisitions,
        .action_waits = s.action_waits,
        .saves = s.saves,
        .conflicts = s.conflicts,
        .started = s.started,
        .resumed = s.resumed,
        .deleted = s.deleted,
        .cleaned = s.cleaned,
        .set_aside = s.set_aside,
    };
}

enum err
workflow_failed(const struct workflow_args *args, const struct session_view *view, json_t **answer,
                const struct fault *f)
{
    json_decref(*answer);
    *answer = answer_error(args->action, f);
    if (view && view->record) {
        json_put_text(*answer, "session_id", record_id(view->record));
        answer_add_position(*answer, view->record);
    }
    return f->code;
}

enum err
workflow_view(struct workflow *w, const struct workflow_args *args, struct session_view *view,
              struct fault *f)
{
    *view = (struct session_view)SESSION_VIEW_INIT;
    if (!args->session_id) {
        fault_set(f, E_ARGUMENT, "session_id is missing");
        return fault_remedy(f, "give the session_id that start answered, or see list_sessions");
    }
    return workflow_store_get(w->store, args->session_id, view, f);
}

enum err
workflow_content_of(struct workflow *w, const struct session_view *view,
                    struct wf_content **content, char **warning, struct fault *f)
{
    struct wf_content *held = view->content;
    enum err err;

    *content = NULL;
    *warning = NULL;
    if (held) {
        return wf_content_refresh(held, w->options.workspace, content, warning, f);
    }
    err = content_of_record(w, view->record, content, f);
    if (!err) { /* It can be had again: let the next look load it with the session. */
        workflow_store_forget(w->store, record_id(view->record));
    }
    return err;
}

enum err
workflow_add_phase(struct workflow *w, const struct session_view *view, int phase, json_t *answer,
                   struct fault *f)
{
    struct wf_content *content;
    char *warning = NULL;
    json_t *shown = NULL;
    enum err err = workflow_content_of(w, view, &content, &warning, f);

    err = err ? err : wf_content_phase(content, phase, &shown, f);
    if (!err) {
        answer_merge(answer, shown);
        if (warning) {
            answer_add_warning(answer, warning);
        }
    }
    free(warning);
    wf_content_unref(content);
    return err;
}

void
workflow_show_phase(struct workflow *w, const struct session_view *view, json_t *answer)
{
    struct fault fault = FAULT_INIT;

    if (workflow_add_phase(w, view, record_current(view->record), answer, &fault) != E_OK) {
        answer_add_warning(answer, fault.text);
    }
}

void
workflow_look_again(struct workflow *w, const struct workflow_args *args, struct session_view *view)
{
    workflow_store_release(w->store, view);
    if (args->session_id && workflow_store_get(w->store, args->session_id, view, NULL) != E_OK) {
        *view = (struct session_view)SESSION_VIEW_INIT; /* It is no more: there is no position. */
    }
}
