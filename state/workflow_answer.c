/* workflow_answer.c -- records and faults as the objects that clients see. */
#include "state/workflow_answer.h"

#include "state/base/json_put.h"

#include <stdio.h>

json_t *
answer_begin(const char *action, bool guidance)
{
    json_t *answer = json_must(json_object());

    if (guidance) {
        json_put_text(answer, "execution_mode",
                      "WORKFLOW ACTIVE: this session says what to do next");
        json_put_text(answer, "task_tracking",
                      "Do not keep a task list of your own: phases and tasks are tracked here");
        json_put_text(answer, "execution_model",
                      "get_task for each task of the phase in order, do what it says, then "
                      "complete_phase with evidence; repeat until workflow_complete");
    }
    json_put_text(answer, "status", "success");
    json_put_text(answer, "action", action);
    return answer;
}

void
answer_add_session(json_t *answer, const json_t *record)
{
    json_put_text(answer, "session_id", record_id(record));
    json_put_text(answer, "workflow_type", record_pack(record));
    json_put_text(answer, "target_file", record_target(record));
    json_put_text(answer, "session_status", record_state_name(record_state(record)));
    json_put_int(answer, "current_phase", record_current(record));
}

void
answer_merge(json_t *answer, json_t *part)
{
    if (part && json_object_update_missing(answer, part) != 0) {
        json_must(NULL);
    }
    json_decref(part);
}

void
answer_add_warning(json_t *answer, const char *text)
{
    json_t *list = json_own(answer, "warnings", json_array());

    json_add(list, json_text(text));
}

json_t *
answer_error(const char *action, const struct fault *f)
{
    json_t *answer = json_must(json_object());

    json_put_text(answer, "status", "error");
    json_put_text(answer, "action", action);
    json_put_text(answer, "error", f->text);
    json_put_text(answer, "error_type", err_info(f->code)->type);
    json_put_text(answer, "code", err_info(f->code)->code);
    if (*fault_next_step(f)) {
        json_put_text(answer, "remediation", fault_next_step(f));
    }
    if (f->line) {
        json_put_int(answer, "line", f->line);
        json_put_int(answer, "column", f->column);
    }
    return answer;
}

void
answer_add_position(json_t *answer, const json_t *record)
{
    json_put_int(answer, "current_phase", record_current(record));
    json_put_text(answer, "session_status", record_state_name(record_state(record)));
    json_put(answer, "next_calls", answer_next_calls(record));
}

/* Adds a call of 'action' in this session; with 'phase' not -1 for that phase. */
static json_t *
add_call(json_t *calls, const json_t *record, const char *action, const char *key, int phase)
{
    json_t *call = json_must(json_object());

    json_put_text(call, "action", action);
    json_put_text(call, "session_id", record_id(record));
    if (key) {
        json_put_int(call, key, phase);
    }
    json_add(calls, call);
    return call;
}

json_t *
answer_next_calls(const json_t *record)
{
    json_t *calls = json_must(json_array()), *call;
    int current = record_current(record);

    switch (record_state(record)) {
    case RECORD_PAUSED:
        add_call(calls, record, "resume", NULL, 0);
        break;
    case RECORD_COMPLETED:
        add_call(calls, record, "rollback", "to_phase", current);
        call = json_must(json_object());
        json_put_text(call, "action", "start");
        json_put_text(call, "workflow_type", record_pack(record));
        json_put_text(call, "target_file", record_target(record));
        json_add(calls, call);
        break;
    default:
        add_call(calls, record, "get_phase", NULL, 0);
        add_call(calls, record, "get_task", "phase", current);
        add_call(calls, record, "complete_phase", "phase", current);
        break;
    }
    return calls;
}

/* A number with the precision that a reader wants: thousandths. */
static json_t *
seconds(double value)
{
    return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

/* What can be derived of a session for whoever comes back to it. */
static json_t *
resumption(const json_t *record, int64_t now_ns)
{
    json_t *r = json_must(json_object()), *remaining = json_must(json_array());
    json_t *times = json_must(json_object()), *errors = record_errors(record, -1);
    size_t count = record_phase_count(record), done = 0;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        int phase = record_phase_at(record, i);
        double spent = record_phase_seconds(record, phase, now_ns);

        if (record_has_completed(record, phase)) {
            char key[16];
            snprintf(key, sizeof key, "%d", phase);
            json_put(times, key, seconds(spent));
            sum += spent;
            done++;
        } else {
            json_add(remaining, json_integer(phase));
        }
    }
    json_put_int(r, "percent_complete", count ? (int64_t)(100 * done / count) : 0);
    json_put_int(r, "phases_remaining_count", (int64_t)(count - done));
    json_put(r, "phases_remaining", remaining);
    json_put(r, "phase_seconds", times);
    json_put(r, "average_phase_seconds", seconds(done ? sum / (double)done : 0));
    if (record_state(record) != RECORD_COMPLETED) {
        json_put(r, "current_phase_seconds",
                 seconds(record_phase_seconds(record, record_current(record), now_ns)));
    }
    json_put(r, "last_error", json_clone(json_array_get(errors, json_array_size(errors) - 1)));
    json_put(r, "next_calls", answer_next_calls(record));
    json_decref(errors);
    return r;
}

json_t *
answer_state(const json_t *record, int64_t now_ns)
{
    json_t *state = json_must(json_object());
    const json_t *lifecycle = json_object_get(record, "lifecycle");

    answer_add_session(state, record);
    json_put_text(state, "current_phase_title", record_title(record, record_current(record)));
    json_put(state, "completed_phases", json_clone(json_object_get(record, "completed_phases")));
    json_put_int(state, "total_phases", (int64_t)record_phase_count(record));
    json_put_bool(state, "is_complete", record_state(record) == RECORD_COMPLETED);
    json_put(state, "checkpoints", json_clone(json_object_get(record, "checkpoints")));
    json_put_text(state, "created_at", record_text(record, "created_at"));
    json_put_text(state, "updated_at", record_text(record, "updated_at"));
    if (record_state(record) == RECORD_COMPLETED) {
        json_put(state, "completed_at", json_clone(json_object_get(lifecycle, "completed_at")));
    }
    if (record_state(record) == RECORD_PAUSED) {
        json_put(state, "paused_at", json_clone(json_object_get(lifecycle, "paused_at")));
        json_put(state, "pause_note", json_clone(json_object_get(lifecycle, "pause_note")));
    }
    json_put_int(state, "revision", record_revision(record));
    json_put(state, "resumption", resumption(record, now_ns));
    return state;
}

json_t *
answer_row(const struct session_summary *s)
{
    json_t *row = json_must(json_object());

    json_put_text(row, "session_id", s->id);
    json_put_text(row, "workflow_type", s->pack);
    json_put_text(row, "target_file", s->target);
    json_put_text(row, "session_status", record_state_name(s->state));
    json_put_int(row, "current_phase", s->current_phase);
    json_put_text(row, "created_at", s->created_at);
    json_put_text(row, "updated_at", s->updated_at);
    return row;
}
