/* budget.c -- the operations on tandem sessions.
 *
 * Each is one critical section: who finds or makes a session, counts and crosses a threshold does
 * so in it.  What is to be told, to the bus or to the disk, is collected there and told after. */
#include "state/budget_private.h"

#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/bus.h"
#include "state/config.h"

#include <assert.h>

/* ---- What is told ---- */

void
budget_add_news(struct budget_news *news, const char *topic, const struct budget_session *s,
                json_t *data)
{
    assert(news->count < BUDGET_NEWS_MAX);
    news->all[news->count].topic = topic;
    news->all[news->count].data = data;
    budget_copy(news->all[news->count].tenant, s->tenant);
    budget_copy(news->all[news->count].id, s->id);
    news->count++;
}

static void
tell(struct budget *b, struct budget_news *news)
{
    for (unsigned i = 0; i < news->count; i++) {
        bus_publish(b->options.bus, &(struct bus_draft){.topic = news->all[i].topic,
                                                        .tenant = news->all[i].tenant,
                                                        .session_id = news->all[i].id,
                                                        .source = "session",
                                                        .data = news->all[i].data});
    }
    news->count = 0;
}

static int64_t
budget_in_force(struct budget *b)
{
    struct settings *s = config_settings(b->options.config);
    int64_t total = s->session_budget;

    settings_unref(s);
    return total;
}

/* ---- Finding ---- */

static void
tell_started(struct budget_news *news, const struct budget_session *s)
{
    json_t *data = json_must(json_object());

    json_put(data, "context", json_text(*s->context ? s->context : NULL));
    json_put_bool(data, "current", s->current);
    json_put_int(data, "total_budget", s->total);
    budget_add_news(news, "session.started", s, data);
}

static enum err
no_room(struct fault *f)
{
    fault_set(f, E_LIMIT, "there are %u sessions already", BUDGET_SESSIONS_MAX);
    return fault_remedy(f, "end some with end_session; others expire a day after they began");
}

/* The session that is meant; the current one is made if it is not there. */
static enum err
find(struct budget *b, const char *tenant, const char *id, int64_t now_ns,
     struct budget_session **session, struct budget_news *news, struct fault *f) REQUIRES(LC_BUDGET)
{
    struct budget_session *s;

    budget_expire(b, now_ns);
    *session = s = budget_find(b, tenant, id);
    if (s) {
        return E_OK;
    }
    if (id) {
        fault_set(f, E_NOT_FOUND, "there is no session \"%.80s\"", id);
        return fault_remedy(f, "list_sessions names those there are; create_session opens one");
    }
    if (b->first_id && !b->first_used && strcmp(tenant, b->first_tenant) == 0 &&
        !budget_find(b, tenant, b->first_id)) {
        s = budget_add(b, tenant, b->first_id, now_ns);
        b->first_used = true; /* Once it has ended, the next one is another. */
    }
    s = s ? s : budget_add(b, tenant, NULL, now_ns);
    if (!s) {
        return no_room(f);
    }
    s->current = true;
    *session = s;
    tell_started(news, s);
    return E_OK;
}

enum err
budget_run(struct budget *b, const char *tenant, const char *id, budget_act_fn *act,
           struct budget_call *call, json_t **told, struct fault *f)
{
    int64_t total = budget_in_force(b);
    struct budget_session *s;
    enum err err;

    call->now_ns = clock_wall(b->options.clock);
    LOCK(BUDGET, &b->lock);
    err = find(b, tenant, id, call->now_ns, &s, &call->news, f);
    if (!err) {
        s->total = total;
        err = act(b, s, call, f);
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &call->news);
    budget_stir(b);
    *told = call->told;
    return err;
}

static enum err
show(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    (void)b, (void)f;
    call->told = budget_session_json(s);
    return E_OK;
}

enum err
budget_get(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    struct budget_call call = {.arg = NULL};

    return budget_run(b, tenant, id, show, &call, told, f);
}

static enum err
show_metrics(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    (void)b, (void)f;
    call->told = budget_metrics_json(s);
    return E_OK;
}

enum err
budget_metrics(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    struct budget_call call = {.arg = NULL};

    return budget_run(b, tenant, id, show_metrics, &call, told, f);
}

/* ---- Counting ---- */

/* Those that this addition has crossed, and no other before. */
static void
cross(struct budget_session *s, struct budget_news *news)
{
    const char *name;
    unsigned percent;

    for (unsigned i = 0; (percent = budget_threshold(i, &name)) != 0; i++) {
        if (!(s->crossed & 1u << i) &&
            (double)(s->input + s->output) * 100 >= (double)s->total * percent) {
            json_t *data = budget_metrics_json(s);

            s->crossed |= 1u << i;
            json_put_text(data, "threshold", name);
            json_put_int(data, "percent", percent);
            budget_add_news(news, "session.threshold", s, data);
        }
    }
}

/* Cuts at a whole character. */
static void
copy_text(char *out, size_t size, const char *text)
{
    size_t len = rune_cut(slice_of(text), size - 1);

    memcpy(out, text, len);
    out[len] = '\0';
}

static enum err
count(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    const struct budget_use *use = call->arg;

    (void)f;
    s->input += use->input;
    s->output += use->output;
    s->used_ns = call->now_ns;
    if (use->stop_reason) {
        copy_text(s->stop_reason, sizeof s->stop_reason, use->stop_reason);
    }
    if (use->model) {
        copy_text(s->model, sizeof s->model, use->model);
    }
    b->counters.tokens += (uint64_t)(use->input + use->output);
    b->changes++;
    budget_add_news(&call->news, "session.tokens", s, budget_metrics_json(s));
    cross(s, &call->news);
    call->told = budget_metrics_json(s);
    return E_OK;
}

enum err
budget_count(struct budget *b, const struct budget_use *use, json_t **told, struct fault *f)
{
    struct budget_call call = {.arg = use};

    *told = NULL;
    if (use->input < 0 || use->output < 0 || use->input > BUDGET_TOKENS_MAX ||
        use->output > BUDGET_TOKENS_MAX) {
        return fault_set(f, E_ARGUMENT, "tokens are counted from 0 to %d at a time",
                         BUDGET_TOKENS_MAX);
    }
    return budget_run(b, use->tenant, use->id, count, &call, told, f);
}

/* ---- Names, contexts, agents ---- */

static enum err
rename_to(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    const char *id = call->arg;
    const struct budget_session *other = budget_find(b, s->tenant, id);

    if (other && other != s) {
        return fault_set(f, E_CONFLICT, "another session has the id \"%.80s\"", id);
    }
    budget_copy(s->id, id);
    b->changes++;
    call->told = budget_session_json(s);
    return E_OK;
}

enum err
budget_rename(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    struct budget_call call = {.arg = id};
    enum err err;

    *told = NULL;
    if (!budget_id_good(id)) {
        return fault_set(f, E_ARGUMENT, "an id is 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-'",
                         BUDGET_ID_MAX);
    }
    err = budget_run(b, tenant, NULL, rename_to, &call, told, f);
    return err ? err : budget_save(b, f);
}

/* The one of 'context' that was used last, and not before 'since_ns'. */
static struct budget_session *
recent(struct budget *b, const char *tenant, const char *context, int64_t since_ns)
    REQUIRES(LC_BUDGET)
{
    struct budget_session *s, *best = NULL;

    DL_FOREACH(b->sessions, s) {
        if (strcmp(s->tenant, tenant) == 0 && strcmp(s->context, context) == 0 &&
            s->used_ns >= since_ns && (!best || s->used_ns > best->used_ns)) {
            best = s;
        }
    }
    return best;
}

enum err
budget_open(struct budget *b, const char *tenant, const char *context, bool reuse,
            int64_t max_age_ns, json_t **told, struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b), now = clock_wall(b->options.clock);
    struct budget_session *s = NULL;
    bool reused;

    *told = NULL;
    if (!*context || strlen(context) > BUDGET_CONTEXT_MAX) {
        return fault_set(f, E_ARGUMENT, "a context is 1 to %d bytes", BUDGET_CONTEXT_MAX);
    }
    LOCK(BUDGET, &b->lock);
    budget_expire(b, now);
    s = reuse ? recent(b, tenant, context, now - max_age_ns) : NULL;
    reused = s != NULL;
    if (!s) {
        s = budget_add(b, tenant, NULL, now);
        if (s) {
            budget_copy(s->context, context);
            s->total = total;
            tell_started(&news, s);
        }
    }
    if (s) {
        s->total = total;
        s->used_ns = now;
        s->uses++;
        b->changes++;
        *told = budget_session_json(s);
        json_put_bool(*told, "reused", reused);
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
    budget_stir(b);
    if (!*told) {
        return no_room(f);
    }
    return reused ? E_OK : budget_save(b, f);
}

static int
by_use(const void *a, const void *b)
{
    const struct budget_session *x = *(struct budget_session *const *)a;
    const struct budget_session *y = *(struct budget_session *const *)b;

    return x->used_ns < y->used_ns ? 1 : x->used_ns > y->used_ns ? -1 : strcmp(x->id, y->id);
}

json_t *
budget_list(struct budget *b, const char *tenant, const char *context, unsigned limit)
{
    json_t *told = json_must(json_object()), *list = json_must(json_array());
    struct budget_session *found[BUDGET_SESSIONS_MAX] = {NULL}, *s;
    size_t count = 0;

    LOCK(BUDGET, &b->lock);
    budget_expire(b, clock_wall(b->options.clock));
    DL_FOREACH(b->sessions, s) {
        if (strcmp(s->tenant, tenant) == 0 && (!context || strcmp(s->context, context) == 0)) {
            found[count++] = s;
        }
    }
    qsort(found, count, sizeof found[0], by_use);
    for (size_t i = 0; i < count && i < limit; i++) {
        json_add(list, budget_session_json(found[i]));
    }
    UNLOCK(BUDGET, &b->lock);
    json_put(told, "sessions", list);
    json_put_int(told, "total", (int64_t)count);
    return told;
}

/* What budget_record() notes. */
struct taken_up {
    const char *agent, *task;
};

static enum err
note_agent(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    const struct taken_up *what = call->arg;
    struct budget_agent *a;

    (void)f;
    if (s->agent_count == BUDGET_AGENTS_MAX) {
        memmove(s->agents, s->agents + 1, (BUDGET_AGENTS_MAX - 1) * sizeof s->agents[0]);
        s->agent_count--;
    }
    a = &s->agents[s->agent_count++];
    copy_text(a->agent, sizeof a->agent, what->agent);
    copy_text(a->task, sizeof a->task, what->task);
    a->at_ns = s->used_ns = call->now_ns;
    s->uses++;
    b->changes++;
    call->told = budget_session_json(s);
    return E_OK;
}

enum err
budget_record(struct budget *b, const char *tenant, const char *id, const char *agent,
              const char *task, json_t **told, struct fault *f)
{
    struct budget_call call = {.arg = &(struct taken_up){agent, task}};

    return budget_run(b, tenant, id, note_agent, &call, told, f);
}
