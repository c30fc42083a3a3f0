/* workflow_record_private.h -- what the files of the session document share, and nobody else needs.
 */
#ifndef TANDEM_WORKFLOW_RECORD_PRIVATE_H
#define TANDEM_WORKFLOW_RECORD_PRIVATE_H

#include "state/workflow_record.h"

/* A phase's number as the key of a map. */
struct phase_key {
    char text[16];
};
struct phase_key record_key(int phase);

/* The time in member 'key' of 'object', or -1. */
int64_t record_time(const json_t *object, const char *key);
void record_put_time(json_t *object, const char *key, int64_t now_ns);
/* Puts a peer's note (null: JSON null), cut at a whole character. */
void record_put_note(json_t *object, const char *key, const char *note);

/* The functions below change a record that is still the caller's own. */

/* A new event for the history, for the caller to complete and add. */
json_t *record_event(const char *name, int phase, int64_t now_ns);
/* Adds 'event' (stolen), and keeps the history within its bounds. */
void record_add_event(json_t *record, json_t *event);
/* Adds an error of the current phase, and keeps the list within its bounds. */
void record_add_error(json_t *record, const char *type, const char *message, const json_t *details,
                      int64_t now_ns);
/* Gives up most of the weight of history and errors: the file would be too large. */
void record_shed(json_t *record);
/* A new copy of the evidence of a refused attempt: whole if it is small, else what it was. */
json_t *record_kept_evidence(const json_t *evidence);

#endif
