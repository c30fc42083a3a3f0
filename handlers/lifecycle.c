/* lifecycle.c -- initialize, initialized, ping, logging/setLevel (legacy) and server/discover
 * (modern). */
#include "handlers/asks.h"
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/notices.h"
#include "handlers/tasks.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "state/version.h"

static const char instructions[] =
    "tandem runs phase-gated workflows and keeps one state for the IDE and all its sub-agents. "
    "Start or resume work with pos_workflow (action=list_workflows, then start); read each task "
    "with "
    "get_task; hand in evidence with complete_phase. Sub-agents may call the same tools over HTTP.";

static void
add_capabilities(struct request *req)
{
    request_member(req, "capabilities");
    buf_adds(&req->out, era_knows(req, REVISION_2025_03_26) ? "{\"completions\":{}," : "{");
    if (req->era == ERA_MODERN) {
        buf_adds(&req->out,
                 "\"extensions\":{\"io.modelcontextprotocol/skills\":{\"directoryRead\":true},"
                 "\"" TASKS_EXTENSION "\":{}},");
    }
    buf_adds(&req->out, "\"logging\":{},\"prompts\":{\"listChanged\":true},"
                        "\"resources\":{\"listChanged\":true,\"subscribe\":true},");
    if (req->revision == REVISION_2025_11_25) {
        buf_adds(&req->out, "\"tasks\":{\"list\":{},\"cancel\":{},"
                            "\"requests\":{\"tools\":{\"call\":{}}}},");
    }
    buf_adds(&req->out, "\"tools\":");
    buf_adds(&req->out,
             tools_can_change(req->dispatcher->tools) ? "{\"listChanged\":true}}" : "{}}");
    request_member(req, "instructions");
    buf_add_json(&req->out, slice_of(instructions));
}

enum err
lifecycle_ping(struct request *req)
{
    (void)req; /* Exactly {}. */
    return E_OK;
}

/* The version to agree on: the one asked for if it is served and legacy, else the newest legacy
 * one. */
static enum err
agree(struct request *req, enum revision *agreed)
{
    const struct json_value *asked = &req->message.param[RPC_PARAM_PROTOCOL_VERSION];
    char text[64];

    if (asked->kind != KIND_STRING || json_string_into(asked->raw, text, sizeof text) < 0) {
        buf_adds(&req->fault_data, "{\"supported\":");
        era_add_supported(&req->fault_data, false);
        buf_adds(&req->fault_data, ",\"requested\":");
        /* A container is not echoed: it may hold line breaks, and an answer is one line. */
        if (asked->kind == KIND_NONE || asked->kind == KIND_OBJECT || asked->kind == KIND_ARRAY) {
            buf_adds(&req->fault_data, "null}");
        } else {
            buf_add_slice(&req->fault_data, asked->raw);
            buf_addc(&req->fault_data, '}');
        }
        return fault_set(&req->fault, E_PARAMS, "params.protocolVersion is missing, or no version");
    }
    *agreed = era_revision(slice_of(text));
    if (*agreed == REVISION_NONE || *agreed > ERA_NEWEST_LEGACY) {
        *agreed = ERA_NEWEST_LEGACY;
    }
    return E_OK;
}

enum err
lifecycle_initialize(struct request *req)
{
    enum revision agreed = ERA_NEWEST_LEGACY;
    enum err err = agree(req, &agreed);
    int none = REVISION_NONE;

    if (err) {
        return err;
    }
    if (!req->session) {
        err = mcp_session_start(state_sessions(req->state), req->env.principal, &req->session,
                                &req->fault);
        if (err) {
            return err;
        }
        req->new_session_id = slice_of(req->session->id);
    }
    if (!atomic_compare_exchange_strong(&req->session->revision, &none, (int)agreed)) {
        fault_set(&req->fault, E_INVALID_REQUEST, "this session is initialized already");
        return fault_remedy(&req->fault,
                            "begin another session on another connection, or without a session id");
    }
    req->revision = agreed;
    atomic_store(&req->session->client_can,
                 asks_declared(req->message.param[RPC_PARAM_CAPABILITIES].raw));
    notices_begin(req->dispatcher, req->session);
    request_member(req, "protocolVersion");
    buf_addf(&req->out, "\"%s\"", era_revision_text(agreed));
    add_capabilities(req);
    request_member(req, "serverInfo");
    era_add_server_info(&req->out, req->revision, true);
    /* Room for what ends the answer as well: from here on nothing goes wrong. */
    if (!buf_reserve(&req->out, sizeof "}}") || req->out.failed) {
        atomic_store(&req->session->revision,
                     REVISION_NONE); /* It is told an error; it may ask again. */
    }
    return E_OK;
}

enum err
lifecycle_initialized(struct request *req)
{
    atomic_store(&req->session->initialized, true);
    asks_initialized(req->dispatcher, req->session);
    return E_OK;
}

enum err
lifecycle_set_level(struct request *req)
{
    int level = request_level(&req->message.param[RPC_PARAM_LEVEL]);

    if (level < 0) {
        return fault_set(&req->fault, E_PARAMS,
                         "params.level is no log level; debug, info, notice, warning, error, "
                         "critical, alert and emergency are");
    }
    atomic_store(&req->session->log_level, level);
    return E_OK; /* Exactly {}. */
}

enum err
lifecycle_discover(struct request *req)
{
    request_member(req, "supportedVersions");
    era_add_supported(&req->out, false);
    add_capabilities(req);
    era_add_cache(req, 60000, true);
    return E_OK;
}
