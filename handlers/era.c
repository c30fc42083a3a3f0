/* era.c -- decides the era of a message, and frames its answer.
 *
 * The order of checks follows MCP 2026-07-28 "Streamable HTTP" and is the one under which every
 * probe of the official suite gets the answer it wants: version header present, _meta keys present,
 * both equal, version served, Mcp-Method. */
#include "handlers/era.h"

#include "handlers/icons.h"
#include "handlers/methods.h"
#include "state/base/base64.h"
#include "state/base/rune.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "state/version.h"

static const struct {
    struct slice text; /* Ended by NUL. */
    enum era era;
} revisions[REVISION_COUNT] = {
#define ROW(NAME, TEXT, ERA) [REVISION_##NAME] = {{TEXT, sizeof TEXT - 1}, ERA},
    REVISIONS(ROW)
#undef ROW
};

const char *
era_revision_text(enum revision revision)
{
    return revisions[revision].text.data;
}

enum revision
era_revision(struct slice text)
{
    for (int i = REVISION_COUNT - 1; i >= 0; i--) { /* The latest are the most usual. */
        if (slice_equal(text, revisions[i].text)) {
            return (enum revision)i;
        }
    }
    return REVISION_NONE;
}

bool
era_is_legacy(enum revision revision)
{
    return revision != REVISION_NONE && revisions[revision].era == ERA_LEGACY;
}

void
era_add_supported(struct buf *out, bool modern_only)
{
    const char *comma = "";

    buf_addc(out, '[');
    for (int i = REVISION_COUNT - 1; i >= 0; i--) {
        if (!modern_only || revisions[i].era == ERA_MODERN) {
            buf_addf(out, "%s\"%s\"", comma, revisions[i].text.data);
            comma = ",";
        }
    }
    buf_addc(out, ']');
}

/* 'asked' is the version as JSON text, echoed as it was written. */
static enum err
refuse_version(struct request *req, struct slice asked, bool modern_only)
{
    struct slice shown = {asked.data + 1, asked.len - 2};

    buf_reset(&req->fault_data);
    buf_adds(&req->fault_data, "{\"supported\":");
    era_add_supported(&req->fault_data, modern_only);
    buf_adds(&req->fault_data, ",\"requested\":");
    buf_add_slice(&req->fault_data, asked);
    buf_addc(&req->fault_data, '}');
    return fault_set(&req->fault, E_VERSION, "protocol version '%.*s' is not served",
                     (int)rune_cut(shown, 64), shown.data);
}

/* A modern notification without _meta, which deployed clients send: only what is there is checked.
 */
static enum err
check_bare_notification(struct request *req)
{
    struct slice version = req->env.protocol_version;
    struct buf asked = BUF_INIT;
    enum err err = E_OK;

    if (version.data && era_revision(version) != REVISION_2026_07_28) {
        buf_add_json(&asked, version);
        err = refuse_version(req, buf_slice(&asked), era_is_legacy(era_revision(version)));
        buf_fini(&asked);
    }
    return err;
}

/* Checks the keys of _meta that a modern request may have. */
static enum err
check_optional_meta(struct request *req)
{
    const struct json_value *level = &req->message.meta[RPC_META_LOG_LEVEL];
    const struct json_value *token = &req->message.meta[RPC_META_PROGRESS_TOKEN];

    req->log_level = request_level(level);
    if (level->kind != KIND_NONE && req->log_level < 0) {
        fault_set(&req->fault, E_PARAMS,
                  "params._meta[\"io.modelcontextprotocol/logLevel\"] is no log level");
        return fault_remedy(&req->fault, "use one of debug, info, notice, warning, error, "
                                         "critical, alert, emergency");
    }
    if (token->kind != KIND_NONE && token->kind != KIND_STRING && token->kind != KIND_INTEGER) {
        return fault_set(&req->fault, E_PARAMS,
                         "params._meta.progressToken must be a string or an integer");
    }
    return E_OK;
}

/* The version that a modern message names, unescaped, in 'room' if need be; what does not fit there
 * is no version, and equals no header. */
static struct slice
version_said(struct slice raw, char *room, size_t size)
{
    struct slice usual = revisions[REVISION_2026_07_28].text;

    if (raw.len == usual.len + 2 && memcmp(raw.data + 1, usual.data, usual.len) == 0) {
        return usual; /* As nearly all write it: there is nothing to unescape. */
    }
    return json_string_into(raw, room, size) < 0 ? SLICE_NONE : slice_of(room);
}

/* Checks the required keys of a modern message, and that header and body agree. */
static enum err
decide_modern(struct request *req)
{
    const struct json_value *version = &req->message.meta[RPC_META_PROTOCOL_VERSION];
    const struct json_value *capabilities = &req->message.meta[RPC_META_CLIENT_CAPABILITIES];
    bool http = req->env.transport == TRANSPORT_HTTP;
    char room[64];
    struct slice text;

    req->era = ERA_MODERN;
    req->revision = REVISION_2026_07_28;
    if (req->message.kind == RPC_RESPONSE || req->batched) {
        return fault_set(&req->fault, E_INVALID_REQUEST,
                         "version 2026-07-28 takes neither responses nor batches");
    }
    if (req->message.kind == RPC_NOTIFICATION && version->kind == KIND_NONE) {
        return check_bare_notification(req);
    }
    if (http && !req->env.protocol_version.data && version->kind != KIND_NONE) {
        return fault_set(&req->fault, E_HEADERS, "the MCP-Protocol-Version header is missing");
    }
    if (version->kind != KIND_STRING) {
        return fault_set(
            &req->fault, E_META,
            "params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing, or no string");
    }
    if (capabilities->kind != KIND_OBJECT) {
        return fault_set(&req->fault, E_META,
                         "params._meta[\"io.modelcontextprotocol/clientCapabilities\"] is missing, "
                         "or no object");
    }
    text = version_said(version->raw, room, sizeof room);
    if (http && !slice_equal(text, req->env.protocol_version)) {
        return fault_set(&req->fault, E_HEADERS,
                         "the MCP-Protocol-Version header and _meta name different versions");
    }
    if (era_revision(text) != REVISION_2026_07_28) {
        return refuse_version(req, version->raw, era_is_legacy(era_revision(text)));
    }
    return check_optional_meta(req);
}

static bool
is_initialize(const struct request *req)
{
    return slice_is(req->message.method, "initialize");
}

/* Finds the session that a legacy HTTP message names.  One that is gone does not keep a client from
 * beginning anew. */
static enum err
find_session(struct request *req)
{
    struct slice version = req->env.protocol_version;

    if (req->env.session_id.data) {
        enum err err = mcp_session_find(state_sessions(req->state), req->env.session_id,
                                        req->env.principal, &req->session, &req->fault);
        if (err && !is_initialize(req)) {
            return err;
        }
    }
    if (version.data && !era_is_legacy(era_revision(version))) {
        return fault_set(
            &req->fault, E_INVALID_REQUEST,
            "the MCP-Protocol-Version header names a version that this session cannot use");
    }
    return E_OK;
}

static enum err
decide_legacy(struct request *req)
{
    enum err err = E_OK;

    req->era = ERA_LEGACY;
    req->revision = REVISION_2025_03_26; /* What an absent header means. */
    if (req->batched && is_initialize(req)) {
        return fault_set(&req->fault, E_INVALID_REQUEST, "initialize cannot be part of a batch");
    }
    if (req->env.session) {
        req->session = mcp_session_ref(req->env.session);
    } else if (req->env.transport == TRANSPORT_HTTP) {
        err = find_session(req);
        if (!err && req->env.protocol_version.data) {
            req->revision = era_revision(req->env.protocol_version);
        }
    }
    if (!err && req->session) {
        int agreed = atomic_load(&req->session->revision);
        if (agreed >= 0) {
            req->revision = (enum revision)agreed;
        }
    }
    return err;
}

enum err
era_decide(struct request *req)
{
    const struct rpc_message *m = &req->message;
    struct slice version = req->env.protocol_version;

    if (m->meta[RPC_META_PROTOCOL_VERSION].kind != KIND_NONE ||
        m->meta[RPC_META_CLIENT_CAPABILITIES].kind != KIND_NONE ||
        slice_is(m->method, "server/discover")) {
        return decide_modern(req);
    }
    if (version.data && !era_is_legacy(era_revision(version))) {
        struct mcp_session *known = NULL;
        if (!req->env.session_id.data ||
            mcp_session_find(state_sessions(req->state), req->env.session_id, req->env.principal,
                             &known, NULL) != E_OK) {
            return decide_modern(req);
        }
        mcp_session_unref(known);
    }
    return decide_legacy(req);
}

enum err
era_decide_bare(struct request *req)
{
    enum err err = decide_legacy(req);

    if (!err && !req->session) {
        err = fault_set(&req->fault, E_INVALID_REQUEST, "the Mcp-Session-Id header is missing");
    }
    return err;
}

/* Mcp-Method must be there on a request, and right wherever it is. */
static enum err
check_method_header(struct request *req)
{
    struct slice header = req->env.method;

    if (req->env.transport != TRANSPORT_HTTP || slice_equal(header, req->message.method) ||
        (!header.data && req->message.kind != RPC_REQUEST)) {
        return E_OK;
    }
    return fault_set(&req->fault, E_HEADERS, "%s",
                     header.data ? "the Mcp-Method header and the body name different methods"
                                 : "the Mcp-Method header is missing");
}

/* Before initialize a legacy client may ask for little, and be told of no method that there is
 * none. */
static enum err
check_initialized(struct request *req)
{
    bool needed = !req->method || req->method->needs_session;

    if (!needed || (req->session && req->session->revision >= 0)) {
        return E_OK;
    }
    fault_set(&req->fault, E_INVALID_REQUEST, "%s",
              req->session ? "initialize has not been sent"
                           : "the Mcp-Session-Id header is missing");
    return fault_remedy(&req->fault, "send initialize first");
}

enum err
era_check_method(struct request *req)
{
    const struct method *row = req->method;
    enum err err = req->era == ERA_MODERN ? check_method_header(req) : check_initialized(req);

    if (!err && (!row || !(row->eras & 1u << req->era))) {
        err = fault_set(&req->fault, E_NO_METHOD, "method '%.*s' is not served",
                        (int)rune_cut(req->message.method, 128), req->message.method.data);
    }
    return err;
}

/* Whether a header's value holds only what may stand there unencoded. */
static bool
is_visible(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < 0x20 && c != '\t') || c > 0x7E) {
            return false;
        }
    }
    return true;
}

static const struct slice encoded_head = {"=?base64?", 9}, encoded_tail = {"?=", 2};

static bool
is_encoded(struct slice value)
{
    return value.len >= encoded_head.len + encoded_tail.len &&
           memcmp(value.data, encoded_head.data, encoded_head.len) == 0 &&
           memcmp(value.data + value.len - encoded_tail.len, encoded_tail.data, encoded_tail.len) ==
               0;
}

bool
era_header_decode(struct slice value, struct buf *out)
{
    if (!is_encoded(value)) {
        buf_add_slice(out, value);
        return is_visible(value);
    }
    value.data += encoded_head.len;
    value.len -= encoded_head.len + encoded_tail.len;
    return base64_decode(value, out);
}

bool
era_header_is(struct slice header, struct slice want)
{
    struct buf decoded = {.limit = 16 * 1024};
    bool same;

    if (!is_encoded(header)) { /* As good as always. */
        return slice_equal(header, want) && is_visible(header);
    }
    same = era_header_decode(header, &decoded) && !decoded.failed &&
           slice_equal(buf_slice(&decoded), want);
    buf_fini(&decoded);
    return same;
}

enum err
era_check_name(struct request *req, struct slice name)
{
    if (req->era == ERA_LEGACY || req->env.transport != TRANSPORT_HTTP ||
        req->dialect == DIALECT_REST) {
        return E_OK;
    }
    if (!req->env.name.data) {
        return fault_set(&req->fault, E_HEADERS, "the Mcp-Name header is missing");
    }
    if (!era_header_is(req->env.name, name)) {
        return fault_set(&req->fault, E_HEADERS,
                         "the Mcp-Name header and the body name different things");
    }
    return E_OK;
}

void
era_add_cache(struct request *req, unsigned ttl_ms, bool shared)
{
    if (req->needs) { /* It holds what the client said. */
        ttl_ms = 0;
        shared = false;
    }
    if (req->era == ERA_MODERN) {
        request_member(req, "ttlMs");
        buf_add_int(&req->out, ttl_ms);
        request_member(req, "cacheScope");
        buf_adds(&req->out, shared ? "\"public\"" : "\"private\"");
    }
}

#define INFO_NAME "{\"name\":\"" TANDEM_NAME "\",\"version\":\"" TANDEM_VERSION "\""
#define INFO_TITLE ",\"title\":\"" TANDEM_NAME "\""

void
era_add_server_info(struct buf *out, enum revision revision, bool whole)
{
    if (revision >= REVISION_2025_06_18) {
        buf_adds(out, INFO_NAME INFO_TITLE);
    } else {
        buf_adds(out, INFO_NAME);
    }
    if (whole && revision >= REVISION_2025_11_25) {
        buf_adds(out, ",\"description\":\"Phase-gated workflows: one state for an IDE and all its "
                      "sub-agents.\",\"icons\":");
        icons_add(out, ICON_SERVER);
    }
    buf_addc(out, '}');
}

static void
begin_response(struct request *req)
{
    buf_adds(&req->out, "{\"jsonrpc\":\"2.0\"");
    if (req->message.id.len && req->message.shape != RPC_RESPONSE) { /* Its id is not the peer's. */
        buf_adds(&req->out, ",\"id\":");
        buf_add_slice(&req->out, req->message.id);
    }
}

void
era_begin_result(struct request *req)
{
    buf_reset(&req->out);
    begin_response(req);
    buf_adds(&req->out, ",\"result\":{");
    req->result_start = req->out.len;
}

void
era_end_result(struct request *req)
{
    if (req->era == ERA_MODERN) {
        request_member(req, "resultType");
        buf_addc(&req->out, '"');
        buf_adds(&req->out, req->result_type ? req->result_type : "complete");
        buf_adds(&req->out, "\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":");
        era_add_server_info(&req->out, req->revision, req->method->handle == lifecycle_discover);
        buf_addc(&req->out, '}');
    }
    buf_adds(&req->out, "}}");
}

/* The HTTP status of an error: modern pins some; legacy answers 200 unless the message itself was
 * bad. */
static int
status_of(const struct request *req, const struct err_info *info)
{
    if (req->fault.code == E_INTERNAL || info->told == ERR_TOLD_TOOL ||
        (req->fault.code == E_NO_METHOD && req->era == ERA_LEGACY)) {
        return 200;
    }
    return info->http_status;
}

void
era_add_error(struct buf *out, const struct request *req)
{
    const struct err_info *info = err_info(req->fault.code);
    int code = info->rpc_code ? info->rpc_code : -32603;
    struct buf text = BUF_INIT;

    if (req->fault.code == E_NO_RESOURCE && req->era == ERA_MODERN) {
        code = -32602; /* -32002 must not appear in modern answers. */
    }
    buf_adds(&text, req->fault.text);
    if (*fault_next_step(&req->fault)) {
        buf_addf(&text, "; %s", fault_next_step(&req->fault));
    }
    buf_addf(out, "{\"code\":%d,\"message\":", code);
    buf_add_json(out, text.failed ? slice_of(req->fault.text) : buf_slice(&text));
    buf_fini(&text);
    if (req->fault_data.len) {
        buf_adds(out, ",\"data\":");
        buf_add_slice(out, buf_slice(&req->fault_data));
    }
    buf_addc(out, '}');
}

int
era_write_error(struct request *req)
{
    buf_reset(&req->out);
    begin_response(req);
    buf_adds(&req->out, ",\"error\":");
    if (req->error) {
        buf_add(&req->out, req->error->data, req->error->len);
    } else {
        era_add_error(&req->out, req);
    }
    buf_addc(&req->out, '}');
    return status_of(req, err_info(req->fault.code));
}
