/* tool.h -- what a tool is: one row, from which both eras, REST and the command line are made.
 *
 * TOOLS lists them in the order of tools/list.  The row's second column is the file that answers:
 * it defines "const struct tool tool_<name>".  To add a tool, add a row and that object.  Only
 * tools of the groups that the settings enable exist: the others are neither listed nor found. */
#ifndef TANDEM_TOOL_H
#define TANDEM_TOOL_H

#include "handlers/request.h"

struct content;

/*      name              answered in        */
#define OWN_TOOLS(ROW)                            \
    ROW(current_date, "tool_info.c")              \
    ROW(get_server_info, "tool_info.c")           \
    ROW(pos_workflow, "tool_workflow.c")          \
    ROW(search_standards, "tool_search.c")        \
    ROW(ask_helpdesk, "tool_helpdesk.c")          \
    ROW(get_helpdesk_status, "tool_helpdesk.c")   \
    ROW(reload_helpdesk_index, "tool_helpdesk.c") \
    ROW(search_helpdesk, "tool_helpdesk.c")       \
    ROW(get_tenant_cache_stats, "tool_tenant.c")  \
    ROW(get_tenant_config, "tool_tenant.c")       \
    ROW(list_tenants, "tool_tenant.c")            \
    ROW(reload_tenant_config, "tool_tenant.c")    \
    ROW(set_tenant_config, "tool_tenant.c")       \
    ROW(get_event_stats, "tool_events.c")         \
    ROW(get_recent_events, "tool_events.c")       \
    ROW(get_relay_status, "tool_events.c")        \
    ROW(publish_event, "tool_events.c")           \
    ROW(set_event_filters, "tool_events.c")       \
    ROW(get_config, "tool_config.c")              \
    ROW(reload_config, "tool_config.c")           \
    ROW(set_config, "tool_config.c")              \
    ROW(validate_config, "tool_config.c")         \
    ROW(create_session, "tool_session.c")         \
    ROW(end_session, "tool_session.c")            \
    ROW(get_context_metrics, "tool_session.c")    \
    ROW(get_session, "tool_session.c")            \
    ROW(list_sessions, "tool_session.c")          \
    ROW(record_session_use, "tool_session.c")     \
    ROW(set_session_id, "tool_session.c")         \
    ROW(update_token_usage, "tool_session.c")     \
    ROW(analyze_failures, "tool_failures.c")      \
    ROW(clear_failures, "tool_failures.c")        \
    ROW(get_failure_stats, "tool_failures.c")     \
    ROW(get_learnings, "tool_failures.c")         \
    ROW(list_failures, "tool_failures.c")         \
    ROW(record_tool_outcome, "tool_failures.c")   \
    ROW(acquire_quota, "tool_quota.c")            \
    ROW(check_quota, "tool_quota.c")              \
    ROW(get_quota_summary, "tool_quota.c")        \
    ROW(record_quota_usage, "tool_quota.c")       \
    ROW(release_quota, "tool_quota.c")            \
    ROW(reset_quota, "tool_quota.c")              \
    ROW(sync_quotas, "tool_quota.c")

/* What the official conformance suite calls: of no use to anybody else, and there only if asked
 * for. */
#define CONFORMANCE_TOOLS(ROW)                             \
    ROW(echo, "tool_conformance.c")                        \
    ROW(test_simple_text, "tool_conformance.c")            \
    ROW(test_image_content, "tool_conformance.c")          \
    ROW(test_audio_content, "tool_conformance.c")          \
    ROW(test_embedded_resource, "tool_conformance.c")      \
    ROW(test_multiple_content_types, "tool_conformance.c") \
    ROW(test_error_handling, "tool_conformance.c")         \
    ROW(test_tool_with_progress, "tool_conformance.c")     \
    ROW(test_tool_with_logging, "tool_conformance.c")      \
    ROW(test_logging_tool, "tool_conformance.c")           \
    ROW(json_schema_2020_12_tool, "tool_conformance.c")    \
    ROW(test_header_tool, "tool_conformance.c")            \
    ROW(test_trigger_tool_change, "tool_conformance.c")    \
    ROW(test_trigger_prompt_change, "tool_conformance.c")  \
    ROW(test_missing_capability, "tool_conformance.c")     \
    ROW(test_streaming_elicitation, "tool_conformance.c")  \
    ROW(test_reconnection, "tool_conformance_streams.c")   \
    ROW(test_changing_tool, "tool_conformance.c") /* Comes and goes: the last. */

/* Of those, the ones that ask their client. */
#define ASKING_TOOLS(ROW)                                                      \
    ROW(test_sampling, "tool_conformance_need.c")                              \
    ROW(test_elicitation, "tool_conformance_need.c")                           \
    ROW(test_elicitation_sep1034_defaults, "tool_conformance_need.c")          \
    ROW(test_elicitation_sep1330_enums, "tool_conformance_need.c")             \
    ROW(test_input_required_result_elicitation, "tool_conformance_need.c")     \
    ROW(test_input_required_result_sampling, "tool_conformance_need.c")        \
    ROW(test_input_required_result_list_roots, "tool_conformance_need.c")      \
    ROW(test_input_required_result_request_state, "tool_conformance_need.c")   \
    ROW(test_input_required_result_multiple_inputs, "tool_conformance_need.c") \
    ROW(test_input_required_result_multi_round, "tool_conformance_need.c")     \
    ROW(test_input_required_result_tampered_state, "tool_conformance_need.c")  \
    ROW(test_input_required_result_capabilities, "tool_conformance_need.c")    \
    ROW(test_page, "tool_conformance_need.c")

/* And those that run as tasks. */
#define TASK_TOOLS(ROW)                                 \
    ROW(greet, "tool_conformance_tasks.c")              \
    ROW(slow_compute, "tool_conformance_tasks.c")       \
    ROW(failing_job, "tool_conformance_tasks.c")        \
    ROW(protocol_error_job, "tool_conformance_tasks.c") \
    ROW(confirm_delete, "tool_conformance_tasks.c")     \
    ROW(multi_input, "tool_conformance_tasks.c")        \
    ROW(test_tool_with_task, "tool_conformance_tasks.c")

#define TOOLS(ROW) OWN_TOOLS(ROW) ASKING_TOOLS(ROW) TASK_TOOLS(ROW) CONFORMANCE_TOOLS(ROW)

/* The groups that tools are in.  A group's own name in the settings enables all of it; "core" the
 * tools that are marked so, from whichever group; "full" all groups but those FOR_TESTS.  What is
 * ALWAYS there needs none of it. */
#define TOOL_GROUPS(ROW)   \
    ROW(info, ALWAYS)      \
    ROW(workflow, FOR_USE) \
    ROW(search, FOR_USE)   \
    ROW(quota, FOR_USE)    \
    ROW(failures, FOR_USE) \
    ROW(helpdesk, FOR_USE) \
    ROW(tenant, FOR_USE)   \
    ROW(events, FOR_USE)   \
    ROW(config, FOR_USE)   \
    ROW(session, FOR_USE)  \
    ROW(conformance, FOR_TESTS)

#define TOOL_NAME_SIZE 65 /* Bytes of the longest name, with NUL. */

enum runs {
    INLINE, /* On the transport's thread: only touches memory, for microseconds. */
    WORKER, /* On a worker: reads or writes files, waits, or computes for long. */
};

enum tool_hint {
    HINT_READ_ONLY = 1,
    HINT_DESTRUCTIVE = 2,
    HINT_IDEMPOTENT = 4,
    HINT_OPEN_WORLD = 8,
};

/* Whether a call may go on as a task (tasks.h). */
enum task_support {
    TASK_FORBIDDEN,
    TASK_OPTIONAL, /* A client of 2025-11-25 may ask for it; a modern one that knows tasks gets one.
                    */
    TASK_REQUIRED, /* And who knows no tasks cannot call it. */
};

struct tool {
    const char *name, *title, *group;
    bool core; /* One of the few that are offered unless the settings say otherwise. */
    const char *description;   /* What an agent needs to use it well. */
    const char *input_schema;  /* JSON text, in the profile that every client takes. */
    const char *output_schema; /* JSON text, or null. */
    unsigned hints;            /* enum tool_hint. */
    /* Whether a call with these arguments, a JSON object, may be made again when nobody knows if it
     * was done, though the hints do not say so of all calls; may be null. */
    bool (*repeatable)(struct slice arguments);
    enum runs runs;
    enum task_support task;
    bool task_late;    /* Modern: it becomes one where it calls tasks_begin(), if it does. */
    const char *needs; /* A capability that a modern client must declare, or null. */
    bool any_schema; /* The input schema is past the profile: not a tool that models are to use. */
    /* Looks whether the answer to 'arguments', a JSON object of which nothing else has been
     * checked, is at hand (tools_at_hand.h): counted, or null, and then call() is asked.
     * Transport's thread: never blocks.  Null for tools that keep none. */
    struct bytes *(*at_hand)(struct request *req, struct slice arguments);
    /* Adds to 'blocks' those that tell more of a structured result than it does as text, such as
     * links to the resources it names, for revisions that know such; may be null.  Pure. */
    void (*add_blocks)(const json_t *result, json_t *blocks);
    /* Answers one call, with a structured result, told as structuredContent and, once more, as
     * text. 'args' is borrowed, has passed the input schema, and is an object.  On E_OK '*result'
     * is a new object.  On error it may be a new object too: what to tell instead of the plain
     * {code, message, remedy} of 'f', which is filled in any case. */
    enum err (*call)(struct request *req, const json_t *args, json_t **result, struct fault *f);
    /* In the place of call(): answers with blocks of content (content.h): text, images, audio,
     * resources.  What was added is taken away again where it fails. */
    enum err (*tell)(struct request *req, const json_t *args, struct content *content,
                     struct fault *f);
};

#define ROW(NAME, FILE) extern const struct tool tool_##NAME;
TOOLS(ROW)
#undef ROW

#endif
