/* budget.c -- the operations on tandem sessions.
 *
 * Each is one critical section: who finds or makes a session, counts and crosses a threshold does
 * so in it.  What is to be told, to the bus or to the disk, is collected there and told after. */
#include "state/budget_private.h"

#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/base/rune.h"
#include "state/bus.h"
#include "state/config.h"

#include <assert.h>

LOG_MODULE("session");

/* ---- What is told ---- */

/* Steals 'data'. */
static void
add_news(struct budget_news *news, const char *topic, const struct budget_session *s, json_t *data)
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
    add_news(news, "session.started", s, data);
}

/* The session that is meant; the current one is made if it is not there. */
static struct budget_session *
meant(struct budget *b, const char *tenant, const char *id, int64_t total, struct budget_news *news,
      struct fault *f) REQUIRES(LC_BUDGET)
{
    int64_t now = clock_wall(b->options.clock);
    struct budget_session *s;

    budget_expire(b, now);
    s = budget_find(b, tenant, id);
    if (s) {
        s->total = total;
        return s;
    }
    if (id) {
        fault_set(f, E_NOT_FOUND, "there is no session \"%.80s\"", id);
        fault_remedy(f, "list_sessions names those there are; create_session opens one");
        return NULL;
    }
    if (b->first_id && !b->first_used && strcmp(tenant, b->first_tenant) == 0 &&
        !budget_find(b, tenant, b->first_id)) {
        s = budget_add(b, tenant, b->first_id, now);
        b->first_used = true; /* Once it has ended, the next one is another. */
    }
    s = s ? s : budget_add(b, tenant, NULL, now);
    if (!s) {
        fault_set(f, E_LIMIT, "there are %u sessions already", BUDGET_SESSIONS_MAX);
        fault_remedy(f, "end some with end_session; others expire a day after they began");
        return NULL;
    }
    s->current = true;
    s->total = total;
    tell_started(news, s);
    return s;
}

typedef json_t *budget_view_fn(const struct budget_session *s);

static enum err
view(struct budget *b, const char *tenant, const char *id, budget_view_fn *show, json_t **told,
     struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b);
    const struct budget_session *s;

    LOCK(BUDGET, &b->lock);
    s = meant(b, tenant, id, total, &news, f);
    *told = s ? show(s) : NULL;
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
    budget_stir(b);
    return *told ? E_OK : f ? f->code : E_NOT_FOUND;
}

enum err
budget_get(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    return view(b, tenant, id, budget_session_json, told, f);
}

enum err
budget_metrics(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    return view(b, tenant, id, budget_metrics_json, told, f);
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
            add_news(news, "session.threshold", s, data);
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

enum err
budget_count(struct budget *b, const struct budget_use *use, json_t **told, struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b);
    struct budget_session *s;

    *told = NULL;
    if (use->input < 0 || use->output < 0 || use->input > BUDGET_TOKENS_MAX ||
        use->output > BUDGET_TOKENS_MAX) {
        return fault_set(f, E_ARGUMENT, "tokens are counted from 0 to %d at a time",
                         BUDGET_TOKENS_MAX);
    }
    LOCK(BUDGET, &b->lock);
    s = meant(b, use->tenant, use->id, total, &news, f);
    if (s) {
        s->input += use->input;
        s->output += use->output;
        s->used_ns = clock_wall(b->options.clock);
        if (use->stop_reason) {
            copy_text(s->stop_reason, sizeof s->stop_reason, use->stop_reason);
        }
        if (use->model) {
            copy_text(s->model, sizeof s->model, use->model);
        }
        b->counters.tokens += (uint64_t)(use->input + use->output);
        b->changes++;
        add_news(&news, "session.tokens", s, budget_metrics_json(s));
        cross(s, &news);
        *told = budget_metrics_json(s);
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
    budget_stir(b);
    return *told ? E_OK : f ? f->code : E_NOT_FOUND;
}

/* ---- Names, contexts, agents ---- */

enum err
budget_rename(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b);
    struct budget_session *s, *other;
    enum err err = E_OK;

    *told = NULL;
    if (!budget_id_good(id)) {
        return fault_set(f, E_ARGUMENT, "an id is 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-'",
                         BUDGET_ID_MAX);
    }
    LOCK(BUDGET, &b->lock);
    s = meant(b, tenant, NULL, total, &news, f);
    other = budget_find(b, tenant, id);
    if (!s) {
        err = E_LIMIT;
    } else if (other && other != s) {
        err = fault_set(f, E_CONFLICT, "another session has the id \"%.80s\"", id);
    } else {
        budget_copy(s->id, id);
        b->changes++;
        *told = budget_session_json(s);
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
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
        fault_set(f, E_LIMIT, "there are %u sessions already", BUDGET_SESSIONS_MAX);
        return fault_remedy(f, "end some with end_session; others expire a day after they began");
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
    struct budget_session *found[BUDGET_SESSIONS_MAX], *s;
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

enum err
budget_record(struct budget *b, const char *tenant, const char *id, const char *agent,
              const char *task, json_t **told, struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b), now = clock_wall(b->options.clock);
    struct budget_session *s;

    LOCK(BUDGET, &b->lock);
    s = meant(b, tenant, id, total, &news, f);
    *told = NULL;
    if (s) {
        struct budget_agent *a;

        if (s->agent_count == BUDGET_AGENTS_MAX) {
            memmove(s->agents, s->agents + 1, (BUDGET_AGENTS_MAX - 1) * sizeof s->agents[0]);
            s->agent_count--;
        }
        a = &s->agents[s->agent_count++];
        copy_text(a->agent, sizeof a->agent, agent);
        copy_text(a->task, sizeof a->task, task);
        a->at_ns = now;
        s->used_ns = now;
        s->uses++;
        b->changes++;
        *told = budget_session_json(s);
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
    budget_stir(b);
    return *told ? E_OK : f ? f->code : E_NOT_FOUND;
}

/* ---- The end of one ---- */

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Keeps 'note' (stolen), and of its tenant the newest. */
static void
keep_note(struct budget *b, const char *tenant, json_t *note) REQUIRES(LC_BUDGET)
{
    size_t mine = 0;

    json_add(b->notes, note);
    for (size_t i = json_array_size(b->notes); i-- > 0;) {
        if (strcmp(text_of(json_array_get(b->notes, i), "tenant"), tenant) == 0 &&
            ++mine > BUDGET_NOTES_MAX) {
            json_array_remove(b->notes, i);
        }
    }
}

static json_t *
make_note(const struct budget_session *s, const char *summary, int64_t now_ns)
{
    json_t *note = budget_session_json(s);

    json_object_del(note, "current");
    json_object_del(note, "last_used");
    json_object_del(note, "id");
    json_put_text(note, "session_id", s->id);
    json_put_text(note, "summary", summary);
    budget_put_time(note, "ended_at", now_ns);
    return note;
}

enum err
budget_end(struct budget *b, const char *tenant, const char *id, const char *summary, json_t **told,
           struct fault *f)
{
    struct budget_news news = {.count = 0};
    int64_t total = budget_in_force(b), now = clock_wall(b->options.clock);
    struct budget_session *s;

    *told = NULL;
    if (strlen(summary) > BUDGET_SUMMARY_MAX) {
        return fault_set(f, E_TOO_LARGE, "a summary is at most %d bytes", BUDGET_SUMMARY_MAX);
    }
    LOCK(BUDGET, &b->lock);
    s = meant(b, tenant, id, total, &news, f);
    if (s) {
        json_t *note = make_note(s, summary, now);

        *told = json_clone(note);
        keep_note(b, tenant, note);
        add_news(&news, "session.ended", s, budget_metrics_json(s));
        budget_archive(b, s, "ended", now);
        b->counters.ended++;
    }
    UNLOCK(BUDGET, &b->lock);
    tell(b, &news);
    return *told ? budget_save(b, f) : f ? f->code : E_NOT_FOUND;
}

enum err
budget_note(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    *told = NULL;
    LOCK(BUDGET, &b->lock);
    for (size_t i = json_array_size(b->notes); i-- > 0 && !*told;) {
        const json_t *note = json_array_get(b->notes, i);

        if (strcmp(text_of(note, "tenant"), tenant) == 0 &&
            strcmp(text_of(note, "session_id"), id) == 0) {
            *told = json_clone(note);
        }
    }
    UNLOCK(BUDGET, &b->lock);
    return *told ? E_OK
                 : fault_set(f, E_NOT_FOUND, "there is no resume note of session \"%.80s\"", id);
}

json_t *
budget_notes(struct budget *b, const char *tenant)
{
    json_t *list = json_must(json_array());

    LOCK(BUDGET, &b->lock);
    for (size_t i = json_array_size(b->notes); i-- > 0;) {
        const json_t *note = json_array_get(b->notes, i);

        if (strcmp(text_of(note, "tenant"), tenant) == 0) {
            json_t *told = json_must(json_object());

            json_put_text(told, "session_id", text_of(note, "session_id"));
            json_put_text(told, "ended_at", text_of(note, "ended_at"));
            json_add(list, told);
        }
    }
    UNLOCK(BUDGET, &b->lock);
    return list;
}

struct budget_counters
budget_counters(struct budget *b)
{
    struct budget_counters c;

    LOCK(BUDGET, &b->lock);
    c = b->counters;
    c.sessions = b->count;
    c.archived = (unsigned)json_array_size(b->archive);
    c.notes = (unsigned)json_array_size(b->notes);
    UNLOCK(BUDGET, &b->lock);
    return c;
}

/* ---- Life ---- */

/* The id that the environment of the agent's host gives, or null. */
static const char *
id_of_host(char *const *environment)
{
    static const char *const names[] = {
        "CLAUDE_SESSION_ID=", "ANTHROPIC_SESSION_ID=", "SESSION_ID="};

    for (size_t i = 0; environment && i < sizeof names / sizeof names[0]; i++) {
        for (char *const *v = environment; *v; v++) {
            size_t len = strlen(names[i]);

            if (strncmp(*v, names[i], len) == 0 && budget_id_good(*v + len)) {
                return *v + len;
            }
        }
    }
    return NULL;
}

UNSHARED enum err
budget_create(const struct budget_options *options, struct budget **budget, struct fault *f)
{
    struct budget *b = xcalloc(1, sizeof *b);
    struct settings *settings = config_settings(options->config);
    const char *id =
        settings->session_id[0] ? settings->session_id : id_of_host(options->environment);
    enum err err = E_OK;

    lock_init(&b->save_lock, RANK_BUDGET_SAVE);
    lock_init(&b->lock, RANK_BUDGET);
    b->options = *options;
    b->options.dir = options->dir ? dir_ref(options->dir) : NULL;
    b->options.environment = NULL;
    b->options.default_tenant = b->first_tenant =
        xstrdup(options->default_tenant ? options->default_tenant : "default");
    b->first_id = id ? xstrdup(id) : NULL;
    b->archive = json_must(json_array());
    b->notes = json_must(json_array());
    b->saved_ns = clock_wall(options->clock);
    if (b->options.dir) {
        err = budget_load(b, f);
    }
    settings_unref(settings);
    if (err) {
        budget_destroy(b);
        b = NULL;
    }
    *budget = b;
    return err;
}

UNSHARED void
budget_destroy(struct budget *b)
{
    struct budget_session *s, *next;
    struct fault f = FAULT_INIT;

    if (!b) {
        return;
    }
    keeper_drop(b->job);
    if (budget_save(b, &f)) {
        log_error("sessions could not be saved", F_STR("why", f.text));
    }
    DL_FOREACH_SAFE(b->sessions, s, next)
    {
        free(s);
    }
    json_decref(b->archive);
    json_decref(b->notes);
    lock_fini(&b->lock);
    lock_fini(&b->save_lock);
    dir_unref(b->options.dir);
    free(b->first_tenant);
    free(b->first_id);
    free(b);
}
