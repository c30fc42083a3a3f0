/* workflow_gates.h -- the cache of gates: one for all sessions and both transports.
 *
 * A gate is parsed once for each version of the files it comes from, by whoever asks first; an edit
 * is seen by the next call.  A gate that cannot be used is not kept, and is an error for everyone
 * who waited for it.  Any thread; no lock may be held. */
#ifndef TANDEM_WORKFLOW_GATES_H
#define TANDEM_WORKFLOW_GATES_H

#include "state/base/slots.h"
#include "state/workflow_content.h"
#include "state/workflow_gate.h"

#define WORKFLOW_GATES_MAX 512u

struct workflow_gates;

/* A new, empty one. */
struct workflow_gates *workflow_gates_create(void);
/* Null is ignored. */
void workflow_gates_destroy(struct workflow_gates *g);

/* The gate of 'phase', a new reference in '*gate'.  The errors of wf_content_gate(). */
enum err workflow_gates_get(struct workflow_gates *g, const struct wf_content *content, int phase,
                            struct gate **gate, struct fault *f);
struct slots_counters workflow_gates_counters(struct workflow_gates *g);

#endif
