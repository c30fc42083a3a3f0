/* workflow_record_audit.c -- the trail a session leaves: its events and errors, kept within bounds.
 *
 * DESIGN.  Every event and every error is kept as long as there is room; what has to go first is
 * what is heavy in the oldest ones (evidence, artifacts, details), so that the trail of who tried
 * what and when outlives the bulk.  Nothing is dropped silently: a cut item says "cut", dropped
 * ones are counted. */
#include "state/workflow_record_private.h"

#include "state/base/clock.h"
#include "state/base/json_put.h"

#include <stdio.h>

void
record_put_time(json_t *object, const char *key, int64_t now_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(now_ns, text);
    json_put_text(object, key, text);
}

int64_t
record_time(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? clock_parse(text) : -1;
}

void
record_put_note(json_t *object, const char *key, const char *note)
{
    size_t len = note ? strlen(note) : 0;

    if (len > RECORD_NOTE_MAX) {
        for (len = RECORD_NOTE_MAX; len && ((unsigned char)note[len] & 0xC0) == 0x80;) {
            len--;
        }
    }
    json_put(object, key, note ? json_text_slice((struct slice){note, len}) : json_null());
}

json_t *
record_event(const char *name, int phase, int64_t now_ns)
{
    json_t *event = json_must(json_object());

    json_put_text(event, "event", name);
    json_put_int(event, "phase", phase);
    record_put_time(event, "at", now_ns);
    return event;
}

/* Takes the members 'heavy' out of 'list's item 'i'.  Returns how many bytes that saved. */
static size_t
lighten_item(json_t *list, size_t i, const char *const *heavy)
{
    json_t *item = json_array_get(list, i);
    size_t before;
    bool cut = false;

    if (json_object_get(item, "cut")) {
        return 0;
    }
    item = json_must(json_copy(item));
    before = json_size(item);
    for (size_t h = 0; heavy[h]; h++) {
        cut = json_object_del(item, heavy[h]) == 0 || cut;
    }
    if (cut) {
        json_put_bool(item, "cut", true);
    }
    if (json_array_set(list, i, item) != 0) {
        json_must(NULL);
    }
    before -= cut && json_size(item) < before ? json_size(item) : before;
    json_decref(item);
    return before;
}

/* Keeps the list 'key', which is the caller's own, within its bounds. */
static void
bound_list(json_t *record, const char *key, const char *const *heavy, size_t items_max,
           size_t bytes_max)
{
    json_t *list = json_object_get(record, key);
    size_t bytes = json_size(list);
    int64_t dropped = 0;
    char name[64];

    for (size_t i = 0; bytes > bytes_max && i < json_array_size(list); i++) {
        bytes -= lighten_item(list, i, heavy);
    }
    while (json_array_size(list) > 1 && (json_array_size(list) > items_max || bytes > bytes_max)) {
        bytes -= json_size(json_array_get(list, 0)) + 1;
        json_array_remove(list, 0);
        dropped++;
    }
    if (dropped) {
        snprintf(name, sizeof name, "%s_left_out", key);
        json_put_int(record, name, json_integer_value(json_object_get(record, name)) + dropped);
    }
}

static void
bound_history(json_t *record, size_t bytes_max)
{
    static const char *const heavy[] = {"evidence", "artifacts", "diagnostic", NULL};

    bound_list(record, "history", heavy, RECORD_HISTORY_EVENTS_MAX, bytes_max);
}

static void
bound_errors(json_t *record, size_t bytes_max)
{
    static const char *const heavy[] = {"details", NULL};

    bound_list(record, "errors", heavy, RECORD_ERRORS_MAX, bytes_max);
}

void
record_add_event(json_t *record, json_t *event)
{
    json_add(json_own(record, "history", json_array()), event);
    bound_history(record, RECORD_HISTORY_BYTES_MAX);
}

void
record_add_error(json_t *record, const char *type, const char *message, const json_t *details,
                 int64_t now_ns)
{
    json_t *error = json_must(json_object());

    json_put_int(error, "phase", record_current(record));
    record_put_time(error, "at", now_ns);
    json_put_text(error, "error_type", type);
    record_put_note(error, "message", message);
    json_put(error, "details", json_clone(details));
    json_add(json_own(record, "errors", json_array()), error);
    bound_errors(record, RECORD_ERRORS_BYTES_MAX);
}

void
record_shed(json_t *record)
{
    json_own(record, "history", json_array());
    json_own(record, "errors", json_array());
    bound_history(record, RECORD_HISTORY_BYTES_MAX / 8);
    bound_errors(record, RECORD_ERRORS_BYTES_MAX / 8);
}

json_t *
record_kept_evidence(const json_t *evidence)
{
    json_t *kept;
    size_t size = json_size(evidence);

    if (size <= RECORD_ATTEMPT_MAX) {
        return json_clone(evidence);
    }
    kept = json_must(json_object());
    json_put_bool(kept, "_left_out", true);
    json_put_int(kept, "_bytes", (int64_t)size);
    return kept;
}
