/* tool_conformance_streams.c -- what the official conformance suite calls to see streams resumed.
 */
#include "handlers/tool_conformance.h"

#define RETRY_MS 100

/* Goes on without a connection, if its client knows to come back for the answer. */
static enum err
reconnection(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    bool paused = request_pause_stream(req, RETRY_MS);

    (void)args, (void)f;
    content_told(
        content,
        xstrdup(
            paused ? "The connection was ended during the call; the answer waited for the next one."
                   : "The connection was kept: this client does not come back to a stream."));
    return E_OK;
}

const struct tool tool_test_reconnection = {
    .name = "test_reconnection",
    .title = "Conformance: reconnection",
    .group = "conformance",
    .description = "Ends the connection during the call, and answers on the next.",
    .input_schema = NO_ARGUMENTS,
    .hints = HINT_READ_ONLY,
    .runs = WORKER,
    .tell = reconnection,
};
