/* workflow_approval.h -- phases that a person has to approve.
 *
 * A gate that demands approval takes human_approved: true in the evidence for it, and cannot know
 * who said so.  Where the client can ask the person, it is asked; what the person says then counts
 * instead of what the evidence claims, and is stored beside the evidence as "_approval", a name
 * that no evidence can bring along.  Any thread. */
#ifndef TANDEM_WORKFLOW_APPROVAL_H
#define TANDEM_WORKFLOW_APPROVAL_H

#include "state/workflow.h"

/* What a person said, as struct workflow_args has it. */
struct workflow_approval {
    bool approved;
    const char *answer;       /* In one word: "approved", "rejected", "declined", ... */
    const char *by, *comment; /* As the person gave them; may be empty. */
};

/* Tells whether complete_phase with 'args' would pass if a person approved: a new object {workflow,
 * target_file, session_id, phase, phase_name, evidence}, the same each time while nothing changes;
 * null if the gate asks for no person, refuses whatever a person says, or cannot be looked at now:
 * complete_phase with 'can_ask' lets nothing pass that a person should have been asked about.
 * Changes nothing.  Reads files. */
json_t *workflow_approval_wanted(struct workflow *w, const struct workflow_args *args);

/* The evidence as the person's word makes it, a new object. */
json_t *workflow_approved_evidence(const json_t *evidence, bool approved);
/* What is stored of it under WORKFLOW_APPROVAL_KEY, a new object.  'now' is a time in UTC. */
json_t *workflow_approval_record(const struct workflow_approval *approval, const char *now);
/* Says in 'f' that the person did not approve. */
enum err workflow_not_approved(const struct workflow_approval *approval, int phase,
                               struct fault *f);

#define WORKFLOW_APPROVAL_KEY "_approval"

#endif
