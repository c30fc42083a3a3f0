/* workflow_run.c -- the actions that move a session: start and complete_phase.
 *
 * Each prepares what is slow, then hands the store a pure transition, and shapes the answer from
 * the record that was saved.  What is shown beside it (the next phase's content) may fail to be
 * read: then the answer says so in a warning, for the change has happened. */
#include "state/workflow_private.h"

#include "state/workflow_answer.h"
#include "state/workflow_approval.h"
#include "state/workflow_input.h"

#include "state/base/json_put.h"
#include "state/base/log.h"

LOG_MODULE("workflow");

/* What a start builds from. */
struct building {
    struct workflow *w;
    struct pack *pack;
    const char *target;
    const json_t *options;
};

/* Builds a session in memory, the first phase's text included, so that nothing is written for one
 * that could not be shown. */
static enum err
build_session(void *arg, json_t **record, void **content, struct fault *f)
{
    const struct building *b = arg;
    char id[RECORD_ID_SIZE];
    struct wf_content *built = NULL;
    json_t *structure = NULL, *first = NULL;
    size_t count;
    enum err err = record_make_id(id, f);

    err = err ? err : workflow_build_content(b->w, b->pack, b->target, b->options, &built, f);
    err = err ? err : wf_content_phase(built, wf_content_phases(built, &count)[0], &first, f);
    if (!err) {
        struct record_start start = {id, pack_id(b->pack), b->target, b->options, NULL};

        structure = json_must(wf_content_structure(built));
        start.structure = structure;
        *record = record_create(&start, workflow_now(b->w));
        *content = wf_content_ref(built);
    }
    json_decref(first);
    json_decref(structure);
    wf_content_unref(built);
    return err;
}

static enum err
check_start(struct workflow *w, const struct workflow_args *args, struct fault *f)
{
    enum err err;

    if (!args->workflow_type) {
        fault_set(f, E_ARGUMENT, "workflow_type is missing");
        return fault_remedy(f, "list_workflows names the workflows there are");
    }
    err = input_check_target(args->target_file, w->options.workspace, f);
    return err ? err : input_check_options(args->options, f);
}

static void
answer_start(struct workflow *w, const struct workflow_args *args, const struct session_view *view,
             const struct pack *pack, bool resumed, json_t **answer)
{
    json_t *overview = json_must(pack_overview(pack));

    *answer = answer_begin(args->action, true);
    answer_add_session(*answer, view->record);
    json_put_bool(*answer, "resumed", resumed);
    workflow_show_phase(w, view, *answer);
    json_put(*answer, "workflow_overview", overview);
    if (record_state(view->record) == RECORD_PAUSED) {
        answer_add_warning(*answer, "this session is paused: call resume before complete_phase");
    }
}

enum err
workflow_start(struct workflow *w, const struct workflow_args *args, json_t **answer,
               struct fault *f)
{
    const json_t *options = json_is_object(args->options) ? args->options : NULL;
    struct session_view view = SESSION_VIEW_INIT;
    struct pack *pack = NULL;
    bool resumed = false;
    enum err err = check_start(w, args, f);

    *answer = NULL;
    err = err ? err : workflow_load_pack(w, args->workflow_type, &pack, f);
    if (!err) {
        const char *target = json_string_value(args->target_file);
        struct building building = {w, pack, target, options};
        struct session_start start = {
            .pack = pack_id(pack),
            .target = target,
            .fresh = json_is_true(json_object_get(options, "new_session")),
            .build = build_session,
            .arg = &building,
        };
        err = workflow_store_start(w->store, &start, &view, &resumed, f);
    }
    if (err) {
        workflow_failed(args, NULL, answer, f);
    } else {
        answer_start(w, args, &view, pack, resumed, answer);
        workflow_say(w, resumed ? "workflow.session.joined" : "workflow.session.started",
                     view.record, NULL);
        log_info(resumed ? "session resumed by start" : "session started",
                 F_STR("session", record_id(view.record)), F_STR("pack", pack_id(pack)));
    }
    workflow_store_release(w->store, &view);
    pack_unref(pack);
    return err;
}

/* A judged attempt on its way into the record. */
struct completing {
    struct workflow *w;
    struct record_attempt attempt;
};

static enum err
complete_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    const struct completing *c = arg;

    return record_complete(old, &c->attempt, workflow_now(c->w), next, f);
}

/* An error to be noted in a session. */
struct noting {
    struct workflow *w;
    const struct fault *fault;
};

static enum err
note_change(void *arg, json_t *old, json_t **next, struct fault *f)
{
    const struct noting *n = arg;

    (void)f;
    return record_note_error(old, err_info(n->fault->code)->type, n->fault->text,
                             workflow_now(n->w), next);
}

/* Writes an error that is no refusal, such as a gate that cannot be used, into the session's log.
 * That it cannot be written changes nothing for the caller, who gets the error itself. */
static void
note_error(struct workflow *w, const struct session_view *view, const struct fault *fault)
{
    struct noting noting = {w, fault};
    struct fault local = FAULT_INIT;
    struct session_view noted;

    if (workflow_store_change(w->store, record_id(view->record), note_change, &noting, &noted,
                              &local) != E_OK) {
        log_warn("error not noted in its session", F_STR("session", record_id(view->record)),
                 F_STR("why", local.text));
    }
    workflow_store_release(w->store, &noted);
}

enum err
workflow_check_completion(const struct workflow_args *args, const json_t *record, struct fault *f)
{
    enum err err;

    if (!args->has_phase) {
        fault_set(f, E_ARGUMENT, "phase is missing");
        return fault_remedy(f, "the current phase is %d", record_current(record));
    }
    err = record_check_complete(record, args->phase, f);
    if (!err && !json_is_object(args->evidence)) {
        fault_set(f, E_ARGUMENT, "evidence is missing, or no object");
        return fault_remedy(f, "hand in what the phase's gate asks for, as {\"name\": value}");
    }
    err = err ? err : gate_check_evidence(args->evidence, f);
    return err ? err : input_check_keys(args->evidence, f);
}

enum err
workflow_gate_of(struct workflow *w, const struct session_view *view, int phase, struct gate **gate,
                 struct fault *f)
{
    struct wf_content *content;
    char *warning;
    enum err err = workflow_content_of(w, view, &content, &warning, f);

    *gate = NULL;
    err = err ? err : workflow_gates_get(w->gates, content, phase, gate, f);
    free(warning);
    wf_content_unref(content);
    return err;
}

/* The text of a refusal: what the public result says. */
static void
refusal(const struct gate *gate, const struct gate_result *result, const json_t *evidence,
        int phase, struct fault *f)
{
    const char *how = json_string_value(json_object_get(result->validation_result, "remediation"));

    fault_set(f, E_REFUSED, "the evidence for phase %d was refused: %s", phase,
              how && *how ? how : "the gate's checks failed");
    if (gate_needs_approval(gate) && !json_is_true(json_object_get(evidence, "human_approved"))) {
        fault_remedy(f, "show the results to the person you work for, and once they agree, hand in "
                        "human_approved: true with the evidence");
    } else {
        fault_remedy(f, "do what is missing, then call complete_phase with phase %d again", phase);
    }
}

static void
answer_passed(struct workflow *w, const struct workflow_args *args, const struct session_view *view,
              const struct gate_result *result, json_t **answer)
{
    bool done = record_state(view->record) == RECORD_COMPLETED;
    struct fault fault = FAULT_INIT;
    json_t *content = json_must(json_object());

    *answer = answer_begin(args->action, true);
    answer_add_session(*answer, view->record);
    json_put_bool(*answer, "checkpoint_passed", true);
    json_put(*answer, "validation_result", json_clone(result->validation_result));
    json_put_int(*answer, "phase_completed", args->phase);
    json_put_bool(*answer, "workflow_complete", done);
    if (result->overridden) {
        json_put_bool(*answer, "overridden", true);
    }
    if (done) {
        json_put(*answer, "next_phase", json_null());
        json_put(*answer, "next_phase_content", json_null());
        json_put_text(*answer, "message", "All phases are completed.");
        json_decref(content);
        return;
    }
    json_put_int(*answer, "next_phase", record_current(view->record));
    if (workflow_add_phase(w, view, record_current(view->record), content, &fault) != E_OK) {
        answer_add_warning(*answer, fault.text);
        json_decref(content);
        content = json_null();
    }
    json_put(*answer, "next_phase_content", content);
}

static void
answer_refused(const struct workflow_args *args, const struct session_view *view,
               const struct gate_result *result, json_t **answer, struct fault *f)
{
    workflow_failed(args, view, answer, f);
    json_put_bool(*answer, "checkpoint_passed", false);
    json_put(*answer, "validation_result", json_clone(result->validation_result));
    json_put_bool(*answer, "workflow_complete", false);
}

/* A gate that passes only because its evidence claims what a person, who can be asked, was not
 * asked: the session or the gate has changed since it was looked at for that. */
static enum err
check_asked(const struct workflow_args *args, const struct gate *gate,
            const struct gate_result *result, struct fault *f)
{
    if (!result->passed || !args->can_ask || args->approval || !gate_needs_approval(gate)) {
        return E_OK;
    }
    fault_set(f, E_CONFLICT, "phase %d needs the approval of a person, who was not asked",
              args->phase);
    return fault_remedy(f, "call complete_phase with phase %d again", args->phase);
}

/* Judges the evidence and puts the outcome into the session; 'view' becomes what was saved. */
static enum err
judge_and_store(struct workflow *w, const struct workflow_args *args, const struct gate *gate,
                struct gate_result *result, struct session_view *view, struct fault *f)
{
    char now[CLOCK_TEXT_SIZE];
    struct gate_context context = {.workspace = w->options.workspace, .now = now};
    json_t *plain, *commands, *asked = NULL;
    const json_t *given = json_object_get(args->evidence, "_override");
    struct session_view saved;
    struct fault refused = FAULT_INIT;
    enum err err;

    clock_format_utc(workflow_now(w), now);
    if (args->approval) {
        asked = workflow_approved_evidence(args->evidence, args->approval->approved);
    }
    err = gate_evaluate(gate, asked ? asked : args->evidence, &context, result, f);
    err = err ? err : check_asked(args, gate, result, f);
    if (err) {
        json_decref(asked);
        return err;
    }
    plain = json_must(gate_plain_evidence(asked ? asked : args->evidence));
    commands = json_must(gate_commands(args->evidence));
    json_decref(asked);
    if (args->approval) {
        json_put(plain, WORKFLOW_APPROVAL_KEY, workflow_approval_record(args->approval, now));
    }
    if (!result->passed && args->approval && !args->approval->approved) {
        workflow_not_approved(args->approval, args->phase, &refused);
    } else if (!result->passed) {
        refusal(gate, result, plain, args->phase, &refused);
    }
    struct completing completing = {
        .w = w,
        .attempt = {.phase = args->phase,
                    .passed = result->passed,
                    .overridden = result->overridden,
                    .evidence = plain,
                    .commands = commands,
                    .diagnostic = result->diagnostic,
                    .gate_source = gate_source_name(gate),
                    .override_reason = json_string_value(json_object_get(given, "reason")),
                    .message = refused.text},
    };
    err =
        workflow_store_change(w->store, args->session_id, complete_change, &completing, &saved, f);
    json_decref(plain);
    json_decref(commands);
    if (err) {
        return err;
    }
    workflow_store_release(w->store, view);
    *view = saved;
    if (!result->passed) {
        *f = refused;
        return E_REFUSED;
    }
    return E_OK;
}

enum err
workflow_complete_phase(struct workflow *w, const struct workflow_args *args, json_t **answer,
                        struct fault *f)
{
    struct gate_result result = GATE_RESULT_INIT;
    struct session_view view;
    struct gate *gate = NULL;
    enum err err = workflow_view(w, args, &view, f);

    *answer = NULL;
    err = err ? err : workflow_check_completion(args, view.record, f);
    if (!err) {
        err = workflow_gate_of(w, &view, args->phase, &gate, f);
        if (err == E_REFUSED) {
            note_error(w, &view, f);
        }
    }
    err = err ? err : judge_and_store(w, args, gate, &result, &view, f);
    if (!err) {
        answer_passed(w, args, &view, &result, answer);
        workflow_say_judged(w, view.record, args->phase, true, result.overridden);
    } else if (err == E_REFUSED && result.validation_result) {
        answer_refused(args, &view, &result, answer, f);
        workflow_say_judged(w, view.record, args->phase, false, false);
    } else {
        workflow_look_again(w, args, &view);
        workflow_failed(args, &view, answer, f);
    }
    gate_result_fini(&result);
    gate_unref(gate);
    workflow_store_release(w->store, &view);
    return err;
}
