/* methods.h -- one row per method: all that dispatch must decide about it.
 *
 * A handler is in the file that is called as it begins: tasks_get() in tasks.c, tools_call() in
 * tools_call.c, resources_list() in resources_list.c.  But: skills and folders of resources are in
 * skill_resources.c, resources_subscribe() and resources_unsubscribe() in notices.c,
 * dispatch_cancelled() in dispatch_peers.c. */
#ifndef TANDEM_METHODS_H
#define TANDEM_METHODS_H

#include "handlers/request.h"
#include "handlers/tool.h"

#define LEGACY (1u << ERA_LEGACY)
#define MODERN (1u << ERA_MODERN)
#define BOTH (LEGACY | MODERN)

/* 'prepare' runs on the transport's thread before anything else, checks what needs no work, and
 * says where the method runs; NULL: it runs there.  'session': a legacy client must have sent
 * initialize.  'scope': what a token must allow, apart from what its tool needs. */
/* clang-format off */
/*      method                       handler                   prepare             eras    session  scope  kind        */
#define METHODS(ROW)                                                                                                     \
    ROW("tools/call",                tools_call,               tools_prepare,      BOTH,   true,    READ,  REQUEST)      \
    ROW("tools/list",                tools_list,               NULL,               BOTH,   true,    READ,  REQUEST)      \
    ROW("resources/list",            resources_list,           offers_prepare,     BOTH,   true,    READ,  REQUEST)      \
    ROW("resources/templates/list",  resources_templates,      NULL,               BOTH,   true,    READ,  REQUEST)      \
    ROW("resources/read",            resources_read,           resources_prepare,  BOTH,   true,    READ,  REQUEST)      \
    ROW("resources/directory/read",  resources_directory_read, offers_prepare,     MODERN, true,    READ,  REQUEST)      \
    ROW("skills/list",               skills_list,              offers_prepare,     MODERN, true,    READ,  REQUEST)      \
    ROW("skills/get",                skills_get,               offers_prepare,     MODERN, true,    READ,  REQUEST)      \
    ROW("prompts/list",              prompts_list,             offers_prepare,     BOTH,   true,    READ,  REQUEST)      \
    ROW("prompts/get",               prompts_get,              prompts_prepare,    BOTH,   true,    READ,  REQUEST)      \
    ROW("completion/complete",       completion_complete,      offers_prepare,     BOTH,   true,    READ,  REQUEST)      \
    ROW("resources/subscribe",       resources_subscribe,      resources_prepare,  LEGACY, true,    READ,  REQUEST)      \
    ROW("resources/unsubscribe",     resources_unsubscribe,    resources_prepare,  LEGACY, true,    READ,  REQUEST)      \
    ROW("tasks/get",                 tasks_get,                tasks_prepare,      BOTH,   true,    READ,  REQUEST)      \
    ROW("tasks/result",              tasks_result,             tasks_prepare,      LEGACY, true,    READ,  REQUEST)      \
    ROW("tasks/list",                tasks_list,               tasks_prepare_list, LEGACY, true,    READ,  REQUEST)      \
    ROW("tasks/cancel",              tasks_cancel,             tasks_prepare,      BOTH,   true,    READ,  REQUEST)      \
    ROW("tasks/update",              tasks_update,             tasks_prepare,      MODERN, true,    READ,  REQUEST)      \
    ROW("ping",                      lifecycle_ping,           NULL,               LEGACY, false,   NONE,  REQUEST)      \
    ROW("initialize",                lifecycle_initialize,     NULL,               LEGACY, false,   NONE,  REQUEST)      \
    ROW("notifications/initialized", lifecycle_initialized,    NULL,               LEGACY, true,    NONE,  NOTIFICATION) \
    ROW("logging/setLevel",          lifecycle_set_level,      NULL,               LEGACY, true,    NONE,  REQUEST)      \
    ROW("server/discover",           lifecycle_discover,       NULL,               MODERN, false,   NONE,  REQUEST)      \
    ROW("subscriptions/listen",      subscriptions_listen,     NULL,               MODERN, false,   READ,  REQUEST)      \
    ROW("notifications/cancelled",   dispatch_cancelled,       NULL,               BOTH,   false,   NONE,  NOTIFICATION)
/* clang-format on */

struct method {
    const char *name;
    /* Writes the members of the result to req->out and returns E_OK, or fills req->fault. */
    enum err (*handle)(struct request *req);
    enum err (*prepare)(struct request *req, enum runs *runs);
    unsigned eras;
    bool needs_session;
    enum scope scope;
    enum rpc_kind kind;
};

/* The row of a method, or null. */
const struct method *method_find(struct slice name);

/* Prototypes come from the table too. */
#define ROW(NAME, HANDLE, PREPARE, ERAS, SESSION, SCOPE, KIND) enum err HANDLE(struct request *req);
METHODS(ROW)
#undef ROW
/* What a row wants checked before its method runs, on the transport's thread; may change
 * '*runs'.  An error is the answer. */
enum err tools_prepare(struct request *req, enum runs *runs);
enum err offers_prepare(struct request *req, enum runs *runs);
enum err resources_prepare(struct request *req, enum runs *runs);
enum err tasks_prepare(struct request *req, enum runs *runs);
enum err tasks_prepare_list(struct request *req, enum runs *runs);
enum err prompts_prepare(struct request *req, enum runs *runs);

#endif
