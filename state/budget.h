/* budget.h -- tandem sessions: who works here, what it has cost, and what to know to go on.
 *
 * A tandem session is an identity, a token budget with what is used of it, and the agents that took
 * part.  (It is neither the MCP session of a legacy client nor the workflow session of a pack.)
 * Each tenant has one that is current, made when it is first asked for; further ones are opened for
 * a context, and found again by it.  Both transports, and all agents, count into the same.
 *
 * A threshold is told once in a session's life, whatever the number of threads and restarts.  What
 * a call answers is as of its own addition.  A session that ended leaves a note to resume by; one
 * that nobody ended goes to the archive a day after it began, unless it is current.
 *
 * All of it is kept in one file, replaced as a whole: when a session begins, is renamed or ends,
 * and every session.save_interval.  Any thread that holds no lock; takes BUDGET, and BUDGET_SAVE
 * where it says that it saves. */
#ifndef TANDEM_BUDGET_H
#define TANDEM_BUDGET_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define BUDGET_ID_MAX 128      /* Bytes of [A-Za-z0-9._:-]. */
#define BUDGET_CONTEXT_MAX 200 /* Bytes. */
#define BUDGET_TASK_MAX 100
#define BUDGET_SUMMARY_MAX 8192
#define BUDGET_SESSIONS_MAX 500      /* Of all tenants; who has most makes room for others. */
#define BUDGET_AGENTS_MAX 20         /* The newest of a session. */
#define BUDGET_NOTES_MAX 10          /* The newest of a tenant. */
#define BUDGET_ARCHIVE_MAX 200       /* The newest of all tenants. */
#define BUDGET_TOKENS_MAX 1000000000 /* Of one report. */

/* Percent of the budget at which it is told. */
#define BUDGET_THRESHOLDS(ROW) \
    ROW(caution, 70)           \
    ROW(warning, 85)           \
    ROW(auto_pause, 90)        \
    ROW(critical, 95)

struct budget;
struct bus;
struct config;
struct keeper;

struct budget_options {
    const struct clock *clock; /* All borrowed; must outlive it. */
    struct config *config;
    struct bus *bus;            /* Null: nobody is told. */
    struct dir *dir;            /* Where the file is; null: it is not kept. */
    const char *default_tenant; /* Whose the id of the start is; copied. */
    char *const *environment;   /* As environ(7); read at once; may be null. */
};

/* Reads the file; one that is damaged is put aside and logged.  Errors are those of reading. */
enum err budget_create(const struct budget_options *options, struct budget **budget,
                       struct fault *f);
/* Saves.  Null is ignored. */
void budget_destroy(struct budget *b);
/* Has 'keeper', who must outlive it, save in time.  At most once. */
void budget_keep(struct budget *b, struct keeper *keeper);
/* Saves what has changed since the last time.  Errors are those of writing. */
enum err budget_save(struct budget *b, struct fault *f);

/* Below, 'tenant' is whose sessions are meant, 'id' a session of it, null for the current one.
 * E_NOT_FOUND: there is none of that id.  What is stored in '*told' is new, for the caller. */

/* {id, current, context, created_at, last_used, use_count, agents_run, metrics}. */
enum err budget_get(struct budget *b, const char *tenant, const char *id, json_t **told,
                    struct fault *f);
/* {session_id, total_budget, used_tokens, input_tokens, output_tokens, remaining_tokens,
 * percentage_used, stop_reason, model, status, thresholds_crossed}. */
enum err budget_metrics(struct budget *b, const char *tenant, const char *id, json_t **told,
                        struct fault *f);

struct budget_use {
    const char *tenant, *id;
    int64_t input, output;           /* 0 to BUDGET_TOKENS_MAX; else E_ARGUMENT. */
    const char *stop_reason, *model; /* Null: as before. */
};
/* Counts, and tells the metrics right after that. */
enum err budget_count(struct budget *b, const struct budget_use *use, json_t **told,
                      struct fault *f);
/* Gives the current session another id.  E_CONFLICT: there is one of it.  Saves. */
enum err budget_rename(struct budget *b, const char *tenant, const char *id, json_t **told,
                       struct fault *f);
/* The session of 'context' that was used last, if that is no longer ago than 'max_age_ns' and
 * 'reuse' is wanted; else a new one, which is saved.  As budget_get(), with "reused".  E_LIMIT. */
enum err budget_open(struct budget *b, const char *tenant, const char *context, bool reuse,
                     int64_t max_age_ns, json_t **told, struct fault *f);
/* {sessions, total}: the newest 'limit' of them, those last used first; with 'context' not null
 * only those of it. */
json_t *budget_list(struct budget *b, const char *tenant, const char *context, unsigned limit);
/* Notes that 'agent' took up 'task'. */
enum err budget_record(struct budget *b, const char *tenant, const char *id, const char *agent,
                       const char *task, json_t **told, struct fault *f);
/* Ends a session: '*told' is its resume note.  Saves. */
enum err budget_end(struct budget *b, const char *tenant, const char *id, const char *summary,
                    json_t **told, struct fault *f);
/* The resume note of a session that has ended. */
enum err budget_note(struct budget *b, const char *tenant, const char *id, json_t **told,
                     struct fault *f);
/* An array of {session_id, ended_at}: the tenant's notes, newest first.  New. */
json_t *budget_notes(struct budget *b, const char *tenant);

struct budget_counters {
    unsigned sessions, archived, notes;
    uint64_t started, ended, expired;
    uint64_t tokens; /* Counted since the start. */
    uint64_t saves, save_failures;
};
/* What is counted, as it is now. */
struct budget_counters budget_counters(struct budget *b);

#endif
