/* events_ingest.h -- events that scripts and hooks send as plain JSON: POST /api/events.
 *
 * The body is one of
 *     an envelope: {topic, data, source?, session_id?, correlation_id?}; what else one has is the
 *     server's to say;
 *     {namespace, event, data}, as dashboards send it;
 *     a record of a hook, with hook_event_name: all of it is the data. */
#ifndef TANDEM_EVENTS_INGEST_H
#define TANDEM_EVENTS_INGEST_H

#include "handlers/tool.h"
#include "state/bus_event.h"
#include "state/bus_pattern.h"

/* Checks the bytes of the body, into 'req'. */
enum err events_check_body(struct request *req, struct slice body);
/* Of its row. */
enum err events_prepare_ingest(struct request *req, enum runs *runs);
enum err events_ingest(struct request *req);

/* Writes the topic that a record of a hook has: "hook.pre_tool".  Exposed for tests. */
void events_hook_topic(struct slice name, char out[BUS_TOPIC_MAX + 1]);

#endif
