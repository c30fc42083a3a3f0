/* workflow_look.c -- the actions that read: workflows, phases, tasks, states, lists. */
#include "state/workflow_private.h"

#include "state/workflow_answer.h"

#include "state/base/json_put.h"

#define LIST_MAX 500u /* Rows of list_sessions; further ones are counted. */

enum err
workflow_list_workflows(struct workflow *w, const struct workflow_args *args, json_t **answer,
                        struct fault *f)
{
    struct problems problems = PROBLEMS_INIT;
    struct open_roots open;
    json_t *workflows = NULL;
    enum err err;

    *answer = NULL;
    err = workflow_open_roots(w, &open, f);
    if (!err) {
        err = pack_list(&open.roots, args->category, &workflows, &problems, f);
        workflow_close_roots(&open);
    }
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

enum err
workflow_pack(struct workflow *w, const char *id, json_t **overview, struct fault *f)
{
    struct pack *pack = NULL;
    enum err err = E_NOT_FOUND;

    *overview = NULL;
    if (pack_name_is_valid(id)) {
        err = workflow_load_pack(w, id, &pack, f);
    }
    if (err == E_ARGUMENT || err == E_NOT_FOUND || (pack && strcmp(pack_id(pack), id) != 0)) {
        err = fault_set(f, E_NOT_FOUND, "there is no pack '%.64s'", id);
    }
    if (!err) {
        *overview = json_must(pack_overview(pack));
    }
    pack_unref(pack);
    return err;
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
    struct wf_file read = {.file = NULL};
    char *warning = NULL;
    json_t *shown = NULL;
    int64_t began_ns = clock_files();
    enum err err = workflow_view(w, args, &view, f);

    *answer = NULL;
    err = err ? err : check_task_args(args, f);
    err = err ? err : check_readable(view.record, args->phase, f);
    err = err ? err : workflow_content_of(w, &view, &content, &warning, f);
    err = err ? err : wf_content_task(content, args->phase, args->task_number, &read, &shown, f);
    if (err) {
        workflow_failed(args, &view, answer, f);
    } else {
        *answer = answer_begin(args->action, true);
        answer_add_session(*answer, view.record);
        answer_merge(*answer, shown);
        if (warning) {
            answer_add_warning(*answer, warning);
        } else if (args->keep && read.file) {
            workflow_keep(args, &view, content, &read, began_ns, *answer);
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
