/* settings.h -- every setting of tandem, once.
 *
 * A row of SETTINGS gives the typed member of struct settings, the key in the configuration file,
 * the environment variable, the command-line option, its line of help and its row in
 * deploy/settings.md. A key is written "limits.json_depth" in the file (or as nested sections),
 * TANDEM_LIMITS_JSON_DEPTH in the environment and --limits-json-depth on the command line; dots,
 * hyphens and underscores are one to the parser.  Values outside their bounds are refused, never
 * bent: a limit that is silently another than the one written down protects nobody.
 *
 * A finished struct settings is an immutable snapshot, counted; any thread reads it without a
 * lock for as long as it holds a reference.  How a snapshot is made from its sources: config.h. */
#ifndef TANDEM_SETTINGS_H
#define TANDEM_SETTINGS_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a type is in C, and how its values are written:
 *   STRING    any text
 *   LIST      words between commas; in the file also an array of strings; given twice, it adds up
 *   UINT      a decimal number
 *   DURATION  "500ms", "10s", "30m", "24h"; nanoseconds in C
 *   BYTES     "512", "16KiB", "1MiB", "1GiB"
 *   BOOL      true/yes/on/1, false/no/off/0
 *   REAL      a number with or without decimals: "0.3"
 *   CHOICE    one of the words in the 'least' column; its index in C (see the enums below)
 *   SECRET    any text, which is never shown
 * Where a STRING has something in that column, it is a word for what to write, for the help. */
#define SETTING_C_STRING const char *
#define SETTING_C_LIST const char *
#define SETTING_C_UINT unsigned
#define SETTING_C_DURATION int64_t
#define SETTING_C_BYTES size_t
#define SETTING_C_BOOL bool
#define SETTING_C_REAL double
#define SETTING_C_CHOICE unsigned
#define SETTING_C_SECRET const char *

/* Where a row can be set: in ANY place; (START) not in the file, as it says where that is; or
 * (LIVE) in any place and while the server runs, as those who use it read the snapshot in force
 * each time, or are told of changes (config_listen()).  What would need a restart is not LIVE. */
/* clang-format off */
#define SETTINGS(ROW)                                                                              \
/*  member, key, type, where, initial, least, most                                             */  \
/*      help, and what happens at the bound                                                    */  \
    ROW(transport, "transport", CHOICE, ANY, "auto", "auto|dual|stdio|http", "",                   \
        "what to serve; auto: dual if standard input is a pipe or socket, else http")              \
    ROW(listen, "listen", STRING, ANY, "127.0.0.1", "ADDR", "",                                    \
        "HOST, HOST:PORT, HOST:0 (any free port) or unix:PATH")                                    \
    ROW(root, "root", STRING, START, "", "DIR", "",                                                \
        "the project; default: the nearest folder upward with .tandem or .praxis-os")              \
    ROW(config, "config", STRING, START, "", "FILE", "",                                           \
        "the configuration file; default: config.json in the data folder")                         \
    ROW(auth, "auth", CHOICE, ANY, "token", "none|token|jwt", "",                                  \
        "what HTTP clients must show: nothing, the token of the data folder, or one of an "        \
        "OAuth authorization server (jwt.*)")                                                      \
    ROW(token_file, "token_file", STRING, ANY, "", "FILE|env:NAME", "",                            \
        "the file, from the root, or the environment variable that holds the token of auth "       \
        "token; default: token in the data folder, made when it is not there")                     \
    ROW(jwt_issuer, "jwt.issuer", STRING, ANY, "", "URL", "",                                      \
        "the authorization server: what 'iss' of a token must be")                                 \
    ROW(jwt_resource, "jwt.resource", STRING, ANY, "", "URL", "",                                  \
        "this server's MCP endpoint, exactly as clients type it")                                  \
    ROW(jwt_audience, "jwt.audience", STRING, ANY, "", "TEXT", "",                                 \
        "what 'aud' of a token must name; default: jwt.resource")                                  \
    ROW(jwt_keys, "jwt.keys", STRING, ANY, "", "URL|FILE", "",                                     \
        "the authorization server's public keys (JWKS): an https URL, or a file, from the root")   \
    ROW(jwt_scopes, "jwt.scopes", LIST, ANY, "tandem:read,tandem:write", "", "",                   \
        "what clients are told to ask for: tandem:read is enough for tools that change nothing")   \
    ROW(jwt_skew, "jwt.skew", DURATION, ANY, "30s", "0s", "1m",                                    \
        "how far the clocks of both servers may be apart")                                         \
    ROW(jwt_timeout, "jwt.timeout", DURATION, ANY, "5s", "100ms", "1m",                            \
        "time to fetch the keys; over it: the old ones stay, or 503 while there are none")         \
    ROW(tenant_default_id, "tenant.default_id", STRING, ANY, "default", "ID", "",                  \
        "whose a request is that names no tenant")                                                 \
    ROW(tenant_meta_key, "tenant.meta_key", STRING, ANY, "dev.tandem/client-id", "KEY", "",        \
        "the key of _meta that names the tenant of a message, as X-Client-ID does over HTTP")      \
    ROW(tenant_bindings, "tenant.bindings", LIST, ANY, "", "", "",                                 \
        "who is of which tenant, and may ask for no other: PRINCIPAL=ID, where PRINCIPAL is "      \
        "token, a subject of the authorization server, or * for the others")                       \
    ROW(tenant_claim, "tenant.claim", STRING, ANY, "", "NAME", "",                                 \
        "auth jwt: the claim that names the tenants of a token; one without it is refused")        \
    ROW(tenant_cache_max, "tenant.cache_max", UINT, ANY, "100", "1", "10000",                      \
        "tenants whose settings are kept; over it: the least recently used is forgotten")          \
    ROW(tenant_ttl_s, "tenant.ttl_s", UINT, ANY, "300", "0", "86400",                              \
        "seconds after which a tenant's settings are read again, changed or not; 0: never")        \
    ROW(tenant_negative_ttl_s, "tenant.negative_ttl_s", UINT, ANY, "5", "0", "3600",               \
        "seconds for which settings that could not be read are not tried again, unless changed")   \
    ROW(tenant_env_allow, "tenant.env_allow", LIST, ANY, "TENANT_*", "", "",                       \
        "environment variables that tenants' settings may name as ${NAME}; * ends a beginning")    \
    ROW(http_trust_forwarded, "http.trust_forwarded", BOOL, ANY, "false", "", "",                  \
        "behind a proxy: take who calls from the last X-Forwarded-For instead of the socket")      \
    ROW(quota_services, "quota.services", LIST, LIVE, "", "", "",                                  \
        "limits of services, as tiingo=500/month,finnhub=60/minute@0.002: units a minute, hour, "  \
        "day or month of UTC, and the price of one")                                               \
    ROW(quota_warn, "quota.warn", UINT, LIVE, "50", "1", "100",                                    \
        "percent of a limit at which it is told that it nears")                                    \
    ROW(quota_critical, "quota.critical", UINT, LIVE, "80", "1", "100",                            \
        "percent of a limit; over it: only calls of high priority")                                \
    ROW(quota_flush, "quota.flush", DURATION, LIVE, "200ms", "1ms", "1m",                          \
        "how long what was counted may be in memory only, for a machine that loses its power")     \
    ROW(quota_sync_interval, "quota.sync_interval", DURATION, LIVE, "1m", "1s", "1h",              \
        "time between two snapshots of what was counted, and new tries of what failed")            \
    ROW(quota_cache_ttl, "quota.cache_ttl", DURATION, LIVE, "10s", "100ms", "1h",                  \
        "how long counts of a store that others share are believed")                               \
    ROW(quota_reduce_after, "quota.reduce_after", UINT, LIVE, "3", "1", "1000",                    \
        "failed writes in a row after which a quarter of each limit is all there is,")             \
    ROW(quota_restore_after, "quota.restore_after", UINT, LIVE, "5", "1", "1000",                  \
        "and good ones after which all of it is back")                                             \
    ROW(groups, "groups", LIST, ANY, "core", "", "",                                               \
        "tool groups to offer: core, full, workflow, search, helpdesk, events, tenant, config, "      \
        "session, quota, failures, conformance (for the official test suite)")                      \
    ROW(session_id, "session.id", STRING, ANY, "", "ID", "",                                       \
        "id of the tandem session of the start; default: CLAUDE_SESSION_ID, "                      \
        "ANTHROPIC_SESSION_ID or SESSION_ID, else random")                                         \
    ROW(session_budget, "session.budget", UINT, LIVE, "200000", "1000", "1000000000",              \
        "tokens that a tandem session may use; told at 70, 85, 90 and 95 percent of it")           \
    ROW(session_save_interval, "session.save_interval", DURATION, LIVE, "5m", "1m", "30m",         \
        "how often tandem sessions that have changed are saved")                                   \
    ROW(metrics_open, "metrics.open", BOOL, ANY, "false", "", "",                                  \
        "GET /metrics needs no token: for a scraper that has none, on a network of your own")      \
    ROW(log_level, "log_level", CHOICE, LIVE, "info", "debug|info|warn|error|off", "",             \
        "what is worth a line on standard error")                                                  \
    ROW(log_format, "log_format", CHOICE, LIVE, "auto", "auto|text|json|journal", "",              \
        "how that line is written; journal: with the priority in front, as systemd's journal "     \
        "reads it; auto: that if standard error is the journal's, else text")                         \
    ROW(linger, "linger", BOOL, LIVE, "false", "", "",                                             \
        "keep serving HTTP after standard input has ended")                                        \
    ROW(exclusive, "exclusive", BOOL, ANY, "false", "", "",                                        \
        "be the project's only server, or do not start")                                           \
    ROW(sandbox, "sandbox", CHOICE, ANY, "auto", "auto|on|off", "",                                 \
        "the server gives up what it does not need: files elsewhere (Landlock), programs and "     \
        "other dangerous system calls (seccomp); auto: as far as the system can")                  \
    ROW(allow_host, "allow_host", LIST, ANY, "", "", "",                                           \
        "further names and addresses taken in a Host header")                                      \
    ROW(allow_origin, "allow_origin", LIST, ANY, "", "", "",                                       \
        "further origins taken in an Origin header")                                               \
    ROW(http_path, "http_path", STRING, ANY, "/mcp", "PATH", "",                                   \
        "where the MCP endpoint is")                                                               \
    ROW(ports_first, "ports.first", UINT, ANY, "4242", "1", "65535",                               \
        "first of the ports tried when none is given, or the given one is taken")                  \
    ROW(ports_last, "ports.last", UINT, ANY, "5242", "1", "65535",                                 \
        "last of them")                                                                            \
    ROW(state_key, "state_key", STRING, ANY, "", "FILE", "",                                       \
        "32 bytes or more that seal requestState, for replicas; default: random at start")         \
    ROW(workflows_path, "workflows_path", STRING, ANY, "", "DIR", "",                              \
        "folder of the packs, from the root; default: workflows in the data folder")               \
    ROW(standards_path, "standards_path", STRING, ANY, "", "DIR", "",                              \
        "folder of the standards, from the root; default: standards in the data folder")           \
    ROW(index_path, "index_path", STRING, ANY, "", "DIR", "",                                      \
        "folder of their index, from the root; default: index in the data folder")                 \
    ROW(helpdesk_folder, "helpdesk.folder", STRING, ANY, "", "DIR", "",                            \
        "folder of the helpdesk's documents, from the root; default: helpdesk in the data folder") \
    ROW(helpdesk_url, "helpdesk.url", STRING, ANY, "", "URL", "",                                  \
        "an index file for all tenants, by https; one that ends in .json is an object, else lines")\
    ROW(helpdesk_cache_ttl, "helpdesk.cache_ttl", DURATION, ANY, "24h", "0s", "8760h",             \
        "how long its copy is good; over it: fetched again, or used as stale if that fails")       \
    ROW(helpdesk_preload, "helpdesk.preload", BOOL, ANY, "false", "", "",                          \
        "load the helpdesk index at the start, not when it is first asked for")                    \
    ROW(helpdesk_min_score, "helpdesk.min_score", REAL, ANY, "0.3", "0", "1",                      \
        "score under which a passage is left out, unless too few remain; texts that have "         \
        "nothing in common score 0.333")                                                           \
    ROW(helpdesk_words, "helpdesk.words", BOOL, ANY, "true", "", "",                               \
        "passages for an answer are ordered by the words of the question too, not by scores alone")\
    ROW(helpdesk_indexes, "helpdesk.indexes", UINT, ANY, "16", "1", "1024",                        \
        "helpdesk indexes in memory; over it: the longest unused is dropped")                      \
    ROW(helpdesk_passages, "helpdesk.passages", UINT, ANY, "50000", "1", "1000000",                \
        "passages of one helpdesk index; over it: it is not loaded")                               \
    ROW(helpdesk_file_max, "helpdesk.file_max", BYTES, ANY, "64MiB", "1KiB", "1GiB",               \
        "size of an index file; over it: the index is not loaded")                                 \
    ROW(embed_provider, "embed.provider", CHOICE, ANY, "none", "none|ollama|openai", "",           \
        "who makes vectors of texts for the searches: nobody, Ollama, or one that speaks as "      \
        "OpenAI does")                                                                             \
    ROW(embed_url, "embed.url", STRING, ANY, "", "URL", "",                                        \
        "its base URL; default: http://127.0.0.1:11434 or https://api.openai.com/v1")              \
    ROW(embed_hosts, "embed.hosts", LIST, ANY, "", "", "",                                         \
        "hosts besides this machine that embed.url may name with plain http")                      \
    ROW(embed_model, "embed.model", STRING, ANY, "", "NAME", "",                                   \
        "its model, such as nomic-embed-text")                                                     \
    ROW(embed_dimension, "embed.dimension", UINT, ANY, "0", "0", "8192",                           \
        "numbers of a vector that the model is asked for; 0: as many as it gives")                 \
    ROW(embed_key_file, "embed.key_file", STRING, ANY, "", "FILE|env:NAME", "",                    \
        "the file, from the root, or the environment variable that holds its key")                 \
    ROW(embed_batch, "embed.batch", UINT, ANY, "16", "1", "256",                                   \
        "texts of one question to it")                                                             \
    ROW(embed_timeout, "embed.timeout", DURATION, ANY, "30s", "100ms", "10m",                      \
        "time for its answer; over it: asked again later")                                         \
    ROW(embed_query_time, "embed.query_time", DURATION, ANY, "300ms", "10ms", "30s",               \
        "how long a search waits for the vector of its query; over it: it goes by words alone")    \
    ROW(drain, "drain", DURATION, LIVE, "5s", "0s", "1m",                                          \
        "how long calls may go on once the server is to end")                                      \
    ROW(workers_threads, "workers.threads", UINT, ANY, "16", "2", "256",                           \
        "most threads that run tools; made as they are needed")                                    \
    ROW(workers_reserve, "workers.reserve", UINT, ANY, "4", "1", "255",                            \
        "of them, those kept for calls over the network")                                          \
    ROW(workers_queue, "workers.queue", UINT, ANY, "256", "8", "65536",                            \
        "calls that may wait for a thread; over it: 429")                                          \
    ROW(limits_message, "limits.message", BYTES, ANY, "1MiB", "4KiB", "16MiB",                     \
        "a body, WebSocket message or stdio line; over it: 413, close 1009, or an error")          \
    ROW(limits_json_depth, "limits.json_depth", UINT, ANY, "64", "8", "512",                       \
        "nesting of a message; over it: parse error")                                              \
    ROW(limits_json_values, "limits.json_values", UINT, ANY, "50000", "100", "500000",             \
        "values in a message; over it: 413")                                                       \
    ROW(limits_request_line, "limits.request_line", BYTES, ANY, "8KiB", "256", "64KiB",            \
        "first line of an HTTP request; over it: 414")                                             \
    ROW(limits_headers, "limits.headers", BYTES, ANY, "16KiB", "1KiB", "64KiB",                    \
        "all headers of a request; over it: 431")                                                  \
    ROW(limits_header_count, "limits.header_count", UINT, ANY, "100", "16", "200",                 \
        "headers of a request; over it: 431")                                                      \
    ROW(limits_head_time, "limits.head_time", DURATION, ANY, "10s", "1s", "1m",                    \
        "time to send the head of a request; over it: 408")                                        \
    ROW(limits_body_idle, "limits.body_idle", DURATION, ANY, "10s", "1s", "1m",                    \
        "silence while a body is awaited; over it: 408")                                           \
    ROW(limits_body_time, "limits.body_time", DURATION, ANY, "30s", "1s", "5m",                    \
        "time to send a whole body; over it: 408")                                                 \
    ROW(limits_keep_alive, "limits.keep_alive", DURATION, ANY, "1m", "1s", "1h",                   \
        "silence between two requests; over it: the connection is closed")                         \
    ROW(limits_requests, "limits.requests", UINT, ANY, "10000", "1", "1000000",                    \
        "requests on one connection; over it: it is closed")                                       \
    ROW(limits_ws_ping, "limits.ws_ping", DURATION, ANY, "30s", "1s", "1h",                        \
        "silence of a WebSocket client; over it: pinged, and closed if it does not answer")        \
    ROW(limits_connections, "limits.connections", UINT, ANY, "1024", "8", "65536",                 \
        "connections at once; over it: they wait to be accepted")                                  \
    ROW(limits_unchecked, "limits.unchecked", UINT, ANY, "256", "4", "65536",                      \
        "of them, those that have not shown a good token; over it: 503")                           \
    ROW(limits_sessions, "limits.sessions", UINT, ANY, "512", "1", "10000",                        \
        "MCP sessions over HTTP; over it: 503")                                                    \
    ROW(limits_sessions_each, "limits.sessions_each", UINT, ANY, "256", "1", "10000",              \
        "of them, those of one principal; over it: 503")                                           \
    ROW(limits_session_idle, "limits.session_idle", DURATION, ANY, "30m", "10s", "24h",            \
        "an MCP session without requests and streams; over it: ended, 404")                        \
    ROW(limits_streams, "limits.streams", UINT, ANY, "4", "1", "16",                               \
        "event streams by GET of one MCP session at once; over it: 409")                           \
    ROW(limits_replay_each, "limits.replay_each", BYTES, ANY, "1MiB", "4KiB", "16MiB",             \
        "events kept for a client that resumes a stream; over it: the oldest are dropped")         \
    ROW(limits_replay, "limits.replay", BYTES, ANY, "32MiB", "64KiB", "1GiB",                      \
        "events kept for all of them; over it: the oldest are dropped")                            \
    ROW(limits_replay_time, "limits.replay_time", DURATION, ANY, "10m", "1s", "24h",               \
        "age of an event that is kept; over it: dropped")                                          \
    ROW(limits_calls, "limits.calls", UINT, ANY, "256", "1", "65536",                              \
        "calls in flight; over it: 429")                                                           \
    ROW(limits_calls_each, "limits.calls_each", UINT, ANY, "32", "1", "4096",                      \
        "of them, those of one session or connection; over it: 429")                               \
    ROW(limits_call_rate, "limits.call_rate", UINT, LIVE, "100", "0", "1000000",                   \
        "calls of tools, resources and prompts a second of one session or connection, twice "      \
        "as many in a burst; over "                                                                \
        "it: 429; 0: no limit")                                                                    \
    ROW(limits_call_time, "limits.call_time", DURATION, LIVE, "1m", "1s", "10m",                   \
        "a tool's running time; over it: cancelled, with an error result")                         \
    ROW(limits_tasks, "limits.tasks", UINT, ANY, "512", "1", "65536",                              \
        "MCP tasks kept, running or not; over it: 429, or the call runs without a task")           \
    ROW(limits_tasks_each, "limits.tasks_each", UINT, ANY, "128", "1", "65536",                    \
        "of them, those of one principal; over it: likewise")                                      \
    ROW(limits_task_ttl, "limits.task_ttl", DURATION, ANY, "10m", "1s", "24h",                     \
        "a task's life from its beginning, if its client asks for none; over it: cancelled, gone") \
    ROW(limits_task_ttl_most, "limits.task_ttl_most", DURATION, ANY, "1h", "1s", "24h",            \
        "the longest life that a client may ask for; over it: this is what it gets")               \
    ROW(limits_task_bytes, "limits.task_bytes", BYTES, ANY, "32MiB", "64KiB", "1GiB",              \
        "results of tasks that are kept; over it: the task fails")                                 \
    ROW(limits_task_bytes_each, "limits.task_bytes_each", BYTES, ANY, "16MiB", "64KiB", "1GiB",    \
        "of them, those of one principal; over it: the task fails")                                \
    ROW(limits_asks, "limits.asks", UINT, ANY, "64", "1", "65536",                                 \
        "calls that wait for answers of legacy clients; over it: an error result")                 \
    ROW(limits_asks_each, "limits.asks_each", UINT, ANY, "8", "1", "4096",                         \
        "of them, those of one session or connection; over it: an error result")                   \
    ROW(limits_ask_time, "limits.ask_time", DURATION, ANY, "5m", "1s", "24h",                      \
        "how long such a call waits; over it: an error result")                                    \
    ROW(limits_stdout, "limits.stdout", BYTES, ANY, "8MiB", "64KiB", "256MiB",                     \
        "unread answers on stdio; over it: no more input is read until they drain")                \
    ROW(limits_state_file, "limits.state_file", BYTES, ANY, "1MiB", "16KiB", "16MiB",              \
        "one workflow session on disk; over it: an error")                                         \
    ROW(limits_state_files, "limits.state_files", UINT, ANY, "10000", "10", "1000000",             \
        "workflow sessions on disk; over it: the oldest finished are removed")                     \
    ROW(limits_active_workflows, "limits.active_workflows", UINT, ANY, "100", "1", "10000",        \
        "workflow sessions neither completed nor paused; over it: start is refused")               \
    ROW(limits_watches, "limits.watches", UINT, ANY, "2048", "0", "65536",                         \
        "folders watched for changes; over it: they are looked at every 5 seconds")                \
    ROW(limits_workflow_stale, "limits.workflow_stale", DURATION, ANY, "168h", "1h", "8760h",      \
        "an active workflow session that nobody touches; over it: removed")                        \
    ROW(events_history, "events.history", UINT, ANY, "1000", "10", "10000",                        \
        "events kept for those who come back; over it: the oldest are forgotten")                  \
    ROW(events_history_bytes, "events.history_bytes", BYTES, ANY, "16MiB", "1MiB", "1GiB",         \
        "their text; over it: likewise")                                                           \
    ROW(relay_max_clients, "relay.max_clients", UINT, ANY, "100", "1", "1024",                     \
        "clients that read events at once, by /events and /ws; over it: 503")                      \
    ROW(relay_patterns, "relay.patterns", LIST, ANY, "*", "", "",                                  \
        "topics of the events that they may read")                                                 \
    ROW(relay_queue, "relay.queue", UINT, ANY, "1000", "16", "10000",                              \
        "events that one of them has not read; over it: relay.overflow")                           \
    ROW(relay_queue_bytes, "relay.queue_bytes", BYTES, ANY, "4MiB", "256KiB", "64MiB",             \
        "their text; over it: likewise")                                                           \
    ROW(relay_overflow, "relay.overflow", CHOICE, ANY, "gap", "gap|disconnect", "",                \
        "what becomes of a client that reads too slowly: its oldest events are dropped, and it "   \
        "is told which, or it is disconnected")                                                    \
    ROW(relay_replay_ttl, "relay.replay_ttl", DURATION, ANY, "5m", "1s", "24h",                    \
        "age of an event that a client who comes back is told of; over it: a gap")
/* clang-format on */

/* The words of the CHOICE rows, in their order. */
enum choice_transport {
    TRANSPORT_MODE_AUTO,
    TRANSPORT_MODE_DUAL,
    TRANSPORT_MODE_STDIO,
    TRANSPORT_MODE_HTTP,
};
enum choice_sandbox { SANDBOX_AUTO, SANDBOX_ON, SANDBOX_OFF };
enum choice_auth { AUTH_NONE, AUTH_TOKEN, AUTH_JWT };
enum choice_embed_provider {
    EMBED_PROVIDER_NONE,
    EMBED_PROVIDER_OLLAMA,
    EMBED_PROVIDER_OPENAI,
};
enum choice_log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };
enum choice_relay_overflow { OVERFLOW_GAP, OVERFLOW_DISCONNECT };
/* log_level: enum log_level of state/base/log.h. */

enum setting {
#define ROW(MEMBER, ...) SETTING_##MEMBER,
    SETTINGS(ROW)
#undef ROW
        SETTING_COUNT
};

enum setting_type {
    SETTING_STRING,
    SETTING_LIST,
    SETTING_UINT,
    SETTING_DURATION,
    SETTING_BYTES,
    SETTING_BOOL,
    SETTING_REAL,
    SETTING_CHOICE,
    SETTING_SECRET,
};
enum setting_where { SETTING_ANY, SETTING_START, SETTING_LIVE };
/* Later ones win. */
enum setting_origin {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_OPTION,
    ORIGIN_RUN_TIME,
};

struct settings {
#define ROW(MEMBER, KEY, TYPE, ...) SETTING_C_##TYPE MEMBER;
    SETTINGS(ROW)
#undef ROW
    uint64_t version;                     /* Rises with each change, from 1. */
    int64_t loaded_ns;                    /* Wall time at which it was made. */
    unsigned char origins[SETTING_COUNT]; /* enum setting_origin. */
    unsigned lines[SETTING_COUNT];        /* In the file, from 1; 0: it is not from there. */
    char *file;                           /* Owned: what the file is called; null without one. */
    char *texts[SETTING_COUNT]; /* Owned: what STRING, LIST and SECRET members point to. */
    _Atomic unsigned refs;
};

struct setting_row {
    const char *key, *initial, *least, *most, *help; /* Bounds, if there is a 'most'. */
    enum setting_type type;
    enum setting_where where;
    size_t offset; /* Of its member in struct settings. */
};

/* Borrowed for ever. */
const struct setting_row *setting_row(enum setting setting);
const char *setting_origin_name(enum setting_origin origin);
/* A word for what a row takes: "auto|dual|stdio|http", "ADDR", "N", "DURATION", ... */
const char *setting_takes(enum setting setting);

/* The row that 'name' means, with any of '.', '-', '_' between its words and any case; else -1. */
int setting_find(struct slice name);
/* The row whose key is nearest to 'name', if one is near enough to be meant; else -1. */
int setting_nearest(struct slice name);

#define SETTING_NAME_SIZE 64
/* "--limits-json-depth" without its hyphens in front; "TANDEM_LIMITS_JSON_DEPTH". */
void setting_option_name(enum setting setting, char out[SETTING_NAME_SIZE]);
void setting_variable_name(enum setting setting, char out[SETTING_NAME_SIZE]);

/* A snapshot in the making, with every default.  One reference. */
struct settings *settings_create(void);
/* Gives 'setting' the value that 'text' says, while 's' is still the caller's alone.  E_ARGUMENT:
 * not of its type, or outside its bounds; the text says what is allowed. */
enum err settings_set(struct settings *s, enum setting setting, const char *text,
                      enum setting_origin origin, struct fault *f);
/* What must hold between settings.  E_ARGUMENT. */
enum err settings_check(const struct settings *s, struct fault *f);

/* A snapshot in the making that says what 's' does.  One reference. */
struct settings *settings_copy(const struct settings *s);
/* Gives 'setting' the value and the origin that it has in 'from'; 's' is the caller's alone. */
void settings_adopt(struct settings *s, const struct settings *from, enum setting setting);
/* Whether 'setting' has the same value in both. */
bool settings_same(const struct settings *a, const struct settings *b, enum setting setting);

/* Takes a reference, and returns it. */
struct settings *settings_ref(struct settings *s);
/* Null is ignored. */
void settings_unref(struct settings *s);

/* Adds the value as it would be written in the file or on the command line; of a SECRET only that
 * there is one. */
void settings_show(const struct settings *s, enum setting setting, struct buf *out);
/* Adds where the value comes from: "default", ".tandem/config.json:3", "TANDEM_DRAIN", "--drain",
 * "set at run time". */
void settings_show_origin(const struct settings *s, enum setting setting, struct buf *out);
/* Steps through a LIST: stores the next item in '*item' and returns true, or false at its end.
 * '*list' starts as the member and moves on. */
bool settings_next_item(const char **list, struct slice *item);

#endif
