/* err.h -- what can go wrong, and how each peer is told.
 *
 * One table.  A row gives the JSON-RPC code, the HTTP status, how MCP tells it (as a protocol
 * error, or as the result of a tool that ran and failed), the word that scripts match on, and the
 * error type that workflow packs know.  Codes of our own are those of HTTP: outside the range that
 * JSON-RPC and MCP reserve, in which clients know -32000 as a lost connection.  Bugs are not here:
 * they are assertions, kept in release builds.  Nor is a lack of memory for small fixed things:
 * see mem.h. */
#ifndef TANDEM_ERR_H
#define TANDEM_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* clang-format off */
/*      name            JSON-RPC HTTP  told as   code                    workflow type       */
#define ERRORS(ROW)                                                                            \
    ROW(PARSE,           -32700, 400, PROTOCOL, "parse_error",           "ValueError")         \
    ROW(INVALID_REQUEST, -32600, 400, PROTOCOL, "invalid_request",       "ValueError")         \
    ROW(NO_METHOD,       -32601, 404, PROTOCOL, "method_not_found",      "ValueError")         \
    ROW(PARAMS,          -32602, 200, PROTOCOL, "invalid_params",        "ValueError")         \
    ROW(META,            -32602, 400, PROTOCOL, "missing_meta",          "ValueError")         \
    ROW(HEADERS,         -32020, 400, PROTOCOL, "header_mismatch",       "ValueError")         \
    ROW(CAPABILITY,      -32021, 400, PROTOCOL, "missing_capability",    "ValueError")         \
    ROW(VERSION,         -32022, 400, PROTOCOL, "unsupported_version",   "ValueError")         \
    ROW(NO_SESSION,      -32600, 404, PROTOCOL, "unknown_session",       "NotFoundError")      \
    ROW(UNAUTHORIZED,    -32600, 401, PROTOCOL, "unauthorized",          "ValueError")         \
    ROW(SCOPE,           -32600, 403, PROTOCOL, "insufficient_scope",    "ValueError")         \
    ROW(NO_RESOURCE,     -32002, 200, PROTOCOL, "resource_not_found",    "NotFoundError")      \
    ROW(MESSAGE_LARGE,   -32600, 413, PROTOCOL, "message_too_large",     "ValueError")         \
    ROW(STREAMS,            409, 409, PROTOCOL, "too_many_streams",      "ConflictError")      \
    ROW(BUSY,               429, 429, PROTOCOL, "rate_limited",          "RuntimeError")       \
    ROW(OVERLOAD,           503, 503, PROTOCOL, "overloaded",            "RuntimeError")       \
    ROW(PAGES,           -32042, 200, PROTOCOL, "pages_needed",          "RuntimeError")       \
    ROW(INPUT,           -32603, 500, PROTOCOL, "input_needed",          "RuntimeError") /* Never told: see handlers/need.h. */ \
    ROW(INTERNAL,        -32603, 500, PROTOCOL, "internal",              "RuntimeError")       \
    ROW(ARGUMENT,             0, 400, TOOL,     "invalid_argument",      "ValueError")         \
    ROW(TENANT,             403, 403, TOOL,     "tenant_mismatch",       "ValueError")         \
    ROW(NO_TENANT,          404, 404, TOOL,     "unknown_tenant",        "NotFoundError")      \
    ROW(NOT_FOUND,            0, 404, TOOL,     "not_found",             "NotFoundError")      \
    ROW(REFUSED,              0, 422, TOOL,     "validation_failed",     "ValidationError")    \
    ROW(STATE,                0, 409, TOOL,     "wrong_state",           "StateError")         \
    ROW(CONFLICT,             0, 409, TOOL,     "conflict",              "ConflictError")      \
    ROW(TOO_LARGE,            0, 413, TOOL,     "too_large",             "ValueError")         \
    ROW(LIMIT,                0, 429, TOOL,     "limit_reached",         "RuntimeError")       \
    ROW(OVER_QUOTA,           0, 429, TOOL,     "quota_exhausted",       "RuntimeError")       \
    ROW(NO_INPUT,             0, 409, TOOL,     "client_not_asked",      "StateError")         \
    ROW(CANCELLED,            0, 499, TOOL,     "cancelled",             "RuntimeError")       \
    ROW(NOT_READY,            0, 503, TOOL,     "not_ready",             "RuntimeError")       \
    ROW(TIMEOUT,              0, 504, TOOL,     "timeout",               "RuntimeError")       \
    ROW(IO,                   0, 500, TOOL,     "io_failed",             "RuntimeError")

enum err {
    E_OK = 0,
#define ROW(NAME, RPC, HTTP, TOLD, CODE, TYPE) E_##NAME,
    ERRORS(ROW)
#undef ROW
    ERR_COUNT
};
/* clang-format on */

enum err_told { ERR_TOLD_PROTOCOL, ERR_TOLD_TOOL };

struct err_info {
    const char *name; /* "PARSE". */
    int rpc_code;     /* JSON-RPC code; 0 for what only tools say. */
    int http_status;
    enum err_told told;
    const char *code; /* The word scripts match on. */
    const char *type; /* The workflow engine's error_type. */
};

/* The row of 'err', which must not be E_OK.  Borrowed for ever.  Any thread. */
const struct err_info *err_info(enum err err);

/* What went wrong, told to the one who asked: what, where, and what to do next.  Fixed size, so
 * that telling an error never fails.  Texts are UTF-8 and hold no absolute path, no secret. */
struct fault {
    enum err code;
    unsigned line, column; /* Place in the input, from 1; 0 when there is none. */
    unsigned retry_s;      /* When it may be tried again; 0 if that is not known. */
    const char *reason;    /* A word more for scripts, a literal; or null. */
    char text[512];        /* What was wrong. */
    char remedy[256];      /* The next step; may be empty. */
};

/* clang-format off */
#define FAULT_INIT {.code = E_OK}
/* clang-format on */

/* The same for a fault on the path of every request, whose texts need not be cleared. */
static inline void
fault_init(struct fault *f)
{
    f->code = E_OK;
    f->line = f->column = f->retry_s = 0;
    f->reason = NULL;
    f->text[0] = f->remedy[0] = '\0';
}

/* Stores 'code' and the formatted text in 'f' (null is ignored), clearing all else, and returns
 * 'code', so that a caller writes "return fault_set(...)".  Texts too long are cut at a whole UTF-8
 * character. */
enum err fault_set(struct fault *f, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As fault_set(), with the place in the input. */
enum err fault_at(struct fault *f, enum err code, unsigned line, unsigned column,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The next step, borrowed: the one that was added; else what helps against errors of the machine,
 * E_IO, E_OVERLOAD and E_INTERNAL, of which nobody knows more; else "". */
const char *fault_next_step(const struct fault *f);
/* Adds the next step to an error that this thread has just set.  Returns its code, also if 'f' is
 * null. */
enum err fault_remedy(struct fault *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct buf;
/* Adds {"code":...,"message":...,"retryable":...,"remedy":...,"details":{...}}: how a fault is told
 * wherever JSON-RPC does not say how.  The code must not be E_OK. */
void fault_write(struct buf *out, const struct fault *f);

#endif
