/* fuzz_session.c -- any bytes as the file of a workflow session.
 *
 * What is taken must be whole after the upgrade, go through every transition without losing its
 * shape, and read back equal.  Run by "make fuzz-session"; finds are kept in
 * tests/fuzz/corpus/session. */
#include "state/base/clock.h"
#include "state/base/json_put.h"
#include "state/workflow_answer.h"
#include "state/workflow_index.h"
#include "state/workflow_record.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                       \
    do {                                                                      \
        if (!(CONDITION)) {                                                   \
            fprintf(stderr, "fuzz_session: does not hold: %s\n", #CONDITION); \
            abort();                                                          \
        }                                                                     \
    } while (0)

#define NOW 1763704800000000000
static const char session[] = "0a1b2c3d-0000-4000-8000-00000000000f";

/* What every record is, wherever it came from. */
static void
must_be_whole(json_t *record)
{
    static const struct {
        const char *key;
        json_type type;
    } members[] = {
        {"session_id", JSON_STRING},      {"workflow_type", JSON_STRING},
        {"target_file", JSON_STRING},     {"current_phase", JSON_INTEGER},
        {"completed_phases", JSON_ARRAY}, {"phase_artifacts", JSON_OBJECT},
        {"checkpoints", JSON_OBJECT},     {"created_at", JSON_STRING},
        {"updated_at", JSON_STRING},      {"metadata", JSON_OBJECT},
        {"structure", JSON_OBJECT},       {"lifecycle", JSON_OBJECT},
        {"phase_timing", JSON_OBJECT},    {"history", JSON_ARRAY},
        {"errors", JSON_ARRAY},           {"revision", JSON_INTEGER},
    };
    int last = -1;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value = json_object_get(record, members[i].key);
        MUST(value && json_typeof(value) == members[i].type);
    }
    MUST(record_phase_count(record) > 0);
    for (size_t i = 0; i < record_phase_count(record); i++) {
        MUST(record_phase_at(record, i) > last && record_phase_at(record, i) <= RECORD_PHASE_MAX);
        last = record_phase_at(record, i);
    }
    MUST(record_has_phase(record, record_current(record)));
    MUST(record_state(record) == RECORD_COMPLETED ||
         !record_has_completed(record, record_current(record)));
    MUST(clock_parse(record_text(record, "created_at")) >= 0);
    MUST(clock_parse(record_text(record, "updated_at")) >= 0);
    json_decref(answer_state(record, NOW));
    session_summary_unref(session_summary_of(record));
}

static void
must_read_back(json_t *record)
{
    struct buf text = BUF_INIT;
    struct fault fault = FAULT_INIT;
    json_t *raw, *again;

    if (record_dump(record, RECORD_FILE_MAX, &text, &fault) == E_OK) {
        MUST(record_parse(buf_slice(&text), session, &raw, &fault) == E_OK);
        MUST(record_has_structure(raw));
        again = record_upgrade(raw, NULL, NOW + 1000000000);
        MUST(json_equal(record, again));
        json_decref(again);
        json_decref(raw);
    }
    buf_fini(&text);
}

/* Takes '*record' a step on if 'err' says that it was made. */
static bool
went_on(json_t **record, json_t *next, enum err err)
{
    if (err) {
        MUST(!next && err == E_STATE);
        return false;
    }
    MUST(record_revision(next) == record_revision(*record) + 1);
    json_decref(*record);
    *record = next;
    must_be_whole(next);
    return true;
}

static bool
attempt(json_t **record, bool passed)
{
    json_t *evidence = json_pack("{s:i}", "a", 1), *next;
    struct record_attempt a = {.phase = record_current(*record),
                               .passed = passed,
                               .evidence = evidence,
                               .gate_source = "yaml",
                               .message = "no"};
    enum err err = record_complete(*record, &a, NOW, &next, NULL);

    json_decref(evidence);
    return went_on(record, next, err);
}

static void
must_go_on(json_t **record)
{
    double seconds;
    size_t cleared;
    json_t *next;
    enum err err;

    err = record_resume(*record, NOW, &seconds, &next, NULL);
    went_on(record, next, err);
    attempt(record, false);
    err = record_pause(*record, "note", NOW, &next, NULL);
    went_on(record, next, err);
    err = record_resume(*record, NOW, &seconds, &next, NULL);
    went_on(record, next, err);
    err = record_retry(*record, record_current(*record), true, NOW, &next, NULL);
    went_on(record, next, err);
    for (int i = 0; i < 5 && attempt(record, true); i++) {
    }
    err = record_rollback(*record, record_phase_at(*record, 0), NOW, &cleared, &next, NULL);
    went_on(record, next, err);
    must_read_back(*record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct fault fault = FAULT_INIT;
    json_t *raw, *record;
    enum err err = size > RECORD_FILE_MAX ? E_TOO_LARGE : record_parse(text, session, &raw, &fault);

    if (err) {
        return 0;
    }
    record = record_upgrade(raw, NULL, NOW);
    json_decref(raw);
    must_be_whole(record);
    must_read_back(record);
    must_go_on(&record);
    json_decref(record);
    return 0;
}
