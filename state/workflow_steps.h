/* workflow_steps.h -- the steps that a task's text prescribes.
 *
 * Task files mark them with command words.  A line EXECUTE-NOW with a stop sign, followed by a
 * shell fence, is a command to run; a line QUERY-AND-DECIDE is a decision to take.  Pure; any
 * thread. */
#ifndef TANDEM_WORKFLOW_STEPS_H
#define TANDEM_WORKFLOW_STEPS_H

#include "state/base/mem.h"

#include <jansson.h>

#define WF_STEPS_MAX 200u          /* Further ones are left out. */
#define WF_STEP_COMMAND_MAX 65536u /* Bytes of a command; a longer one is no step. */
#define WF_STEP_EVIDENCE_WITHIN \
    500u /* Characters after a command in which its label is looked for. */

/* The steps of 'markdown' as a new array, in their order: {description, type: "execute_command",
 * command, evidence_required (the label of the COUNT-AND-DOCUMENT line after it, or null)} and
 * {description, type: "decision_point", requires_analysis: true}.  Null without memory.  A text
 * that is not UTF-8, or has too many lines, has no steps. */
json_t *wf_steps(struct slice markdown);

#endif
