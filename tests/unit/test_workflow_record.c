/* test_workflow_record.c -- the session document: creation, transitions, bounds, old files. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/base/file.h"
#include "state/base/json_put.h"
#include "state/workflow_record.h"

#include <stdio.h>

#define SECOND 1000000000ll
#define T0 1700000000000000000ll /* 2023-11-14T22:13:20Z */

static const char id[] = "0a1b2c3d-0000-4000-8000-00000000000f";

static json_t *
make_structure(int first, int count)
{
    json_t *structure = json_object(), *phases = json_array(), *titles = json_object();

    for (int i = first; i < first + count; i++) {
        char key[16], title[32];
        snprintf(key, sizeof key, "%d", i);
        snprintf(title, sizeof title, "Title %d", i);
        json_add(phases, json_integer(i));
        json_put_text(titles, key, title);
    }
    json_put(structure, "phases", phases);
    json_put(structure, "titles", titles);
    json_put_text(structure, "pack_version", "1.2.0");
    json_put_text(structure, "source_digest", "abc");
    return structure;
}

static json_t *
make_record(int first, int count)
{
    json_t *structure = make_structure(first, count);
    json_t *options = json_pack("{s:s}", "spec_path", "specs/x");
    struct record_start start = {id, "spec_creation_v1", "user-auth", options, structure};
    json_t *record = record_create(&start, T0);

    json_decref(structure);
    json_decref(options);
    return record;
}

/* Replaces '*record' by what the attempt makes of it. */
static enum err
attempt(json_t **record, int phase, bool passed, int64_t at, struct fault *f)
{
    json_t *evidence = json_pack("{s:i, s:s}", "count", phase, "text", "seen");
    json_t *commands = json_pack("[{s:s}]", "command", "make test");
    json_t *diagnostic = json_pack("{s:s}", "secret_rule", "count > 3");
    struct record_attempt a = {.phase = phase,
                               .passed = passed,
                               .evidence = evidence,
                               .commands = commands,
                               .diagnostic = diagnostic,
                               .gate_source = "yaml",
                               .message = "Field 'count' is wrong"};
    json_t *next;
    enum err err = record_complete(*record, &a, at, &next, f);

    if (!err) {
        json_decref(*record);
        *record = next;
    }
    json_decref(evidence);
    json_decref(commands);
    json_decref(diagnostic);
    return err;
}

static void
ids_are_uuids(void **state)
{
    char a[RECORD_ID_SIZE], b[RECORD_ID_SIZE];
    (void)state;

    CHECK(record_make_id(a, NULL) == E_OK && record_make_id(b, NULL) == E_OK);
    CHECK(record_is_id(a) && record_is_id(b) && strcmp(a, b) != 0);
    CHECK(a[14] == '4' && strchr("89ab", a[19]));
    CHECK(!record_is_id("------------------------------------"));
    CHECK(!record_is_id("0a1b2c3d-0000-4000-8000-00000000000f\n"));
    CHECK(!record_is_id("0A1B2C3D-0000-4000-8000-00000000000F"));
    CHECK(!record_is_id("0a1b2c3d-0000-4000-8000-00000000000"));
    CHECK(!record_is_id(""));
    CHECK(!record_is_id("../../../../../../../../etc/passwd00"));
}

static void
a_new_record_stands_at_its_first_phase(void **state)
{
    json_t *record = make_record(2, 3);
    (void)state;

    CHECK_STR(record_id(record), id);
    CHECK_STR(record_pack(record), "spec_creation_v1");
    CHECK_STR(record_target(record), "user-auth");
    CHECK_INT(record_revision(record), 1);
    CHECK_INT(record_current(record), 2);
    CHECK_INT(record_state(record), RECORD_ACTIVE);
    CHECK_INT(record_phase_count(record), 3);
    CHECK_STR(record_title(record, 3), "Title 3");
    CHECK_STR(record_title(record, 9), "");
    CHECK_STR(record_text(record, "created_at"), "2023-11-14T22:13:20.000Z");
    CHECK_INT(json_integer_value(json_object_get(record_options(record), "total_phases")), 3);
    CHECK_STR(record_text(record_options(record), "spec_path"), "specs/x");
    CHECK(!record_has_completed(record, 2) && record_has_phase(record, 4));
    json_decref(record);
}

static void
passing_moves_on_and_ends(void **state)
{
    json_t *record = make_record(0, 2);
    json_t *before = json_deep_copy(record), *first = json_incref(record);
    const json_t *artifact;
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(attempt(&record, 0, true, T0 + 5 * SECOND, &f) == E_OK);
    CHECK(json_equal(before, first)); /* The old one is as it was. */
    CHECK_INT(record_revision(record), 2);
    CHECK_INT(record_current(record), 1);
    CHECK(record_has_completed(record, 0));
    artifact = json_object_get(json_object_get(record, "phase_artifacts"), "0");
    CHECK_STR(record_text(json_object_get(artifact, "evidence"), "text"), "seen");
    CHECK_INT(json_array_size(json_object_get(artifact, "commands_executed")), 1);
    CHECK(record_phase_seconds(record, 0, T0 + 100 * SECOND) == 5);
    CHECK(record_phase_seconds(record, 1, T0 + 8 * SECOND) == 3);
    CHECK(record_phase_seconds(record, 7, T0) == 0);

    CHECK(attempt(&record, 0, true, T0, &f) == E_STATE);
    CHECK(strstr(f.text, "current phase is 1") && f.remedy[0]);
    CHECK(attempt(&record, 5, true, T0, &f) == E_STATE);

    CHECK(attempt(&record, 1, true, T0 + 9 * SECOND, &f) == E_OK);
    CHECK_INT(record_state(record), RECORD_COMPLETED);
    CHECK_INT(record_current(record), 1);
    CHECK_STR(record_text(json_object_get(record, "lifecycle"), "completed_at"),
              "2023-11-14T22:13:29.000Z");
    CHECK(attempt(&record, 1, true, T0, &f) == E_STATE);
    CHECK(strstr(f.text, "completed") && strstr(f.remedy, "rollback"));
    CHECK_INT(json_array_size(json_object_get(record, "completed_phases")), 2);
    json_decref(first);
    json_decref(before);
    json_decref(record);
}

static void
a_refusal_is_kept_with_its_evidence(void **state)
{
    json_t *record = make_record(0, 2), *errors;
    const json_t *event, *error;
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(attempt(&record, 0, false, T0 + SECOND, &f) == E_OK);
    CHECK_INT(record_state(record), RECORD_FAILED);
    CHECK_INT(record_current(record), 0);
    CHECK_STR(record_text(json_object_get(record, "checkpoints"), "0"), "failed");
    CHECK_INT(json_object_size(json_object_get(record, "phase_artifacts")), 0);
    event = json_array_get(json_object_get(record, "history"), 1);
    CHECK_STR(record_text(event, "event"), "refused");
    CHECK_STR(record_text(json_object_get(event, "evidence"), "text"), "seen");
    error = json_array_get(json_object_get(record, "errors"), 0);
    CHECK_STR(record_text(json_object_get(error, "details"), "secret_rule"), "count > 3");
    errors = record_errors(record, 0);
    CHECK_INT(json_array_size(errors), 1);
    CHECK_STR(record_text(json_array_get(errors, 0), "error_type"), "ValidationError");
    CHECK(!json_object_get(json_array_get(errors, 0), "details"));
    json_decref(errors);
    errors = record_errors(record, 1);
    CHECK_INT(json_array_size(errors), 0);
    json_decref(errors);

    CHECK(attempt(&record, 0, true, T0 + 2 * SECOND, &f) == E_OK); /* Trying again is allowed. */
    CHECK_INT(record_state(record), RECORD_ACTIVE);
    CHECK_INT(json_integer_value(json_object_get(
                  json_object_get(json_object_get(record, "phase_timing"), "0"), "attempts")),
              2);
    json_decref(record);
}

static void
step(json_t **record, json_t *next)
{
    json_decref(*record);
    *record = next;
}

static void
pauses_are_no_part_of_the_time(void **state)
{
    json_t *record = make_record(0, 2), *next;
    struct fault f = FAULT_INIT;
    double seconds;
    (void)state;

    CHECK(record_resume(record, T0, &seconds, &next, &f) == E_STATE);
    CHECK(record_pause(record, "lunch", T0 + 10 * SECOND, &next, &f) == E_OK);
    step(&record, next);
    CHECK_INT(record_state(record), RECORD_PAUSED);
    CHECK(record_phase_seconds(record, 0, T0 + 500 * SECOND) == 10);
    CHECK_STR(record_text(json_object_get(record, "lifecycle"), "pause_note"), "lunch");
    CHECK(record_pause(record, NULL, T0, &next, &f) == E_STATE && !next);
    CHECK(attempt(&record, 0, true, T0, &f) == E_STATE);
    CHECK(strstr(f.text, "paused") && strstr(f.remedy, "resume"));
    CHECK(record_retry(record, 0, true, T0, &next, &f) == E_STATE);

    CHECK(record_resume(record, T0 + 70 * SECOND, &seconds, &next, &f) == E_OK);
    step(&record, next);
    CHECK(seconds == 60);
    CHECK_INT(record_state(record), RECORD_ACTIVE);
    CHECK(record_phase_seconds(record, 0, T0 + 75 * SECOND) == 15);
    CHECK(attempt(&record, 0, true, T0 + 80 * SECOND, &f) == E_OK);
    CHECK(record_phase_seconds(record, 0, T0 + 999 * SECOND) == 20);
    CHECK(attempt(&record, 1, true, T0 + 80 * SECOND, &f) == E_OK);
    CHECK(record_pause(record, NULL, T0, &next, &f) == E_STATE);
    CHECK(record_resume(record, T0, &seconds, &next, &f) == E_STATE);
    json_decref(record);
}

static void
a_failed_session_stays_failed_over_a_pause(void **state)
{
    json_t *record = make_record(0, 2), *next;
    struct fault f = FAULT_INIT;
    double seconds;
    (void)state;

    CHECK(attempt(&record, 0, false, T0, &f) == E_OK);
    CHECK(record_pause(record, NULL, T0, &next, &f) == E_OK);
    step(&record, next);
    CHECK(record_resume(record, T0 - SECOND, &seconds, &next, &f) ==
          E_OK); /* The clock went back. */
    step(&record, next);
    CHECK(seconds == 0);
    CHECK_INT(record_state(record), RECORD_FAILED);
    json_decref(record);
}

static void
retry_clears_the_mark(void **state)
{
    json_t *record = make_record(0, 2), *next;
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(record_retry(record, 0, false, T0, &next, &f) == E_STATE); /* Not failed. */
    CHECK(strstr(f.text, "not failed"));
    CHECK(attempt(&record, 0, false, T0, &f) == E_OK);
    CHECK(record_retry(record, 1, false, T0, &next, &f) == E_STATE); /* Not the current one. */
    CHECK(strstr(f.remedy, "retry phase 0"));
    CHECK(json_object_get(record, "last_attempt"));
    CHECK(record_retry(record, 0, false, T0, &next, &f) == E_OK);
    CHECK(json_object_get(next, "last_attempt"));
    CHECK_INT(record_state(next), RECORD_ACTIVE);
    CHECK_STR(record_text(json_object_get(next, "checkpoints"), "0"), "pending");
    json_decref(next);
    CHECK(record_retry(record, 0, true, T0, &next, &f) == E_OK);
    CHECK(!json_object_get(next, "last_attempt"));
    json_decref(next);
    json_decref(record);
}

static void
rollback_moves_artifacts_to_the_history(void **state)
{
    json_t *record = make_record(0, 4), *next;
    const json_t *event;
    struct fault f = FAULT_INIT;
    size_t cleared;
    (void)state;

    CHECK(record_rollback(record, 0, T0, &cleared, &next, &f) == E_STATE);
    for (int i = 0; i < 3; i++) {
        CHECK(attempt(&record, i, true, T0 + i, &f) == E_OK);
    }
    CHECK(record_rollback(record, 3, T0, &cleared, &next, &f) == E_STATE); /* The current one. */
    CHECK(strstr(f.text, "current phase 3"));
    CHECK(record_rollback(record, 1, T0 + SECOND, &cleared, &next, &f) == E_OK);
    step(&record, next);
    CHECK_INT(cleared, 2);
    CHECK_INT(record_current(record), 1);
    CHECK(record_has_completed(record, 0) && !record_has_completed(record, 1) &&
          !record_has_completed(record, 2));
    CHECK_INT(json_object_size(json_object_get(record, "phase_artifacts")), 1);
    CHECK_INT(json_object_size(json_object_get(record, "checkpoints")), 2);
    event = json_array_get(json_object_get(record, "history"),
                           json_array_size(json_object_get(record, "history")) - 1);
    CHECK_STR(record_text(event, "event"), "rolled_back");
    CHECK_INT(json_object_size(json_object_get(event, "artifacts")), 2);
    CHECK_INT(json_integer_value(json_object_get(event, "from_phase")), 3);

    for (int i = 1; i < 4; i++) {
        CHECK(attempt(&record, i, true, T0 + i, &f) == E_OK);
    }
    CHECK_INT(record_state(record), RECORD_COMPLETED);
    CHECK(record_rollback(record, 3, T0 + SECOND, &cleared, &next, &f) == E_OK); /* Reopened. */
    step(&record, next);
    CHECK_INT(record_state(record), RECORD_ACTIVE);
    CHECK_INT(record_current(record), 3);
    CHECK(json_is_null(json_object_get(json_object_get(record, "lifecycle"), "completed_at")));
    CHECK(record_pause(record, "x", T0, &next, &f) == E_OK);
    step(&record, next);
    CHECK(record_rollback(record, 0, T0, &cleared, &next, &f) == E_STATE);
    json_decref(record);
}

static void
overrides_are_in_the_trail(void **state)
{
    json_t *record = make_record(0, 1), *next;
    json_t *evidence = json_pack("{s:i}", "count", 0), *event;
    struct record_attempt a = {.phase = 0,
                               .passed = true,
                               .overridden = true,
                               .evidence = evidence,
                               .gate_source = "yaml",
                               .override_reason = "agreed with the owner"};
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(record_complete(record, &a, T0, &next, &f) == E_OK);
    event = json_array_get(json_object_get(next, "history"), 1);
    CHECK(json_is_true(json_object_get(event, "overridden")));
    CHECK_STR(record_text(event, "override_reason"), "agreed with the owner");
    json_decref(evidence);
    json_decref(next);
    json_decref(record);
}

static json_t *
big_evidence(size_t bytes)
{
    char *text = xcalloc(bytes + 1, 1);
    json_t *evidence;

    memset(text, 'x', bytes);
    evidence = json_pack("{s:s}", "log", text);
    free(text);
    return evidence;
}

static enum err
attempt_with(json_t **record, int phase, bool passed, size_t bytes, struct fault *f)
{
    json_t *evidence = big_evidence(bytes), *next;
    struct record_attempt a = {.phase = phase,
                               .passed = passed,
                               .evidence = evidence,
                               .diagnostic = evidence,
                               .gate_source = "yaml",
                               .message = "no"};
    enum err err = record_complete(*record, &a, T0, &next, f);

    json_decref(evidence);
    err = err ? err : record_fit(&next, RECORD_FILE_MAX, f);
    if (!err) {
        step(record, next);
    } else {
        CHECK(!next);
    }
    return err;
}

static size_t
text_size(const json_t *record)
{
    struct buf text = BUF_INIT;
    size_t len;

    CHECK(record_dump(record, RECORD_FILE_MAX, &text, NULL) == E_OK);
    len = text.len;
    buf_fini(&text);
    return len;
}

static void
the_trail_is_bounded(void **state)
{
    json_t *record = make_record(0, 2);
    const json_t *history, *newest;
    struct fault f = FAULT_INIT;
    (void)state;

    for (int i = 0; i < 700; i++) {
        CHECK(attempt_with(&record, 0, false, i % 20 == 0 ? 30000 : 200, &f) == E_OK);
    }
    history = json_object_get(record, "history");
    CHECK(json_array_size(history) <= RECORD_HISTORY_EVENTS_MAX);
    CHECK(json_size(history) <= RECORD_HISTORY_BYTES_MAX);
    CHECK(json_size(json_object_get(record, "errors")) <= RECORD_ERRORS_BYTES_MAX);
    CHECK_INT(json_array_size(json_object_get(record, "errors")), RECORD_ERRORS_MAX);
    CHECK_INT(json_integer_value(json_object_get(record, "history_left_out")) +
                  (json_int_t)json_array_size(history),
              701);
    CHECK_INT(json_integer_value(json_object_get(record, "errors_left_out")), 600);
    newest = json_array_get(history, json_array_size(history) - 1);
    CHECK_INT(json_integer_value(json_object_get(newest, "attempt")), 700);
    CHECK(json_object_get(newest, "evidence"));
    CHECK(json_is_true(json_object_get(json_array_get(history, 0), "cut")));
    CHECK(text_size(record) <= RECORD_FILE_MAX);

    CHECK(attempt_with(&record, 0, false, 100000, &f) == E_OK); /* Too large to keep: it says so. */
    history = json_object_get(record, "history");
    newest = json_object_get(json_array_get(history, json_array_size(history) - 1), "evidence");
    CHECK(json_is_true(json_object_get(newest, "_left_out")));
    CHECK(json_integer_value(json_object_get(newest, "_bytes")) > 100000);
    json_decref(record);
}

static void
a_file_over_the_limit_is_refused_by_name(void **state)
{
    json_t *record = make_record(0, 3), *before;
    struct fault f = FAULT_INIT;
    (void)state;

    for (int i = 0; i < 20; i++) {
        CHECK(attempt_with(&record, 0, false, 30000, &f) == E_OK);
    }
    CHECK(attempt_with(&record, 0, true, 700000, &f) == E_OK);
    CHECK(attempt_with(&record, 1, true, 250000, &f) == E_OK); /* The trail gave up its weight. */
    CHECK(text_size(record) <= RECORD_FILE_MAX);
    before = json_incref(record);
    CHECK(attempt_with(&record, 2, true, 200000, &f) == E_TOO_LARGE);
    CHECK(strstr(f.text, "1048576") && strstr(f.text, "session file") && f.remedy[0]);
    CHECK(record == before);
    json_decref(before);
    json_decref(record);
}

static void
notes_are_cut_at_a_character(void **state)
{
    json_t *record = make_record(0, 1), *next;
    struct buf note = BUF_INIT;
    const char *kept;
    (void)state;

    buf_addc(&note, 'x');
    for (int i = 0; i < 3000; i++) {
        buf_adds(&note, "\xC3\xA9");
    }
    CHECK(record_pause(record, note.data, T0, &next, NULL) == E_OK);
    kept = record_text(json_object_get(next, "lifecycle"), "pause_note");
    CHECK_INT(strlen(kept), RECORD_NOTE_MAX - 1);
    buf_fini(&note);
    json_decref(next);
    CHECK(record_note_error(record, "RuntimeError", "disk", T0, &next) == E_OK);
    CHECK_INT(json_array_size(json_object_get(next, "errors")), 1);
    json_decref(next);
    json_decref(record);
}

static json_t *
load_fixture(int number, char name[RECORD_ID_SIZE])
{
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    struct dir *dir;
    char path[64];
    json_t *raw;

    snprintf(name, RECORD_ID_SIZE, "10000000-0000-4000-8000-%012d", number);
    snprintf(path, sizeof path, "%s.json", name);
    CHECK(dir_open("tests/fixtures/sessions", false, &dir, &f) == E_OK);
    CHECK(dir_read(dir, path, RECORD_FILE_MAX, &text, NULL, &f) == E_OK);
    CHECK(record_parse(buf_slice(&text), name, &raw, &f) == E_OK);
    CHECK(!record_has_structure(raw));
    buf_fini(&text);
    dir_unref(dir);
    return raw;
}

/* What becomes of old file 'number', whose pack has phases 'first' to 'last' (or none known: last
 * -1). */
static json_t *
upgrade_fixture(int number, int first, int last)
{
    char name[RECORD_ID_SIZE];
    json_t *raw = load_fixture(number, name), *before = json_deep_copy(raw);
    json_t *structure = last < 0 ? NULL : make_structure(first, last - first + 1);
    json_t *record = record_upgrade(raw, structure, T0), *again;
    const char *key;
    json_t *value;

    CHECK(json_equal(raw, before));
    CHECK(record_has_structure(record));
    json_object_foreach(raw, key, value) { /* Nothing is lost. */
        CHECK(json_object_get(record, key));
        (void)value;
    }
    CHECK(json_equal(json_object_get(raw, "metadata"), json_object_get(record, "metadata")) ||
          !json_object_get(json_object_get(raw, "metadata"), "total_phases"));
    again = record_upgrade(record, NULL, T0 + SECOND);
    CHECK(json_equal(record, again));
    json_decref(again);
    json_decref(before);
    json_decref(structure);
    json_decref(raw);
    return record;
}

static void
old_files_load(void **state)
{
    json_t *record = upgrade_fixture(1, 0, 5);
    (void)state;

    CHECK_INT(record_state(record), RECORD_ACTIVE);
    CHECK_INT(record_current(record), 2);
    CHECK_INT(record_phase_count(record), 6);
    CHECK_INT(record_revision(record), 0);
    CHECK_STR(record_text(record, "created_at"), "2025-10-23T09:58:03.774Z");
    CHECK(record_phase_seconds(record, 1, 0) > 1590 && record_phase_seconds(record, 1, 0) < 1592);
    CHECK(json_is_null(json_object_get(json_object_get(record, "structure"), "source_digest")));
    json_decref(record);
    record = upgrade_fixture(1, 0, -1); /* The pack is gone: its total is believed. */
    CHECK_INT(record_phase_count(record), 6);
    CHECK_INT(record_current(record), 2);
    json_decref(record);

    for (int known = 0; known < 2; known++) {
        record = upgrade_fixture(2, 0, known ? 5 : -1); /* One past the end. */
        CHECK_INT(record_state(record), RECORD_COMPLETED);
        CHECK_INT(record_current(record), 5);
        CHECK_STR(record_text(json_object_get(record, "lifecycle"), "completed_at"),
                  "2025-10-24T15:00:01.900Z");
        json_decref(record);
    }

    record = upgrade_fixture(3, 0, 5); /* No total. */
    CHECK_INT(record_phase_count(record), 6);
    CHECK_INT(json_integer_value(json_object_get(record_options(record), "total_phases")), 6);
    json_decref(record);
    record = upgrade_fixture(3, 0, -1);
    CHECK_INT(record_current(record), 1);
    CHECK_INT(record_phase_count(record), 2);
    json_decref(record);

    for (int known = 0; known < 2; known++) {
        record = upgrade_fixture(4, 0, known ? 6 : -1); /* A total of 2, phase 5. */
        CHECK_INT(record_state(record), RECORD_ACTIVE);
        CHECK_INT(record_current(record), 5);
        CHECK_INT(json_integer_value(json_object_get(record_options(record), "total_phases")), 2);
        json_decref(record);
    }
    record = upgrade_fixture(4, 0, 4); /* The pack says that was all. */
    CHECK_INT(record_state(record), RECORD_COMPLETED);
    json_decref(record);

    record = upgrade_fixture(5, 0, -1); /* Counted from one. */
    CHECK_INT(record_state(record), RECORD_COMPLETED);
    CHECK_INT(record_current(record), 8);
    CHECK_INT(record_phase_at(record, 0), 1);
    json_decref(record);

    record = upgrade_fixture(6, 0, 5); /* Refused; a member nobody knows. */
    CHECK_INT(record_state(record), RECORD_FAILED);
    CHECK_STR(record_text(json_object_get(record, "vendor_extension"), "colour"), "green");
    json_decref(record);
}

static void
an_old_file_goes_on(void **state)
{
    json_t *record = upgrade_fixture(6, 0, 5);
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(attempt(&record, 1, true, T0, &f) == E_OK);
    CHECK_INT(record_revision(record), 1);
    CHECK_INT(record_current(record), 2);
    CHECK(json_object_get(record, "vendor_extension"));
    json_decref(record);
}

static enum err
parse(const char *text)
{
    struct fault f = FAULT_INIT;
    json_t *raw;
    enum err err = record_parse(slice_of(text), id, &raw, &f);

    CHECK(err == f.code && !raw == !!err);
    json_decref(raw);
    return err;
}

static void
damaged_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{}",
        "{\"workflow_type\": 3}",
        "{\"workflow_type\": \"../x\"}",
        "{\"workflow_type\": \"a\", \"session_id\": \"b\"}",
        "{\"workflow_type\": \"a\", \"session_id\": 5}",
        "{\"workflow_type\": \"a\", \"current_phase\": -1}",
        "{\"workflow_type\": \"a\", \"current_phase\": 1.5}",
        "{\"workflow_type\": \"a\", \"current_phase\": \"x\"}",
        "{\"workflow_type\": \"a\", \"current_phase\": \"1x\"}",
        "{\"workflow_type\": \"a\", \"current_phase\": 10000}",
        "{\"workflow_type\": \"a\", \"current_phase\": []}",
        "{\"workflow_type\": \"a\", \"completed_phases\": {}}",
        "{\"workflow_type\": \"a\", \"completed_phases\": [\"a\"]}",
        "{\"workflow_type\": \"a\", \"checkpoints\": []}",
        "{\"workflow_type\": \"a\", \"history\": {}}",
        "{\"workflow_type\": \"a\", \"revision\": -2}",
        "{\"workflow_type\": \"a\", \"revision\": \"2\"}",
        "{\"workflow_type\": \"a\", \"metadata\": 1}",
        "{\"workflow_type\": \"a\", \"workflow_type\": \"b\"}",
        "{\"workflow_type\": \"a\"} x",
        "{\"workflow_type\": \"\"}",
        "{\"workflow_type\": \"a\", \"revision\": 9223372036854775807}",
        "{\"workflow_type\": \"a\", \"current_phase\": \"\"}",
        "{\"workflow_type\": \"a\", \"completed_phases\": [0, -1]}",
        "{\"workflow_type\": \"a\", \"errors\": \"none\"}",
    };
    char long_name[200];
    struct fault f = FAULT_INIT;
    json_t *raw;
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(parse(bad[i]), E_REFUSED);
    }
    snprintf(long_name, sizeof long_name, "{\"workflow_type\": \"%0128d\"}", 1);
    CHECK_INT(parse(long_name), E_OK);
    snprintf(long_name, sizeof long_name, "{\"workflow_type\": \"%0129d\"}", 1);
    CHECK_INT(parse(long_name), E_REFUSED);
    CHECK_INT(record_parse(SLICE_NONE, id, &raw, &f), E_REFUSED);
    CHECK_INT(record_parse(SLICE("{\n  \"a\" 1}"), id, &raw, &f), E_REFUSED);
    CHECK_INT(f.line, 2);
    CHECK_INT(parse("{\"workflow_type\": \"a\", \"format\": 2}"), E_STATE);
}

static void
the_least_that_is_a_session(void **state)
{
    static const char *const texts[] = {
        "{\"workflow_type\": \"a\"}",
        "{\"workflow_type\": \"a\", \"completed_phases\": null, \"current_phase\": null}",
        "{\"workflow_type\": \"a\", \"completed_phases\": [], \"current_phase\": 0.0}",
        "{\"workflow_type\": \"a\", \"current_phase\": \"0\", \"created_at\": \"long ago\"}",
        "{\"workflow_type\": \"a\", \"structure\": {\"phases\": [3, 2]}, \"lifecycle\": "
        "{\"state\": "
        "\"odd\"}}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *raw, *record;
        CHECK_INT(record_parse(slice_of(texts[i]), id, &raw, NULL), E_OK);
        record = record_upgrade(raw, NULL, T0);
        CHECK_STR(record_id(record), id);
        CHECK_INT(record_current(record), 0);
        CHECK_INT(record_phase_count(record), 1);
        CHECK_INT(record_state(record), RECORD_ACTIVE);
        CHECK_STR(record_text(record, "created_at"), "2023-11-14T22:13:20.000Z");
        json_decref(record);
        json_decref(raw);
    }
}

/* What a total counts is believed only where the rest of the file does not show otherwise. */
static void
phases_are_guessed_from_what_is_there(void **state)
{
    static const struct {
        const char *members;
        const char *phases; /* As JSON. */
    } rows[] = {
        {"\"metadata\": {\"total_phases\": 3}", "[0,1,2]"},
        {"\"metadata\": {\"total_phases\": 2}, \"current_phase\": 1, \"checkpoints\": {\"1\": "
         "\"pending\"}",
         "[0,1]"},
        {"\"metadata\": {\"total_phases\": 2}, \"current_phase\": 7", "[7]"},
        {"\"metadata\": {\"total_phases\": 2}, \"current_phase\": 4, \"completed_phases\": [3]",
         "[3,4]"},
        {"\"metadata\": {\"total_phases\": 9999}, \"current_phase\": 2, \"completed_phases\": [1]",
         "[1,2]"},
        {"\"phase_artifacts\": {\"2\": {}, \"x\": {}}, \"current_phase\": 2", "[2]"},
        {"\"structure\": {\"phases\": [1, \"2\"]}, \"current_phase\": 1", "[1]"},
        {"\"structure\": {\"phases\": [1, 1]}, \"current_phase\": 1", "[1]"},
        {"\"structure\": {\"phases\": [1, 4], \"titles\": {\"1\": \"One\"}, \"pack_version\": "
         "\"2\"}, "
         "\"current_phase\": 1",
         "[1,4]"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[400];
        json_t *raw, *record, *wanted = json_loads(rows[i].phases, 0, NULL);

        snprintf(text, sizeof text, "{\"workflow_type\": \"a\", %s}", rows[i].members);
        CHECK_INT(record_parse(slice_of(text), id, &raw, NULL), E_OK);
        record = record_upgrade(raw, NULL, T0);
        if (!json_equal(json_object_get(json_object_get(record, "structure"), "phases"), wanted)) {
            char *got = json_dumps(json_object_get(record, "structure"), JSON_COMPACT);
            fail_msg("%s: %s", text, got);
        }
        json_decref(wanted);
        json_decref(record);
        json_decref(raw);
    }
}

static void
holes_are_filled_lowest_first(void **state)
{
    json_t *raw, *record;
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK_INT(record_parse(SLICE("{\"workflow_type\": \"a\", \"current_phase\": 3, "
                                 "\"completed_phases\": [2, 0, 2.0, \"3\"], "
                                 "\"checkpoints\": {\"x\": \"odd\"}, "
                                 "\"metadata\": {\"total_phases\": 5}}"),
                           id, &raw, NULL),
              E_OK);
    record = record_upgrade(raw, NULL, T0);
    CHECK_INT(json_array_size(json_object_get(record, "completed_phases")), 3);
    CHECK_INT(record_current(record), 1);
    CHECK(attempt(&record, 1, true, T0, &f) == E_OK);
    CHECK_INT(record_current(record), 4);
    CHECK(attempt(&record, 4, true, T0, &f) == E_OK);
    CHECK_INT(record_state(record), RECORD_COMPLETED);
    json_decref(record);
    json_decref(raw);
}

static void
what_is_written_reads_back(void **state)
{
    json_t *record = make_record(0, 3), *raw, *again;
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    (void)state;

    CHECK(attempt(&record, 0, true, T0, &f) == E_OK);
    CHECK(attempt(&record, 1, false, T0, &f) == E_OK);
    CHECK(record_dump(record, RECORD_FILE_MAX, &text, &f) == E_OK);
    CHECK(strstr(text.data, "\n  \"session_id\""));
    CHECK(record_parse(buf_slice(&text), id, &raw, &f) == E_OK);
    again = record_upgrade(raw, NULL, T0 + SECOND);
    CHECK(json_equal(record, again));
    CHECK(record_state_named("error") == RECORD_FAILED && record_state_named("odd") == -1);
    CHECK_STR(record_state_name(RECORD_PAUSED), "paused");
    json_decref(again);
    json_decref(raw);
    buf_fini(&text);
    json_decref(record);
}

static void
texts_that_are_not_utf8_are_told_anyway(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"a\xFFz", "a\xEF\xBF\xBDz"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF5\x80\x80\x80\xC3\xA9", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9"},
        {"\xE2\x82\xAC\xFE\xF0\x9F\x98\x80", "\xE2\x82\xAC\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\xE2\x82(", "\xEF\xBF\xBD\xEF\xBF\xBD("},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *text = json_text(cases[i].in);
        CHECK_STR(json_string_value(text), cases[i].out);
        json_decref(text);
    }
    CHECK(json_is_null(json_text(NULL)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_uuids),
        cmocka_unit_test(a_new_record_stands_at_its_first_phase),
        cmocka_unit_test(passing_moves_on_and_ends),
        cmocka_unit_test(a_refusal_is_kept_with_its_evidence),
        cmocka_unit_test(pauses_are_no_part_of_the_time),
        cmocka_unit_test(a_failed_session_stays_failed_over_a_pause),
        cmocka_unit_test(retry_clears_the_mark),
        cmocka_unit_test(rollback_moves_artifacts_to_the_history),
        cmocka_unit_test(overrides_are_in_the_trail),
        cmocka_unit_test(the_trail_is_bounded),
        cmocka_unit_test(a_file_over_the_limit_is_refused_by_name),
        cmocka_unit_test(notes_are_cut_at_a_character),
        cmocka_unit_test(old_files_load),
        cmocka_unit_test(an_old_file_goes_on),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(the_least_that_is_a_session),
        cmocka_unit_test(phases_are_guessed_from_what_is_there),
        cmocka_unit_test(holes_are_filled_lowest_first),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(texts_that_are_not_utf8_are_told_anyway),
    };
    return CHECK_RUN(tests);
}
