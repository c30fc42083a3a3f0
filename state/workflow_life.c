/* workflow_life.c -- the actions of a session's life: delete, pause, resume, retry, rollback. */
#include "state/workflow_private.h"

#include "state/workflow_answer.h"
#include "state/workflow_input.h"

#include "state/base/json_put.h"
#include "state/base/log.h"

LOG_MODULE("workflow");

enum err
workflow_delete_session(struct workflow *w, const struct workflow_args *args, json_t **answer,
                        struct fault *f)
{
    enum err err = input_check_note("reason", args->reason, f);

    *answer = NULL;
    if (!err && !args->session_id) {
        err = fault_set(f, E_ARGUMENT, "session_id is missing");
    }
    err = err ? err : workflow_store_delete(w->store, args->session_id, f);
    if (err) {
        workflow_failed(args, NULL, answer, f);
        json_put_bool(*answer, "deleted", false);
        return err;
    }
    *answer = answer_begin(args->action, false);
    json_put_text(*answer, "session_id", args->session_id);
    json_put_bool(*answer, "deleted", true);
    if (args->reason) {
        json_put_text(*answer, "reason", args->reason);
    }
    workflow_say_deleted(w, args->session_id);
    log_info("session deleted", F_STR("session", args->session_id),
             F_STR("reason", args->reason ? args->reason : ""));
    return E_OK;
}

/* The four changes of a session's life, and what each tells. */
struct changing {
    struct workflow *w;
    const struct workflow_args *args;
    double seconds;
    size_t cleared;
    int from_phase;
    json_t *errors; /* Of the phase, before a retry; owned. */
};

static enum err
pause_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    const struct changing *c = arg;

    return record_pause(old, c->args->checkpoint_note, workflow_now(c->w), next, f);
}

static enum err
resume_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    struct changing *c = arg;

    return record_resume(old, workflow_now(c->w), &c->seconds, next, f);
}

static enum err
retry_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    struct changing *c = arg;

    json_decref(c->errors);
    c->errors = record_errors(old, c->args->phase);
    return record_retry(old, c->args->phase, c->args->reset_evidence, workflow_now(c->w), next, f);
}

static enum err
rollback_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    struct changing *c = arg;

    c->from_phase = record_current(old);
    return record_rollback(old, c->args->to_phase, workflow_now(c->w), &c->cleared, next, f);
}

/* Makes a change of the session that 'args' names.  On E_OK '*answer' has begun; the view shows
 * what was saved, and is the caller's to release in any case. */
static enum err
make_change(struct workflow *w, const struct workflow_args *args, session_change_fn *change,
            struct changing *c, struct session_view *view, json_t **answer, struct fault *f)
{
    enum err err = workflow_view(w, args, view, f);

    *answer = NULL;
    if (!err) {
        workflow_store_release(w->store, view);
        err = workflow_store_change(w->store, args->session_id, change, c, view, f);
    }
    if (err) {
        workflow_look_again(w, args, view);
        return workflow_failed(args, view, answer, f);
    }
    *answer = answer_begin(args->action, true);
    answer_add_session(*answer, view->record);
    return E_OK;
}

enum err
workflow_pause(struct workflow *w, const struct workflow_args *args, json_t **answer,
               struct fault *f)
{
    struct changing c = {.w = w, .args = args};
    struct session_view view;
    const json_t *lifecycle;
    json_t *checkpoint;
    enum err err = input_check_note("checkpoint_note", args->checkpoint_note, f);

    if (err) {
        *answer = NULL;
        return workflow_failed(args, NULL, answer, f);
    }
    err = make_change(w, args, pause_change, &c, &view, answer, f);
    if (!err) {
        lifecycle = json_object_get(view.record, "lifecycle");
        checkpoint = json_must(json_object());
        json_put_int(checkpoint, "phase", record_current(view.record));
        json_put(checkpoint, "timestamp", json_clone(json_object_get(lifecycle, "paused_at")));
        json_put(checkpoint, "note", json_clone(json_object_get(lifecycle, "pause_note")));
        json_put_bool(*answer, "paused", true);
        json_put(*answer, "checkpoint", checkpoint);
        json_put_bool(*answer, "resume_capable", true);
        workflow_say(w, "workflow.session.paused", view.record, NULL);
    }
    workflow_store_release(w->store, &view);
    return err;
}

enum err
workflow_resume(struct workflow *w, const struct workflow_args *args, json_t **answer,
                struct fault *f)
{
    struct changing c = {.w = w, .args = args};
    struct session_view view;
    enum err err = make_change(w, args, resume_change, &c, &view, answer, f);

    if (!err) {
        json_put_bool(*answer, "resumed", true);
        json_put(*answer, "paused_duration_seconds", json_real(c.seconds));
        workflow_say(w, "workflow.session.resumed", view.record, NULL);
        workflow_show_phase(w, &view, *answer);
    }
    workflow_store_release(w->store, &view);
    return err;
}

enum err
workflow_retry_phase(struct workflow *w, const struct workflow_args *args, json_t **answer,
                     struct fault *f)
{
    struct changing c = {.w = w, .args = args};
    struct session_view view;
    enum err err;

    if (!args->has_phase) {
        *answer = NULL;
        fault_set(f, E_ARGUMENT, "phase is missing");
        return workflow_failed(args, NULL, answer, f);
    }
    err = make_change(w, args, retry_change, &c, &view, answer, f);
    if (!err) {
        json_put_bool(*answer, "retrying", true);
        json_put_bool(*answer, "evidence_reset", args->reset_evidence);
        json_put(*answer, "previous_errors", json_clone(c.errors));
        workflow_say(w, "workflow.phase.retried", view.record, NULL);
        workflow_show_phase(w, &view, *answer);
    }
    json_decref(c.errors);
    workflow_store_release(w->store, &view);
    return err;
}

enum err
workflow_rollback(struct workflow *w, const struct workflow_args *args, json_t **answer,
                  struct fault *f)
{
    struct changing c = {.w = w, .args = args};
    struct session_view view;
    enum err err;

    if (!args->has_to_phase) {
        *answer = NULL;
        fault_set(f, E_ARGUMENT, "to_phase is missing");
        return workflow_failed(args, NULL, answer, f);
    }
    err = make_change(w, args, rollback_change, &c, &view, answer, f);
    if (!err) {
        json_put_int(*answer, "from_phase", c.from_phase);
        json_put_int(*answer, "to_phase", args->to_phase);
        json_put_int(*answer, "artifacts_cleared", (int64_t)c.cleared);
        workflow_say(
            w, "workflow.session.rolled_back", view.record,
            json_pack("{s:i, s:i}", "from_phase", c.from_phase, "to_phase", args->to_phase));
        workflow_show_phase(w, &view, *answer);
    }
    workflow_store_release(w->store, &view);
    return err;
}
