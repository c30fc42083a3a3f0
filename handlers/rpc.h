/* rpc.h -- JSON-RPC 2.0 as MCP uses it: one pass from bytes to a message that can be dispatched.
 *
 * rpc_parse() checks a whole text (strict JSON, see json_scan.h; depth; number of values), finds
 * the members that the protocol knows, and says what the text is: a request, a notification, a
 * response, a batch, or what is wrong with it.  It hands out slices of the input, so an id is
 * echoed byte for byte, and builds no tree: a tool that wants one loads its 'arguments' with
 * rpc_load().  A name written twice at a level that is read here (message, 'params', '_meta') is
 * refused, whichever way it is escaped, since two readers of the message could see two different
 * ones.  Unknown members are stepped over.
 *
 * Left to others: which methods there are, what their params must hold, eras (era.c), ids in
 * flight. Pure: no lock, no allocation (except in rpc_load()), any thread. */
#ifndef TANDEM_RPC_H
#define TANDEM_RPC_H

#include <jansson.h>

#include "handlers/json_slice.h"

#define RPC_METHOD_MAX 256  /* Bytes, once unescaped. */
#define RPC_ID_MAX 256      /* Bytes of a string id, once unescaped. */
#define RPC_UNKNOWN_MAX 128 /* Members of unknown name in a message, in params, in _meta. */
#define RPC_BATCH_MAX 128   /* Messages in one batch. */

/* clang-format off */
/* The members of 'params' that are handed out.  To get one more, add a row. */
#define RPC_PARAMS(ROW)                                                                        \
    ROW(NAME,             "name")                                                              \
    ROW(URI,              "uri")                                                               \
    ROW(ARGUMENTS,        "arguments")                                                         \
    ROW(CURSOR,           "cursor")                                                            \
    ROW(META,             "_meta")                                                             \
    ROW(PROTOCOL_VERSION, "protocolVersion")                                                   \
    ROW(CAPABILITIES,     "capabilities")                                                      \
    ROW(CLIENT_INFO,      "clientInfo")                                                        \
    ROW(LEVEL,            "level")                                                             \
    ROW(REQUEST_ID,       "requestId")                                                         \
    ROW(TASK_ID,          "taskId")                                                            \
    ROW(REF,              "ref")                                                               \
    ROW(ARGUMENT,         "argument")                                                          \
    ROW(CONTEXT,          "context")                                                           \
    ROW(NOTIFICATIONS,    "notifications")                                                     \
    ROW(INPUT_RESPONSES,  "inputResponses")                                                    \
    ROW(REQUEST_STATE,    "requestState")                                                      \
    ROW(TASK,             "task")                                                              \
    ROW(REASON,           "reason")                                                            \
    ROW(PROGRESS_TOKEN,   "progressToken")                                                     \
    ROW(PROGRESS,         "progress")

/* The same for 'params._meta'. */
#define RPC_META(ROW)                                                                          \
    ROW(PROTOCOL_VERSION,    "io.modelcontextprotocol/protocolVersion")                        \
    ROW(CLIENT_CAPABILITIES, "io.modelcontextprotocol/clientCapabilities")                     \
    ROW(CLIENT_INFO,         "io.modelcontextprotocol/clientInfo")                             \
    ROW(LOG_LEVEL,           "io.modelcontextprotocol/logLevel")                               \
    ROW(PROGRESS_TOKEN,      "progressToken")                                                  \
    ROW(CLIENT_ID,           "dev.tandem/client-id")                                           \
    ROW(TRACEPARENT,         "traceparent")

/* The members of the message itself. */
#define RPC_MEMBERS(ROW)                                                                       \
    ROW(JSONRPC, "jsonrpc")                                                                    \
    ROW(ID,      "id")                                                                         \
    ROW(METHOD,  "method")                                                                     \
    ROW(PARAMS,  "params")                                                                     \
    ROW(RESULT,  "result")                                                                     \
    ROW(ERROR,   "error")
/* clang-format on */

#define ROW(NAME, TEXT) RPC_PARAM_##NAME,
enum rpc_param { RPC_PARAMS(ROW) RPC_PARAM_COUNT };
#undef ROW
#define ROW(NAME, TEXT) RPC_META_##NAME,
enum rpc_meta { RPC_META(ROW) RPC_META_COUNT };
#undef ROW
#define ROW(NAME, TEXT) RPC_MEMBER_##NAME,
enum rpc_member { RPC_MEMBERS(ROW) RPC_MEMBER_COUNT };
#undef ROW

enum rpc_kind {
    RPC_INVALID,
    RPC_REQUEST,      /* A method and an id: gets exactly one answer. */
    RPC_NOTIFICATION, /* A method and no id: never answered, not even with an error. */
    RPC_RESPONSE,     /* An id and either a result object or an error object. */
    RPC_BATCH         /* An array; its elements come from rpc_batch_next(). */
};

/* One message.  Every slice is borrowed from the parsed text, or from the message itself: do not
 * copy a message, and keep the text as long as the message. */
struct rpc_message {
    enum rpc_kind kind;
    /* The kind; when that is RPC_INVALID, what it was about to be, as far as can be told.  Nothing
     * is ever answered to a broken notification or response; two peers could do that for ever. */
    enum rpc_kind shape;
    /* As written: 1, "1" and "\u0031" differ.  Empty if there is none, if it is no acceptable
     * one, or if the text is not JSON; kept with every other error, which is then answered with
     * it. */
    struct slice id;
    enum json_kind id_kind;   /* KIND_INTEGER, KIND_STRING, or KIND_NONE with an empty 'id'. */
    struct slice method;      /* Unescaped; may hold a NUL byte. */
    struct json_value params; /* KIND_OBJECT or KIND_NONE. */
    struct json_value result; /* KIND_OBJECT in a response that succeeded. */
    struct json_value error;  /* KIND_OBJECT in one that failed. */
    struct json_value batch;  /* KIND_ARRAY in a batch. */
    size_t batch_count;       /* Elements in the batch. */
    size_t offset;            /* Byte at which the first error was found; 0 without one. */
    /* Known members, by name; KIND_NONE for those that are not there.  Their kinds are not checked,
     * except that '_meta' is an object. */
    struct json_value param[RPC_PARAM_COUNT];
    struct json_value meta[RPC_META_COUNT];
    char method_text[RPC_METHOD_MAX]; /* Where 'method' lies if it was written with escapes. */
};

/* A message that says nothing, for what is none. */
void rpc_init(struct rpc_message *m);
/* Parses 'text', one message or a batch, without a limit on its length.  'limits' may be null for
 * the defaults.  'm' need not be initialised; it is filled in as far as was read even on an error:
 *   E_PARSE            not JSON, or deeper than the limit
 *   E_MESSAGE_LARGE    more values than the limit, more messages than RPC_BATCH_MAX
 *   E_INVALID_REQUEST  JSON, but no message
 *   E_META             a message whose '_meta' is no object. */
enum err rpc_parse(struct slice text, const struct json_limits *limits, struct rpc_message *m,
                   struct fault *f);

/* Copies a parsed message whose text, 'text', has been copied to 'copy': the slices of 'to' lie
 * there. */
void rpc_copy(struct rpc_message *to, const struct rpc_message *from, struct slice text,
              const char *copy);

/* Begins the walk over a batch that rpc_parse() took. */
void rpc_batch_init(struct json_iter *it, const struct rpc_message *batch);
/* Stores the text of the next element, for rpc_parse(); false at the end.  An element that is
 * itself an array parses as RPC_BATCH again and has to be refused by the caller. */
bool rpc_batch_next(struct json_iter *it, struct slice *text);

/* Whether two ids are the same id: same type, and same value once unescaped. */
bool rpc_id_equal(struct slice a, struct slice b);

/* Builds the tree of a value that rpc_parse() handed out, a new reference in '*tree'; null for a
 * value that is not there.  'name' says in an error which value it was.  E_OVERLOAD without memory;
 * E_PARAMS for what a scan lets pass and a tree cannot hold or must not: a number out of range, a
 * name twice in an object at any level, \u0000 in a string. */
enum err rpc_load(const struct json_value *value, const char *name, json_t **tree, struct fault *f);

#endif
