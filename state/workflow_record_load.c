/* workflow_record_load.c -- session files as they are found: checked, and brought to today's form.
 *
 * The prior art's files lack our members and have local times without an offset; some have no
 * total_phases, or one that counts entries of a list and not phases, or a current phase one past
 * the end.  A file is damaged only if it cannot be a session at all: then it is refused, never
 * repaired by guessing. */
#include "state/workflow_record_private.h"

#include "state/base/json_put.h"

#include <stdio.h>

#define REVISION_MAX \
    (INT64_MAX / 2) /* Nobody counts so far; it keeps the next one from overflowing. */

/* Reads a phase's number: an integer, a float without fraction, or decimal text.  -1 if it is none.
 */
static int
read_phase(const json_t *value)
{
    double number = -1;

    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        char *end;
        number = *text >= '0' && *text <= '9' ? (double)strtol(text, &end, 10) : -1;
        if (number >= 0 && *end) {
            number = -1;
        }
    } else if (json_is_number(value)) {
        number = json_number_value(value);
    }
    return number >= 0 && number <= RECORD_PHASE_MAX && number == (double)(int)number ? (int)number
                                                                                      : -1;
}

static enum err
damaged(struct fault *f, const char *what)
{
    return fault_set(f, E_REFUSED, "the session file is damaged: %s", what);
}

/* Checks the type of each member that is there; null counts as absent. */
static enum err
check_types(const json_t *raw, struct fault *f)
{
    static const struct {
        const char *key;
        json_type type;
    } members[] = {
        {"target_file", JSON_STRING}, {"phase_artifacts", JSON_OBJECT},
        {"checkpoints", JSON_OBJECT}, {"metadata", JSON_OBJECT},
        {"lifecycle", JSON_OBJECT},   {"phase_timing", JSON_OBJECT},
        {"structure", JSON_OBJECT},   {"history", JSON_ARRAY},
        {"errors", JSON_ARRAY},       {"completed_phases", JSON_ARRAY},
        {"created_at", JSON_STRING},  {"updated_at", JSON_STRING},
        {"revision", JSON_INTEGER},   {"format", JSON_INTEGER},
    };

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value = json_object_get(raw, members[i].key);
        if (value && !json_is_null(value) && json_typeof(value) != members[i].type) {
            return fault_set(f, E_REFUSED,
                             "the session file is damaged: member '%s' has the wrong type",
                             members[i].key);
        }
    }
    return E_OK;
}

static bool
is_pack_name(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return len > 0 && len <= 128 && text[len] == '\0';
}

static enum err
check_values(const json_t *raw, const char *id, struct fault *f)
{
    const json_t *own_id = json_object_get(raw, "session_id");
    const json_t *current = json_object_get(raw, "current_phase");
    size_t i;
    json_t *item;

    if (own_id && (!json_is_string(own_id) || strcmp(json_string_value(own_id), id) != 0)) {
        return damaged(f, "its session_id is not that of its name");
    }
    if (!is_pack_name(record_text(raw, "workflow_type"))) {
        return damaged(f, "it names no workflow_type");
    }
    if (current && !json_is_null(current) && read_phase(current) < 0) {
        return damaged(f, "current_phase is not a phase number");
    }
    json_array_foreach(json_object_get(raw, "completed_phases"), i, item) {
        if (read_phase(item) < 0) {
            return damaged(f, "completed_phases holds what is not a phase number");
        }
    }
    if (record_revision(raw) < 0 || record_revision(raw) > REVISION_MAX) {
        return damaged(f, "its revision is no count of changes");
    }
    return E_OK;
}

enum err
record_parse(struct slice text, const char *id, json_t **raw, struct fault *f)
{
    json_error_t error;
    json_t *value = json_loadb(text.data ? text.data : "", text.len,
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    enum err err = E_OK;

    *raw = NULL;
    if (!value) {
        return fault_at(f, E_REFUSED, (unsigned)error.line, (unsigned)error.column,
                        "the session file is damaged: it is not JSON (line %d, column %d)",
                        error.line, error.column);
    }
    if (!json_is_object(value)) {
        err = damaged(f, "it is not a JSON object");
    }
    err = err ? err : check_types(value, f);
    err = err ? err : check_values(value, id, f);
    if (!err && json_integer_value(json_object_get(value, "format")) > RECORD_FORMAT) {
        err = fault_set(f, E_STATE, "the session file has format %d, and this server knows %d",
                        (int)json_integer_value(json_object_get(value, "format")), RECORD_FORMAT);
        fault_remedy(f, "use the newer server that wrote it");
    }
    if (err) {
        json_decref(value);
    } else {
        if (!json_object_get(value, "session_id")) {
            json_put_text(value, "session_id", id);
        }
        *raw = value;
    }
    return err;
}

bool
record_has_structure(const json_t *raw)
{
    const json_t *phases = json_object_get(json_object_get(raw, "structure"), "phases");
    int last = -1;
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)phases, i, item) {
        int phase = json_is_integer(item) ? read_phase(item) : -1;
        if (phase <= last) {
            return false;
        }
        last = phase;
    }
    return last >= 0;
}

/* A set of phase numbers. */
struct phase_set {
    bool has[RECORD_PHASE_MAX + 1];
};

/* Adds the phases that are keys of the map 'name'. */
static void
add_keys(struct phase_set *set, json_t *record, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(record, name), key, value) {
        json_t *text = json_text(key);
        int phase = read_phase(text);
        if (phase >= 0) {
            set->has[phase] = true;
        }
        json_decref(text);
    }
}

static void
add_completed(struct phase_set *set, json_t *record)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(record, "completed_phases"), i, item) {
        set->has[read_phase(item)] = true;
    }
}

static json_t *
list_of(const struct phase_set *set)
{
    json_t *list = json_must(json_array());

    for (int i = 0; i <= RECORD_PHASE_MAX; i++) {
        if (set->has[i]) {
            json_add(list, json_integer(i));
        }
    }
    return list;
}

/* The phases of a session whose pack cannot be asked: those that its total counts, unless the file
 * shows that the total counted something else; then those that it mentions. */
static json_t *
guess_structure(json_t *record)
{
    struct phase_set *done = xcalloc(1, sizeof *done), *set = xcalloc(1, sizeof *set);
    json_t *structure = json_must(json_object());
    int total = read_phase(json_object_get(record_options(record), "total_phases"));
    int current = read_phase(json_object_get(record, "current_phase"));
    int first, end, last_done = RECORD_PHASE_MAX;

    add_completed(done, record);
    for (; last_done >= 0 && !done->has[last_done]; last_done--) {
    }
    *set = *done;
    add_keys(set, record, "phase_artifacts");
    add_keys(set, record, "checkpoints");
    first = set->has[0] || current == 0 || last_done < 0 ? 0 : 1;
    end = first + total;
    if (total > 0 && end <= RECORD_PHASE_MAX && last_done < end && current <= end) {
        *set = *done;
        for (int i = first; i < end; i++) {
            set->has[i] = true;
        }
    } else if (current >= 0) {
        set->has[current] = true;
    } else if (last_done < 0) {
        set->has[0] = true;
    }
    json_put(structure, "phases", list_of(set));
    free(done);
    free(set);
    return structure;
}

static void
put_structure(json_t *record, const json_t *given)
{
    json_t *structure;

    if (record_has_structure(record)) {
        structure = json_own(record, "structure", json_object());
    } else {
        structure = given ? json_clone(given) : guess_structure(record);
        json_put(structure, "source_digest", json_null()); /* Nobody knows what it was at start. */
        json_put(record, "structure", structure);
    }
    if (!json_is_object(json_object_get(structure, "titles"))) {
        json_put(structure, "titles", json_object());
    }
    if (!json_object_get(structure, "pack_version")) {
        json_put(structure, "pack_version", json_null());
    }
    if (!json_object_get(structure, "source_digest")) {
        json_put(structure, "source_digest", json_null());
    }
}

/* Makes completed_phases whole numbers, rising, each once. */
static void
put_completed(json_t *record)
{
    struct phase_set *set = xcalloc(1, sizeof *set);

    add_completed(set, record);
    json_put(record, "completed_phases", list_of(set));
    free(set);
}

/* The time in 'key' as UTC text, or 'otherwise'. */
static void
put_utc(json_t *record, const char *key, int64_t otherwise)
{
    int64_t at = record_time(record, key);

    record_put_time(record, key, at < 0 ? otherwise : at);
}

static void
put_times(json_t *record, int64_t now_ns)
{
    int64_t updated = record_time(record, "updated_at");
    int64_t created = record_time(record, "created_at");

    put_utc(record, "created_at", updated < 0 ? now_ns : updated);
    put_utc(record, "updated_at", created < 0 ? now_ns : created);
}

/* Sets current_phase and the state from what is completed.  Returns the state. */
static enum record_state
put_position(json_t *record)
{
    int state = record_state_named(record_text(json_object_get(record, "lifecycle"), "state"));
    int current = read_phase(json_object_get(record, "current_phase"));
    size_t count = record_phase_count(record);
    int open = -1;
    const char *mark;

    for (size_t i = 0; i < count && open < 0; i++) {
        int phase = record_phase_at(record, i);
        open = record_has_completed(record, phase) ? -1 : phase;
    }
    if (open < 0) {
        state = RECORD_COMPLETED;
    }
    if (state == RECORD_COMPLETED) {
        current = record_phase_at(record, count - 1);
    } else if (!record_has_phase(record, current) || record_has_completed(record, current)) {
        current = open;
    }
    mark = record_text(json_object_get(record, "checkpoints"), record_key(current).text);
    if (state < 0) {
        state = strcmp(mark, "failed") == 0 ? RECORD_FAILED : RECORD_ACTIVE;
    }
    json_put_int(record, "current_phase", current);
    return (enum record_state)state;
}

static void
put_lifecycle(json_t *record, enum record_state state)
{
    static const char *const nulls[] = {"completed_at", "paused_at", "pause_note", "resumed_at"};
    json_t *lifecycle = json_own(record, "lifecycle", json_object());

    json_put_text(lifecycle, "state", record_state_name(state));
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        if (!json_object_get(lifecycle, nulls[i])) {
            json_put(lifecycle, nulls[i], json_null());
        }
    }
    if (!json_is_integer(json_object_get(lifecycle, "resume_count"))) {
        json_put_int(lifecycle, "resume_count", 0);
    }
    if (state == RECORD_COMPLETED && record_time(lifecycle, "completed_at") < 0) {
        json_put_text(lifecycle, "completed_at", record_text(record, "updated_at"));
    }
}

/* Fills in marks and times of the phases that were done: each began when the one before it ended.
 */
static void
put_phases(json_t *record)
{
    json_t *marks = json_own(record, "checkpoints", json_object());
    json_t *timing = json_own(record, "phase_timing", json_object());
    json_t *artifacts = json_own(record, "phase_artifacts", json_object());
    int64_t at = record_time(record, "created_at");

    for (size_t i = 0; i < record_phase_count(record); i++) {
        int phase = record_phase_at(record, i);
        struct phase_key key = record_key(phase);
        bool done = record_has_completed(record, phase);
        int64_t ended = done ? record_time(json_object_get(artifacts, key.text), "timestamp") : -1;

        if (!done && phase != record_current(record)) {
            continue;
        }
        if (!json_is_string(json_object_get(marks, key.text))) {
            json_put_text(marks, key.text, done ? "passed" : "pending");
        }
        if (!json_is_object(json_object_get(timing, key.text))) {
            json_t *entry = json_must(json_object());
            const char *mark = json_string_value(json_object_get(marks, key.text));

            record_put_time(entry, "started_at", at);
            if (ended >= 0) {
                record_put_time(entry, "completed_at", ended);
            } else {
                json_put(entry, "completed_at", json_null());
            }
            json_put_int(entry, "attempts", done || strcmp(mark, "failed") == 0);
            json_put(entry, "paused_seconds", json_real(0));
            json_put(timing, key.text, entry);
        }
        at = ended >= 0 ? ended : at;
    }
}

json_t *
record_upgrade(json_t *raw, const json_t *structure, int64_t now_ns)
{
    json_t *record = json_must(json_copy(raw));
    enum record_state state;
    json_t *options;

    json_put_int(record, "format", RECORD_FORMAT);
    json_put_int(record, "revision", record_revision(raw));
    if (!json_is_string(json_object_get(record, "target_file"))) {
        json_put_text(record, "target_file", "");
    }
    json_own(record, "history", json_array());
    json_own(record, "errors", json_array());
    put_completed(record);
    put_times(record, now_ns);
    put_structure(record, structure);
    state = put_position(record);
    put_lifecycle(record, state);
    put_phases(record);
    options = json_own(record, "metadata", json_object());
    if (!json_object_get(options, "total_phases")) {
        json_put_int(options, "total_phases", (int64_t)record_phase_count(record));
    }
    return record;
}
