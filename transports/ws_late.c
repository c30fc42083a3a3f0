/* ws_late.c -- libwebsockets, loaded by who opens the first WebSocket, on either side.
 *
 * The functions have their own names; see state/base/late.h.  Nobody calls them before
 * ws_late_load() has said that they are there. */
#include "transports/ws_late.h"

#include "state/base/late.h"
#include "state/base/mem.h"

#include <dlfcn.h>
#include <libwebsockets.h>

/* clang-format off */
#define FUNCTIONS(CALL, SAY)                                                                                    \
    SAY(lws_set_log_level, (int level, void (*tell)(int level, const char *line)), (level, tell))               \
    CALL(struct lws_context *, lws_create_context, (const struct lws_context_creation_info *info), (info))      \
    SAY(lws_context_destroy, (struct lws_context *c), (c))                                                      \
    CALL(struct lws_vhost *, lws_create_vhost, (struct lws_context *c, const struct lws_context_creation_info *info), \
         (c, info))                                                                                             \
    CALL(int, lws_service, (struct lws_context *c, int ms), (c, ms))                                            \
    SAY(lws_cancel_service, (struct lws_context *c), (c))                                                       \
    SAY(lws_sul_schedule, (struct lws_context *c, int thread, lws_sorted_usec_list_t *timer, sul_cb_t call,     \
                           lws_usec_t us), (c, thread, timer, call, us))                                        \
    SAY(lws_sul_cancel, (lws_sorted_usec_list_t *timer), (timer))                                               \
    CALL(struct lws *, lws_adopt_descriptor_vhost_via_info, (const lws_adopt_desc_t *info), (info))             \
    CALL(struct lws *, lws_client_connect_via_info, (const struct lws_client_connect_info *info), (info))       \
    CALL(int, lws_add_http_header_by_token, (struct lws *wsi, enum lws_token_indexes token,                     \
                                             const unsigned char *value, int len, unsigned char **at,           \
                                             unsigned char *end), (wsi, token, value, len, at, end))            \
    CALL(void *, lws_get_opaque_user_data, (const struct lws *wsi), (wsi))                                      \
    SAY(lws_set_opaque_user_data, (struct lws *wsi, void *data), (wsi, data))                                   \
    CALL(int, lws_is_final_fragment, (struct lws *wsi), (wsi))                                                  \
    CALL(int, lws_rx_flow_control, (struct lws *wsi, int enable), (wsi, enable))                                \
    CALL(int, lws_callback_on_writable, (struct lws *wsi), (wsi))                                               \
    CALL(int, lws_partial_buffered, (struct lws *wsi), (wsi))                                                   \
    CALL(int, lws_write, (struct lws *wsi, unsigned char *data, size_t len, enum lws_write_protocol kind),      \
         (wsi, data, len, kind))
/* clang-format on */

static void *
allocate(void *old, size_t size, const char *reason)
{
    (void)reason;
    if (!size) {
        free(old);
        return NULL;
    }
    return xrealloc(old, size);
}

/* Its allocations abort as xcalloc() does.  4.1 goes on as if it had what it did not get, into a
 * crash or an endless wait; they are small. */
static void
give_memory(void *library)
{
    void *at = dlsym(library, "lws_set_allocator");
    __typeof__(&lws_set_allocator) set;

    memcpy(&set, &at, sizeof set);
    if (set) {
        set(allocate);
    }
}

LATE_LIBRARY(WS_SONAME, FUNCTIONS, give_memory)

bool
ws_late_load(void)
{
    return late_load(&library);
}
