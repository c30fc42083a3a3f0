/* workflow.c -- the engine's parts, and the actions that read: packs, phases, tasks, states, lists.
 */
#include "state/workflow_private.h"

#include "state/workflow_answer.h"
#include "state/workflow_input.h"

#include "state/base/json_put.h"

#include <stdio.h>
#include <unistd.h>

#define LIST_MAX 500u /* Rows of list_sessions; further ones are counted. */

int64_t
workflow_now(const struct workflow *w)
{
    return clock_wall(w->options.clock);
}

void
workflow_open_roots(const struct workflow *w, struct open_roots *open)
{
    *open = (struct open_roots){.roots = {.dirs = open->dirs}};
    for (size_t i = 0; i < WORKFLOW_PACK_PATHS_MAX && w->pack_paths[i]; i++) {
        struct dir **dir = &open->dirs[open->roots.count];
        open->roots.count +=
            dir_sub(w->options.workspace, w->pack_paths[i], false, dir, NULL) == E_OK;
    }
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
    workflow_open_roots(w, &open);
    err = pack_load(&open.roots, name, pack, f);
    workflow_close_roots(&open);
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

static const struct session_class sessions_of_packs = {open_session, close_session};

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
    w->gates = workflow_gates_create(options->clock);
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

enum err
workflow_list_workflows(struct workflow *w, const struct workflow_args *args, json_t **answer,
                        struct fault *f)
{
    struct problems problems = PROBLEMS_INIT;
    struct open_roots open;
    json_t *workflows = NULL;
    enum err err;

    *answer = NULL;
    workflow_open_roots(w, &open);
    err = pack_list(&open.roots, args->category, &workflows, &problems, f);
    workflow_close_roots(&open);
    if (err) {
        problems_fini(&problems);
        return workflow_failed(args, NULL, answer, f);
    }
    *answer = answer_begin(args->action, false);
    json_put_int(*answer, "count", (int64_t)json_array_size(workflows));
    json_put(*answer, "workflows", workflows);
    if (problems.count) {
        json_put(*answer, "warnings", pack_warning_texts(&problems));
    }
    problems_fini(&problems);
    return E_OK;
}

/* E_OK if the content of 'phase' may be read: it is the current one, or completed. */
static enum err
check_readable(const json_t *record, int phase, struct fault *f)
{
    int current = record_current(record);

    if (phase == current || record_has_completed(record, phase)) {
        return E_OK;
    }
    if (!record_has_phase(record, phase)) {
        fault_set(f, E_NOT_FOUND, "this workflow has no phase %d; the current phase is %d", phase,
                  current);
    } else {
        fault_set(f, E_STATE, "phase %d is not open yet; the current phase is %d", phase, current);
    }
    return fault_remedy(f, "complete phase %d first: get_phase, get_task, complete_phase", current);
}

/* What get_phase says of a workflow that is done. */
static void
add_finished(json_t *answer)
{
    json_put_bool(answer, "is_complete", true);
    json_put_text(answer, "message",
                  "The workflow is completed. Give a phase to read it again, or use rollback to "
                  "reopen it.");
}

enum err
workflow_get_phase(struct workflow *w, const struct workflow_args *args, json_t **answer,
                   struct fault *f)
{
    struct session_view view;
    enum err err = workflow_view(w, args, &view, f);
    int phase;

    *answer = NULL;
    if (err) {
        return workflow_failed(args, NULL, answer, f);
    }
    *answer = answer_begin(args->action, true);
    answer_add_session(*answer, view.record);
    phase = args->has_phase ? args->phase : record_current(view.record);
    if (!args->has_phase && record_state(view.record) == RECORD_COMPLETED) {
        add_finished(*answer);
    } else {
        err = check_readable(view.record, phase, f);
        err = err ? err : workflow_add_phase(w, &view, phase, *answer, f);
        if (err) {
            workflow_failed(args, &view, answer, f);
        } else {
            json_put_bool(*answer, "is_complete", record_state(view.record) == RECORD_COMPLETED);
        }
    }
    workflow_store_release(w->store, &view);
    return err;
}

/* E_ARGUMENT unless both numbers were given. */
static enum err
check_task_args(const struct workflow_args *args, struct fault *f)
{
    if (!args->has_phase) {
        return fault_set(f, E_ARGUMENT, "phase is missing");
    }
    return args->has_task_number ? E_OK : fault_set(f, E_ARGUMENT, "task_number is missing");
}

enum err
workflow_get_task(struct workflow *w, const struct workflow_args *args, json_t **answer,
                  struct fault *f)
{
    struct session_view view;
    struct wf_content *content = NULL;
    char *warning = NULL;
    json_t *shown = NULL;
    enum err err = workflow_view(w, args, &view, f);

    *answer = NULL;
    err = err ? err : check_task_args(args, f);
    err = err ? err : check_readable(view.record, args->phase, f);
    err = err ? err : workflow_content_of(w, &view, &content, &warning, f);
    err = err ? err : wf_content_task(content, args->phase, args->task_number, &shown, f);
    if (err) {
        workflow_failed(args, &view, answer, f);
    } else {
        *answer = answer_begin(args->action, true);
        answer_add_session(*answer, view.record);
        answer_merge(*answer, shown);
        if (warning) {
            answer_add_warning(*answer, warning);
        }
    }
    free(warning);
    wf_content_unref(content);
    workflow_store_release(w->store, &view);
    return err;
}

/* Warns if the pack's files, or the source, are no longer those the session began with. */
static void
warn_of_edits(struct workflow *w, const struct session_view *view, json_t *answer)
{
    const char *then = record_text(json_object_get(view->record, "structure"), "source_digest");
    struct fault fault = FAULT_INIT;
    struct wf_content *content;
    char now[PACK_DIGEST_MAX], *warning;

    if (workflow_content_of(w, view, &content, &warning, &fault) != E_OK) {
        answer_add_warning(answer, fault.text);
        return;
    }
    if (warning) {
        answer_add_warning(answer, warning);
    } else if (*then && wf_content_digest(content, now, NULL) == E_OK && strcmp(now, then) != 0) {
        answer_add_warning(answer, "the files of this workflow have changed since the session "
                                   "started; its phases are those of the start");
    }
    free(warning);
    wf_content_unref(content);
}

enum err
workflow_get_state(struct workflow *w, const struct workflow_args *args, json_t **answer,
                   struct fault *f)
{
    struct session_view view;
    enum err err = workflow_view(w, args, &view, f);

    *answer = NULL;
    if (err) {
        return workflow_failed(args, NULL, answer, f);
    }
    *answer = answer_begin(args->action, false);
    json_put_text(*answer, "session_id", record_id(view.record));
    json_put(*answer, "workflow_state", answer_state(view.record, workflow_now(w)));
    warn_of_edits(w, &view, *answer);
    workflow_store_release(w->store, &view);
    return E_OK;
}

enum err
workflow_list_sessions(struct workflow *w, const struct workflow_args *args, json_t **answer,
                       struct fault *f)
{
    int state = args->status ? record_state_named(args->status) : -1;
    struct session_summary **list;
    size_t count, unreadable, shown;
    json_t *rows;

    *answer = NULL;
    if (args->status && state < 0) {
        fault_set(f, E_ARGUMENT, "status is none of active, paused, completed, error");
        return workflow_failed(args, NULL, answer, f);
    }
    if (workflow_store_list(w->store, state, &list, &count, &unreadable, f) != E_OK) {
        return workflow_failed(args, NULL, answer, f);
    }
    rows = json_must(json_array());
    shown = count < LIST_MAX ? count : LIST_MAX;
    for (size_t i = 0; i < count; i++) {
        if (i < shown) {
            json_add(rows, answer_row(list[i]));
        }
        session_summary_unref(list[i]);
    }
    free(list);
    *answer = answer_begin(args->action, false);
    json_put(*answer, "sessions", rows);
    json_put_int(*answer, "count", (int64_t)shown);
    if (shown < count) {
        json_put_int(*answer, "left_out", (int64_t)(count - shown));
    }
    if (unreadable) {
        json_put_int(*answer, "unreadable", (int64_t)unreadable);
    }
    return E_OK;
}

enum err
workflow_get_session(struct workflow *w, const struct workflow_args *args, json_t **answer,
                     struct fault *f)
{
    struct session_view view;
    enum err err = workflow_view(w, args, &view, f);

    *answer = NULL;
    if (err) {
        return workflow_failed(args, NULL, answer, f);
    }
    *answer = answer_begin(args->action, false);
    answer_add_session(*answer, view.record);
    json_put(*answer, "completed_phases",
             json_clone(json_object_get(view.record, "completed_phases")));
    json_put_text(*answer, "created_at", record_text(view.record, "created_at"));
    json_put_text(*answer, "updated_at", record_text(view.record, "updated_at"));
    json_put(*answer, "options", json_clone(record_options(view.record)));
    json_put(*answer, "checkpoints", json_clone(json_object_get(view.record, "checkpoints")));
    json_put(*answer, "artifacts", json_clone(json_object_get(view.record, "phase_artifacts")));
    workflow_store_release(w->store, &view);
    return E_OK;
}

enum err
workflow_get_errors(struct workflow *w, const struct workflow_args *args, json_t **answer,
                    struct fault *f)
{
    struct session_view view;
    enum err err = workflow_view(w, args, &view, f);
    json_t *errors;

    *answer = NULL;
    if (err) {
        return workflow_failed(args, NULL, answer, f);
    }
    errors = record_errors(view.record, -1);
    *answer = answer_begin(args->action, false);
    json_put_text(*answer, "session_id", record_id(view.record));
    json_put_int(*answer, "error_count", (int64_t)json_array_size(errors));
    json_put(*answer, "last_error",
             json_clone(json_array_get(errors, json_array_size(errors) - 1)));
    json_put(*answer, "errors", errors);
    if (json_object_get(view.record, "errors_left_out")) {
        json_put(*answer, "left_out", json_clone(json_object_get(view.record, "errors_left_out")));
    }
    workflow_store_release(w->store, &view);
    return E_OK;
}
