/* need_page.c -- pages that a person must have visited before a call makes sense.
 *
 * Clients of 2025-11-25 have an error for that (-32042): they are sent to the page, and call again
 * once it is done, of which they may be told.  Modern ones get the page as any other question,
 * whose retry is that other call. */
#include "handlers/need_private.h"

#include "handlers/era.h"
#include "state/base/json_put.h"

enum err
need_pages(struct request *req, struct need *pages, size_t count, struct fault *f)
{
    json_t *data;

    if (req->era == ERA_MODERN || !need_allowed(req, NEED_URL)) {
        return need(req, pages, count, f);
    }
    data = json_must(json_object());
    json_put(data, "elicitations", json_must(json_array()));
    for (size_t i = 0; i < count; i++) {
        json_add(json_object_get(data, "elicitations"), pages[i].params);
        pages[i].params = NULL;
    }
    buf_reset(&req->fault_data);
    json_write(&req->fault_data, data);
    json_decref(data);
    fault_set(f, E_PAGES, "this needs a visit of %s", count > 1 ? "some pages" : "a page");
    return fault_remedy(f, "open what error.data names, and call again when it is done there");
}

enum err
need_page_done(struct mcp_session *session, const char *id)
{
    struct buf text = BUF_INIT;
    enum err err = E_OK;

    if (atomic_load(&session->revision) >= (int)REVISION_2025_11_25 &&
        atomic_load(&session->client_can) & CAN_URL && atomic_load(&session->initialized)) {
        buf_adds(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\","
                        "\"params\":{\"elicitationId\":");
        buf_add_json(&text, slice_of(id));
        buf_adds(&text, "}}");
        err = text.failed ? E_OVERLOAD : mcp_session_send(session, buf_slice(&text));
    }
    buf_fini(&text);
    return err;
}
