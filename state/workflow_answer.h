/* workflow_answer.h -- the shapes of what a workflow answers.
 *
 * Pure functions from records and faults to new JSON objects, which share nothing with the record.
 * They never fail. */
#ifndef TANDEM_WORKFLOW_ANSWER_H
#define TANDEM_WORKFLOW_ANSWER_H

#include "state/base/err.h"
#include "state/workflow_index.h"
#include "state/workflow_record.h"

/* A new success answer: the guidance fields first if 'guidance', then status and action. */
json_t *answer_begin(const char *action, bool guidance);
/* Adds session_id, workflow_type, target_file, session_status and current_phase. */
void answer_add_session(json_t *answer, const json_t *record);
/* Moves the members of 'part' (stolen; null is ignored) into 'answer', but for those it has
 * already. */
void answer_merge(json_t *answer, json_t *part);
/* Adds 'text' to the list 'warnings'. */
void answer_add_warning(json_t *answer, const char *text);

/* An error answer: status, action, error, error_type, and where known remediation, line and column.
 */
json_t *answer_error(const char *action, const struct fault *f);
/* Adds where the session is and what may be done next: current_phase, session_status, next_calls.
 */
void answer_add_position(json_t *answer, const json_t *record);

/* What an agent may call next in this session: [{action, session_id, ...}]. */
json_t *answer_next_calls(const json_t *record);
/* get_state's workflow_state, with what an agent needs after a restart in 'resumption'; derived,
 * nothing stored twice. */
json_t *answer_state(const json_t *record, int64_t now_ns);
/* One row of list_sessions. */
json_t *answer_row(const struct session_summary *s);

#endif
