/* workflow_approval.c -- what a person is asked about a phase, and how the answer is kept. */
#include "state/workflow_approval.h"

#include "state/base/json_put.h"
#include "state/workflow_private.h"

#define APPROVED "human_approved"

json_t *
workflow_approved_evidence(const json_t *evidence, bool approved)
{
    json_t *copy = json_must(json_copy((json_t *)(uintptr_t)evidence));

    json_put_bool(copy, APPROVED, approved);
    return copy;
}

json_t *
workflow_approval_record(const struct workflow_approval *approval, const char *now)
{
    return json_must(json_pack("{s:b, s:s, s:o, s:o, s:s}", "approved", approval->approved,
                               "answer", approval->answer, "by", json_text(approval->by), "comment",
                               json_text(approval->comment), "at", now));
}

enum err
workflow_not_approved(const struct workflow_approval *approval, int phase, struct fault *f)
{
    bool by = approval->by && *approval->by, comment = approval->comment && *approval->comment;

    fault_set(f, E_REFUSED, "a person was asked and did not approve phase %d: %s%s%.80s%s%.300s",
              phase, approval->answer, by ? " by " : "", by ? approval->by : "",
              comment ? ": " : "", comment ? approval->comment : "");
    return fault_remedy(f,
                        "find out what is to change, mend it, then call complete_phase with "
                        "phase %d again",
                        phase);
}

/* What the person is told. */
static json_t *
describe(const struct workflow_args *args, const json_t *record)
{
    const char *title = record_title(record, args->phase);
    json_t *evidence = json_must(gate_plain_evidence(args->evidence));
    json_t *about = json_must(json_object());

    json_object_del(evidence, APPROVED);
    json_put_text(about, "workflow", record_pack(record));
    json_put_text(about, "target_file", record_target(record));
    json_put_text(about, "session_id", record_id(record));
    json_put_int(about, "phase", args->phase);
    json_put_text(about, "phase_name", title ? title : "");
    json_put(about, "evidence", evidence);
    return about;
}

json_t *
workflow_approval_wanted(struct workflow *w, const struct workflow_args *args)
{
    char now[CLOCK_TEXT_SIZE];
    struct gate_context context = {.workspace = w->options.workspace, .now = now};
    struct gate_result result = GATE_RESULT_INIT;
    struct session_view view = SESSION_VIEW_INIT;
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;
    json_t *about = NULL, *evidence = NULL;
    enum err err = args->session_id ? workflow_view(w, args, &view, &f) : E_ARGUMENT;

    err = err ? err : workflow_check_completion(args, view.record, &f);
    err = err ? err : workflow_gate_of(w, &view, args->phase, &gate, &f);
    if (!err && gate_needs_approval(gate)) {
        clock_format_utc(workflow_now(w), now);
        evidence = workflow_approved_evidence(args->evidence, true);
        err = gate_evaluate(gate, evidence, &context, &result, &f);
        if (!err && result.passed) {
            about = describe(args, view.record);
        }
    }
    json_decref(evidence);
    gate_result_fini(&result);
    gate_unref(gate);
    workflow_store_release(w->store, &view);
    return about;
}
