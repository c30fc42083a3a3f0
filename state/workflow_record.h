/* workflow_record.h -- the document of one workflow session, and what may be done to it.
 *
 * A record is a JSON object that nothing changes once it exists: every transition takes the old one
 * and returns a new one, which shares what did not change.  So whoever holds one may read it at
 * leisure, and the caller decides which is current, after it has been saved.  All functions are
 * pure: no file, no lock, no clock but the time they are given.
 *
 * The members are those of the prior art's session files (session_id, workflow_type, target_file,
 * current_phase, completed_phases, phase_artifacts, checkpoints, created_at, updated_at, metadata)
 * and ours: format, revision, structure, lifecycle, phase_timing, history, errors, last_attempt.  A
 * member that this server does not know is kept.  A record shares nothing with JSON that was handed
 * in.
 *
 * DESIGN.  The count of references in a record's parts is jansson's, whose decrement does not order
 * the reads before it; the store therefore drops records under the lock of their session. */
#ifndef TANDEM_WORKFLOW_RECORD_H
#define TANDEM_WORKFLOW_RECORD_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define RECORD_FORMAT 1
#define RECORD_ID_SIZE 37                     /* A UUID and NUL. */
#define RECORD_FILE_MAX (1u << 20)            /* Bytes of a session file, unless set otherwise. */
#define RECORD_HISTORY_EVENTS_MAX 500u        /* Older events are dropped and counted. */
#define RECORD_HISTORY_BYTES_MAX (256u << 10) /* Older events lose their evidence first. */
#define RECORD_ERRORS_MAX 100u                /* Likewise. */
#define RECORD_ERRORS_BYTES_MAX (128u << 10)  /* Older errors lose their details first. */
#define RECORD_ATTEMPT_MAX (32u << 10) /* Evidence of one refused attempt that is kept whole. */
#define RECORD_NOTE_MAX 4096u          /* Bytes of a note or reason; longer ones are cut. */
#define RECORD_PHASE_MAX 9999          /* Largest number of a phase. */

/*      name       as told */
#define RECORD_STATES(ROW) \
    ROW(ACTIVE, "active")  \
    ROW(PAUSED, "paused")  \
    ROW(FAILED, "failed")  \
    ROW(COMPLETED, "completed")
enum record_state {
#define ROW(NAME, TEXT) RECORD_##NAME,
    RECORD_STATES(ROW)
#undef ROW
        RECORD_STATE_COUNT
};
/* Borrowed for ever. */
const char *record_state_name(enum record_state state);
/* The state of that name, or -1.  "error" means failed, as the prior art's list filter has it. */
int record_state_named(const char *name);

/* Makes a random UUID (version 4).  E_IO when the kernel has no random bytes. */
enum err record_make_id(char id[RECORD_ID_SIZE], struct fault *f);
/* True for 36 characters of lower-case hex digits and hyphens in a UUID's places, and nothing
 * after. */
bool record_is_id(const char *text);

/* What a record says.  Texts are borrowed from it. */
const char *record_id(const json_t *record);
const char *record_pack(const json_t *record);
const char *record_target(const json_t *record);
const char *record_text(const json_t *record, const char *key); /* Or "". */
int64_t record_revision(const json_t *record);
enum record_state record_state(const json_t *record);
int record_current(const json_t *record);
/* The start options and total_phases; borrowed, an object. */
const json_t *record_options(const json_t *record);
bool record_has_completed(const json_t *record, int phase);
/* How many phases the structure has; its 'i'-th, rising. */
size_t record_phase_count(const json_t *record);
int record_phase_at(const json_t *record, size_t i);
bool record_has_phase(const json_t *record, int phase);
/* The phase's title, or "". */
const char *record_title(const json_t *record, int phase);
/* Seconds spent on 'phase' so far, without pauses; 0 if it was not begun. */
double record_phase_seconds(const json_t *record, int phase, int64_t now_ns);

struct record_start {
    const char *id, *pack, *target;
    const json_t *options; /* Object or null; copied. */
    /* {"phases": [numbers, rising], "titles": {"0": "..."}, "pack_version", "source_digest"}; at
     * least one phase; copied. */
    const json_t *structure;
};
/* A new record at its first phase, revision 1.  Never null. */
json_t *record_create(const struct record_start *start, int64_t now_ns);

/* How a gate judged one attempt; all borrowed and copied. */
struct record_attempt {
    int phase;
    bool passed, overridden;
    const json_t *evidence;   /* The plain form: what is stored. */
    const json_t *commands;   /* Array of command records, or null. */
    const json_t *diagnostic; /* For the error log; never told to a client. */
    const char *gate_source;
    const char *override_reason; /* Or null. */
    const char *message;         /* Of a refusal, as the client is told it. */
};

/* The transitions.  'old' is borrowed and not changed.  E_OK and a new record in '*next', at the
 * next revision; or null and E_STATE: the session's state or phase does not allow it (the text
 * names the current phase, the remedy what may be done).  How large a record may be is asked by
 * record_fit(). */

/* E_OK if 'phase' may be completed now; else E_STATE. */
enum err record_check_complete(const json_t *record, int phase, struct fault *f);
/* Takes a judged attempt: passes the phase and moves on (or completes the session), or notes the
 * refusal, which is a new record too. */
enum err record_complete(json_t *old, const struct record_attempt *attempt, int64_t now_ns,
                         json_t **next, struct fault *f);
enum err record_pause(json_t *old, const char *note, int64_t now_ns, json_t **next,
                      struct fault *f);
/* '*seconds' is how long the pause was. */
enum err record_resume(json_t *old, int64_t now_ns, double *seconds, json_t **next,
                       struct fault *f);
/* Clears the failed mark of the current phase; with 'reset' also the last attempt's evidence (the
 * history keeps it). */
enum err record_retry(json_t *old, int phase, bool reset, int64_t now_ns, json_t **next,
                      struct fault *f);
/* Goes back to a completed phase; what it and later ones left moves to the history.  Reopens a
 * completed session.  '*cleared' counts the artifacts moved. */
enum err record_rollback(json_t *old, int to_phase, int64_t now_ns, size_t *cleared, json_t **next,
                         struct fault *f);
/* Notes an error that is no refusal: always E_OK. */
enum err record_note_error(json_t *old, const char *error_type, const char *message, int64_t now_ns,
                           json_t **next);

/* Reads the text of a session file into '*raw', new: any JSON object that can be a session, of this
 * server or of the prior art.  E_REFUSED with the place if it is damaged (no JSON, a wrong type,
 * another id); E_STATE if a newer server wrote it. */
enum err record_parse(struct slice text, const char *id, json_t **raw, struct fault *f);
/* True if 'raw' tells its own structure; else record_upgrade() wants the pack's. */
bool record_has_structure(const json_t *raw);
/* A new record from what was parsed, with every member in place: what is missing is computed, times
 * become UTC, a current phase past the end means completed if all phases are.  'raw' is borrowed;
 * 'structure' is borrowed, may be null (then the phases are those that the file mentions), and
 * counts only if the file has none.  The revision stays (0 for old files); nothing is lost. */
json_t *record_upgrade(json_t *raw, const json_t *structure, int64_t now_ns);

/* Makes a new record fit a file of 'max' bytes, giving up the weight of its trail before the
 * change: E_OK and
 * '*record' as it was, or another in its place.  E_TOO_LARGE, naming the limit: then it is dropped,
 * and null. */
enum err record_fit(json_t **record, size_t max, struct fault *f);
/* The text of the file: indented by two, or compact where that would pass 'max' bytes. E_TOO_LARGE.
 */
enum err record_dump(const json_t *record, size_t max, struct buf *out, struct fault *f);

/* The errors in order, as a client may see them (without details), of 'phase' or of all (-1).  New
 * array. */
json_t *record_errors(const json_t *record, int phase);

#endif
