/* budget_private.h -- what the files of the tandem sessions share.
 *
 *   budget.c        the operations           budget_table.c  the sessions themselves, as JSON
 *   budget_note.c   the end of one           budget_file.c   the file, and when it is written
 *   budget_life.c   from first to last */
#ifndef TANDEM_BUDGET_PRIVATE_H
#define TANDEM_BUDGET_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/budget.h"
#include "state/tenant_id.h"

struct keeper_job;

struct budget_agent {
    char agent[BUDGET_TASK_MAX + 1], task[BUDGET_TASK_MAX + 1];
    int64_t at_ns;
};

struct budget_session {
    char id[BUDGET_ID_MAX + 1];
    char tenant[TENANT_ID_SIZE];
    char context[BUDGET_CONTEXT_MAX + 1];
    bool current;
    int64_t created_ns, used_ns; /* Wall time. */
    uint64_t uses;
    struct budget_agent agents[BUDGET_AGENTS_MAX];
    unsigned agent_count;
    int64_t total, input, output; /* Tokens. */
    char stop_reason[65], model[65];
    unsigned crossed; /* Bits of BUDGET_THRESHOLDS. */
    struct budget_session *next, *prev;
};

/* What is to be said once no lock is held. */
#define BUDGET_NEWS_MAX 8
struct budget_news {
    struct {
        const char *topic;
        json_t *data; /* Owned. */
        char tenant[TENANT_ID_SIZE], id[BUDGET_ID_MAX + 1];
    } all[BUDGET_NEWS_MAX];
    unsigned count;
};

struct budget {
    struct budget_options options; /* Set once, without what is not to be kept. */
    char *first_tenant, *first_id; /* Owned: whose current session begins with which id; or null. */
    struct keeper_job *job;
    struct lock save_lock;
    int64_t saved_ns GUARDED_BY(LC_BUDGET_SAVE); /* Wall time. */
    struct lock lock;
    bool first_used GUARDED_BY(LC_BUDGET); /* There has been a session of that id. */
    struct budget_session *sessions GUARDED_BY(LC_BUDGET); /* Newest first. */
    unsigned count GUARDED_BY(LC_BUDGET);
    json_t *archive GUARDED_BY(LC_BUDGET), *notes GUARDED_BY(LC_BUDGET); /* Oldest first. */
    uint64_t changes GUARDED_BY(LC_BUDGET), saved GUARDED_BY(LC_BUDGET);
    struct budget_counters counters GUARDED_BY(LC_BUDGET);
};

/* Copies what is known to fit. */
static inline void
budget_copy(char *out, const char *text)
{
    memcpy(out, text, strlen(text) + 1);
}

/* budget.c */

/* One operation on its way. */
struct budget_call {
    const void *arg; /* What the operation was asked. */
    int64_t now_ns;  /* Wall time. */
    struct budget_news news;
    json_t *told; /* New: what it answers. */
};
/* What an operation does with its session; fills in what is told. */
typedef enum err budget_act_fn(struct budget *b, struct budget_session *s, struct budget_call *call,
                               struct fault *f);
/* Finds the session, making the current one if need be, has 'act' called with it under the lock,
 * and tells the news. */
enum err budget_run(struct budget *b, const char *tenant, const char *id, budget_act_fn *act,
                    struct budget_call *call, json_t **told, struct fault *f) EXCLUDES(LC_BUDGET);
/* Steals 'data'. */
void budget_add_news(struct budget_news *news, const char *topic, const struct budget_session *s,
                     json_t *data);

/* budget_table.c */

bool budget_id_good(const char *id);
struct budget_session *budget_find(struct budget *b, const char *tenant, const char *id)
    REQUIRES(LC_BUDGET);
/* A new one with 'id', or a random one for null; null if the table is full, and nobody is to make
 * room for it. */
struct budget_session *budget_add(struct budget *b, const char *tenant, const char *id,
                                  int64_t now_ns) REQUIRES(LC_BUDGET);
void budget_remove(struct budget *b, struct budget_session *s) REQUIRES(LC_BUDGET);
/* Puts it into the archive, and takes it out of the table. */
void budget_archive(struct budget *b, struct budget_session *s, const char *why, int64_t now_ns)
    REQUIRES(LC_BUDGET);
/* Those that are past their day. */
void budget_expire(struct budget *b, int64_t now_ns) REQUIRES(LC_BUDGET);
/* New. */
json_t *budget_session_json(const struct budget_session *s);
json_t *budget_metrics_json(const struct budget_session *s);
/* False if it is none; '*s' is then not to be used. */
bool budget_session_read(const json_t *json, struct budget_session *s);
void budget_put_time(json_t *object, const char *key, int64_t wall_ns);
/* Percent that row 'i' of BUDGET_THRESHOLDS is at; 0 past the last. */
unsigned budget_threshold(unsigned i, const char **name);

/* budget_file.c */

enum err budget_load(struct budget *b, struct fault *f);
/* Something has changed that is to be saved in time. */
void budget_stir(struct budget *b);

#endif
