/* workflow_record_change.c -- how a session begins, and each transition as a new document.
 *
 * DESIGN.  A transition copies the path to what it changes (json_own()) and shares the rest; the
 * old record stays as it was, so that a save that fails leaves nothing to undo. */
#include "state/workflow_record_private.h"

#include "state/base/json_put.h"

#include <assert.h>

static json_t *
own_phase(json_t *record, const char *map, int phase)
{
    return json_own(json_own(record, map, json_object()), record_key(phase).text, json_object());
}

static void
begin_phase(json_t *record, int phase, int64_t now_ns)
{
    json_t *timing = own_phase(record, "phase_timing", phase);

    json_put_text(json_own(record, "checkpoints", json_object()), record_key(phase).text,
                  "pending");
    json_put_int(record, "current_phase", phase);
    record_put_time(timing, "started_at", now_ns);
    json_put(timing, "completed_at", json_null());
    json_put_int(timing, "attempts", 0);
    json_put(timing, "paused_seconds", json_real(0));
}

/* Copy-on-write: a new record whose top level is its own, at the next revision. */
static json_t *
begin_change(json_t *old, int64_t now_ns)
{
    json_t *next = json_must(json_copy(old));

    json_put_int(next, "format", RECORD_FORMAT);
    json_put_int(next, "revision", record_revision(old) + 1);
    record_put_time(next, "updated_at", now_ns);
    return next;
}

enum err
record_fit(json_t **record, size_t max, struct fault *f)
{
    size_t size = json_size(*record) + 1; /* And a newline. */

    if (size > max) {
        json_t *light = json_must(json_copy(*record));

        json_decref(*record);
        record_shed(light);
        *record = light;
        size = json_size(light) + 1;
    }
    if (size > max) {
        json_decref(*record);
        *record = NULL;
        fault_set(f, E_TOO_LARGE,
                  "the session file would hold %zu bytes, over the limit of %zu (session file)",
                  size, max);
        return fault_remedy(f, "hand in shorter evidence: the decisive lines and paths, not whole "
                               "outputs");
    }
    return E_OK;
}

static void
set_state(json_t *record, enum record_state state)
{
    json_put_text(json_own(record, "lifecycle", json_object()), "state", record_state_name(state));
}

json_t *
record_create(const struct record_start *start, int64_t now_ns)
{
    json_t *record = json_must(json_object());
    json_t *options = start->options ? json_clone(start->options) : json_must(json_object());
    json_t *lifecycle, *event;
    int first;

    json_put_int(record, "format", RECORD_FORMAT);
    json_put_int(record, "revision", 1);
    json_put_text(record, "session_id", start->id);
    json_put_text(record, "workflow_type", start->pack);
    json_put_text(record, "target_file", start->target);
    json_put_int(record, "current_phase", 0);
    json_put(record, "completed_phases", json_array());
    json_put(record, "phase_artifacts", json_object());
    json_put(record, "checkpoints", json_object());
    record_put_time(record, "created_at", now_ns);
    record_put_time(record, "updated_at", now_ns);
    json_put(record, "metadata", options);
    json_put(record, "structure", json_clone(start->structure));
    json_put_int(options, "total_phases", (int64_t)record_phase_count(record));
    lifecycle = json_own(record, "lifecycle", json_object());
    json_put_text(lifecycle, "state", record_state_name(RECORD_ACTIVE));
    json_put(lifecycle, "completed_at", json_null());
    json_put(lifecycle, "paused_at", json_null());
    json_put(lifecycle, "pause_note", json_null());
    json_put(lifecycle, "resumed_at", json_null());
    json_put_int(lifecycle, "resume_count", 0);
    json_put(record, "errors", json_array());
    assert(record_phase_count(record) > 0);
    first = record_phase_at(record, 0);
    begin_phase(record, first, now_ns);
    event = record_event("started", first, now_ns);
    json_put(event, "pack_version",
             json_clone(json_object_get(json_object_get(record, "structure"), "pack_version")));
    record_add_event(record, event);
    return record;
}

enum err
record_check_complete(const json_t *record, int phase, struct fault *f)
{
    enum record_state state = record_state(record);
    int current = record_current(record);

    if (state == RECORD_COMPLETED) {
        fault_set(f, E_STATE, "phase %d cannot be completed: the workflow is completed", phase);
        return fault_remedy(f, "use rollback with to_phase to reopen it, or start with "
                               "options.new_session for another run");
    }
    if (state == RECORD_PAUSED) {
        fault_set(f, E_STATE, "phase %d cannot be completed: the session is paused in phase %d",
                  phase, current);
        return fault_remedy(f, "call resume first");
    }
    if (phase == current) {
        return E_OK;
    }
    if (record_has_completed(record, phase)) {
        fault_set(f, E_STATE, "phase %d is completed already; the current phase is %d", phase,
                  current);
    } else {
        fault_set(f, E_STATE, "phase %d cannot be completed: the current phase is %d", phase,
                  current);
    }
    return fault_remedy(f, "call get_phase, then complete_phase with phase %d", current);
}

/* Adds 'phase' to the completed ones, in order, once. */
static void
mark_completed(json_t *record, int phase)
{
    json_t *list = json_own(record, "completed_phases", json_array());
    size_t at = 0;

    while (at < json_array_size(list) && json_integer_value(json_array_get(list, at)) < phase) {
        at++;
    }
    if (json_integer_value(json_array_get(list, at)) == phase && at < json_array_size(list)) {
        return;
    }
    if (json_array_insert_new(list, at, json_must(json_integer(phase))) != 0) {
        json_must(NULL);
    }
}

/* The lowest phase of the structure that is not completed, or -1. */
static int
next_open_phase(const json_t *record)
{
    for (size_t i = 0; i < record_phase_count(record); i++) {
        int phase = record_phase_at(record, i);
        if (!record_has_completed(record, phase)) {
            return phase;
        }
    }
    return -1;
}

static void
count_attempt(json_t *event, json_t *timing)
{
    int64_t attempts = json_integer_value(json_object_get(timing, "attempts")) + 1;

    json_put_int(timing, "attempts", attempts);
    json_put_int(event, "attempt", attempts);
}

static void
store_artifact(json_t *record, const struct record_attempt *attempt, int64_t now_ns)
{
    json_t *artifact = json_must(json_object());

    json_put_int(artifact, "phase_number", attempt->phase);
    json_put(artifact, "evidence", json_clone(attempt->evidence));
    json_put(artifact, "outputs", json_object());
    json_put(artifact, "commands_executed",
             attempt->commands ? json_clone(attempt->commands) : json_array());
    record_put_time(artifact, "timestamp", now_ns);
    json_put(json_own(record, "phase_artifacts", json_object()), record_key(attempt->phase).text,
             artifact);
}

/* Passes the attempt's phase: artifact, mark, then the next phase or the end. */
static void
pass_phase(json_t *record, const struct record_attempt *attempt, int64_t now_ns)
{
    json_t *timing = own_phase(record, "phase_timing", attempt->phase);
    json_t *event = record_event("passed", attempt->phase, now_ns);
    int next;

    store_artifact(record, attempt, now_ns);
    json_put_text(json_own(record, "checkpoints", json_object()), record_key(attempt->phase).text,
                  "passed");
    mark_completed(record, attempt->phase);
    record_put_time(timing, "completed_at", now_ns);
    count_attempt(event, timing);
    json_put_text(event, "gate_source", attempt->gate_source);
    if (attempt->overridden) {
        json_put_bool(event, "overridden", true);
        record_put_note(event, "override_reason", attempt->override_reason);
        json_put(event, "diagnostic", json_clone(attempt->diagnostic));
    }
    record_add_event(record, event);
    json_object_del(record, "last_attempt");
    next = next_open_phase(record);
    if (next >= 0) {
        set_state(record, RECORD_ACTIVE);
        begin_phase(record, next, now_ns);
    } else {
        set_state(record, RECORD_COMPLETED);
        record_put_time(json_own(record, "lifecycle", json_object()), "completed_at", now_ns);
        record_add_event(record, record_event("completed", attempt->phase, now_ns));
    }
}

/* Notes a refused attempt; artifacts of earlier ones stay. */
static void
refuse_phase(json_t *record, const struct record_attempt *attempt, int64_t now_ns)
{
    json_t *timing = own_phase(record, "phase_timing", attempt->phase);
    json_t *event = record_event("refused", attempt->phase, now_ns);
    json_t *last = json_must(json_object());

    json_put_text(json_own(record, "checkpoints", json_object()), record_key(attempt->phase).text,
                  "failed");
    set_state(record, RECORD_FAILED);
    count_attempt(event, timing);
    json_put_text(event, "gate_source", attempt->gate_source);
    record_put_note(event, "message", attempt->message);
    json_put(event, "evidence", record_kept_evidence(attempt->evidence));
    json_put_int(last, "phase", attempt->phase);
    record_put_time(last, "at", now_ns);
    json_put(last, "evidence", record_kept_evidence(attempt->evidence));
    json_put(record, "last_attempt", last);
    record_add_error(record, err_info(E_REFUSED)->type, attempt->message, attempt->diagnostic,
                     now_ns);
    record_add_event(record, event);
}

enum err
record_complete(json_t *old, const struct record_attempt *attempt, int64_t now_ns, json_t **next,
                struct fault *f)
{
    enum err err = record_check_complete(old, attempt->phase, f);
    json_t *record;

    *next = NULL;
    if (err) {
        return err;
    }
    record = begin_change(old, now_ns);
    if (attempt->passed) {
        pass_phase(record, attempt, now_ns);
    } else {
        refuse_phase(record, attempt, now_ns);
    }
    *next = record;
    return E_OK;
}

enum err
record_pause(json_t *old, const char *note, int64_t now_ns, json_t **next, struct fault *f)
{
    enum record_state state = record_state(old);
    json_t *record, *lifecycle, *event;

    *next = NULL;
    if (state == RECORD_PAUSED) {
        fault_set(f, E_STATE, "the session is paused already, in phase %d", record_current(old));
        return fault_remedy(f, "call resume to go on");
    }
    if (state == RECORD_COMPLETED) {
        fault_set(f, E_STATE, "the workflow is completed; there is nothing to pause");
        return fault_remedy(f, "use rollback to reopen it, or start another run");
    }
    record = begin_change(old, now_ns);
    lifecycle = json_own(record, "lifecycle", json_object());
    json_put_text(lifecycle, "state", record_state_name(RECORD_PAUSED));
    record_put_time(lifecycle, "paused_at", now_ns);
    record_put_note(lifecycle, "pause_note", note);
    event = record_event("paused", record_current(record), now_ns);
    record_put_note(event, "note", note);
    record_add_event(record, event);
    *next = record;
    return E_OK;
}

enum err
record_resume(json_t *old, int64_t now_ns, double *seconds, json_t **next, struct fault *f)
{
    json_t *record, *lifecycle, *timing, *event;
    int phase = record_current(old);
    int64_t paused;
    bool failed;

    *next = NULL;
    if (record_state(old) != RECORD_PAUSED) {
        fault_set(f, E_STATE, "the session is not paused: it is %s, in phase %d",
                  record_state_name(record_state(old)), phase);
        return fault_remedy(f, record_state(old) == RECORD_COMPLETED
                                   ? "use rollback to reopen it, or start another run"
                                   : "go on with get_phase and complete_phase");
    }
    record = begin_change(old, now_ns);
    lifecycle = json_own(record, "lifecycle", json_object());
    timing = own_phase(record, "phase_timing", phase);
    paused = record_time(lifecycle, "paused_at");
    *seconds = paused >= 0 && paused < now_ns ? (double)(now_ns - paused) / 1e9 : 0;
    json_put(timing, "paused_seconds",
             json_real(json_number_value(json_object_get(timing, "paused_seconds")) + *seconds));
    failed = strcmp(record_text(json_object_get(record, "checkpoints"), record_key(phase).text),
                    "failed") == 0;
    json_put_text(lifecycle, "state", record_state_name(failed ? RECORD_FAILED : RECORD_ACTIVE));
    record_put_time(lifecycle, "resumed_at", now_ns);
    json_put_int(lifecycle, "resume_count",
                 json_integer_value(json_object_get(lifecycle, "resume_count")) + 1);
    event = record_event("resumed", phase, now_ns);
    json_put(event, "paused_seconds", json_real(*seconds));
    record_add_event(record, event);
    *next = record;
    return E_OK;
}

enum err
record_retry(json_t *old, int phase, bool reset, int64_t now_ns, json_t **next, struct fault *f)
{
    int current = record_current(old);
    enum record_state state = record_state(old);
    json_t *record, *event;

    *next = NULL;
    if (state == RECORD_FAILED && phase == current) {
        record = begin_change(old, now_ns);
        json_put_text(json_own(record, "checkpoints", json_object()), record_key(phase).text,
                      "pending");
        set_state(record, RECORD_ACTIVE);
        if (reset) {
            json_object_del(record, "last_attempt");
        }
        event = record_event("retried", phase, now_ns);
        json_put_bool(event, "evidence_reset", reset);
        record_add_event(record, event);
        *next = record;
        return E_OK;
    }
    if (state == RECORD_PAUSED) {
        fault_set(f, E_STATE, "phase %d cannot be retried: the session is paused in phase %d",
                  phase, current);
        return fault_remedy(f, "call resume first");
    }
    if (state == RECORD_COMPLETED) {
        fault_set(f, E_STATE, "phase %d cannot be retried: the workflow is completed", phase);
        return fault_remedy(f, "use rollback with to_phase to reopen it");
    }
    fault_set(f, E_STATE, "phase %d cannot be retried: the current phase is %d, and it has %s",
              phase, current, state == RECORD_FAILED ? "failed" : "not failed");
    return fault_remedy(
        f, state == RECORD_FAILED ? "retry phase %d" : "call complete_phase with phase %d",
        current);
}

/* Moves the entries of phases from 'from' on out of the map 'name' of 'record' into 'event'. */
static size_t
move_phases(json_t *record, const char *name, int from, json_t *event, const char *as)
{
    json_t *map = json_own(record, name, json_object());
    json_t *moved = json_must(json_object());
    json_t *value;
    const char *key;
    void *tmp;
    size_t count = 0;

    json_object_foreach_safe(map, tmp, key, value)
    {
        if (strtol(key, NULL, 10) >= from) {
            json_put(moved, key, json_incref(value));
            json_object_del(map, key);
            count++;
        }
    }
    json_put(event, as, moved);
    return count;
}

static enum err
check_rollback(const json_t *old, int to_phase, struct fault *f)
{
    enum record_state state = record_state(old);
    int current = record_current(old);

    if (state == RECORD_PAUSED) {
        fault_set(f, E_STATE, "the session is paused in phase %d and cannot be rolled back",
                  current);
        return fault_remedy(f, "call resume first");
    }
    if (!record_has_completed(old, to_phase) || !record_has_phase(old, to_phase) ||
        (state != RECORD_COMPLETED && to_phase >= current)) {
        fault_set(f, E_STATE,
                  "cannot roll back to phase %d: it is not a completed phase before the current "
                  "phase %d",
                  to_phase, current);
        return fault_remedy(f, "give one of completed_phases as to_phase (see get_state)");
    }
    return E_OK;
}

enum err
record_rollback(json_t *old, int to_phase, int64_t now_ns, size_t *cleared, json_t **next,
                struct fault *f)
{
    enum err err = check_rollback(old, to_phase, f);
    json_t *record, *event, *completed, *lifecycle;

    *next = NULL;
    *cleared = 0;
    if (err) {
        return err;
    }
    record = begin_change(old, now_ns);
    event = record_event("rolled_back", to_phase, now_ns);
    json_put_int(event, "from_phase", record_current(old));
    *cleared = move_phases(record, "phase_artifacts", to_phase, event, "artifacts");
    move_phases(record, "checkpoints", to_phase, event, "checkpoints");
    move_phases(record, "phase_timing", to_phase, event, "phase_timing");
    completed = json_own(record, "completed_phases", json_array());
    for (size_t i = json_array_size(completed); i-- > 0;) {
        if (json_integer_value(json_array_get(completed, i)) >= to_phase) {
            json_array_remove(completed, i);
        }
    }
    json_object_del(record, "last_attempt");
    lifecycle = json_own(record, "lifecycle", json_object());
    json_put_text(lifecycle, "state", record_state_name(RECORD_ACTIVE));
    json_put(lifecycle, "completed_at", json_null());
    begin_phase(record, to_phase, now_ns);
    record_add_event(record, event);
    *next = record;
    return E_OK;
}

enum err
record_note_error(json_t *old, const char *error_type, const char *message, int64_t now_ns,
                  json_t **next)
{
    json_t *record = begin_change(old, now_ns);

    record_add_error(record, error_type, message, NULL, now_ns);
    *next = record;
    return E_OK;
}
