/* workflow_events.c -- what the bus is told of workflow sessions, once it is on disk.
 *
 * The file of a session is its own, and so is what stands in it: events tell what moved, and no
 * evidence. */
#include "state/workflow_private.h"

#include "state/base/json_put.h"
#include "state/bus.h"

void
workflow_say(struct workflow *w, const char *topic, const json_t *record, json_t *more)
{
    json_t *data = json_must(json_object());

    json_put_text(data, "workflow_type", record_pack(record));
    json_put_text(data, "target_file", record_target(record));
    json_put_int(data, "current_phase", record_current(record));
    if (more) {
        json_object_update(data, more);
        json_decref(more);
    }
    bus_publish(w->options.bus, &(struct bus_draft){.topic = topic,
                                                    .session_id = record_id(record),
                                                    .source = "workflow",
                                                    .data = data});
}

void
workflow_say_deleted(struct workflow *w, const char *session_id)
{
    bus_publish(w->options.bus, &(struct bus_draft){.topic = "workflow.session.deleted",
                                                    .session_id = session_id,
                                                    .source = "workflow"});
}

void
workflow_say_judged(struct workflow *w, const json_t *record, int phase, bool passed,
                    bool overridden)
{
    json_t *more = json_must(json_object());
    bool done = record_state(record) == RECORD_COMPLETED;

    json_put_int(more, "phase", phase);
    if (passed) {
        json_put_bool(more, "overridden", overridden);
    }
    workflow_say(w, passed ? "workflow.phase.completed" : "workflow.gate.refused", record, more);
    if (passed && done) {
        workflow_say(w, "workflow.session.completed", record, NULL);
    }
}
