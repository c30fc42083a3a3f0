/* budget_table.c -- the tandem sessions themselves: found, made, put away; as JSON and back. */
#include "state/budget_private.h"

#include "state/base/json_put.h"
#include "state/base/random.h"

#define DAY INT64_C(86400000000000)

static const struct {
    const char *name;
    unsigned percent;
} thresholds[] = {
#define ROW(NAME, PERCENT) {#NAME, PERCENT},
    BUDGET_THRESHOLDS(ROW)
#undef ROW
};
#define THRESHOLD_COUNT (sizeof thresholds / sizeof thresholds[0])

unsigned
budget_threshold(unsigned i, const char **name)
{
    if (i >= THRESHOLD_COUNT) {
        return 0;
    }
    *name = thresholds[i].name;
    return thresholds[i].percent;
}

bool
budget_id_good(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    return len > 0 && len <= BUDGET_ID_MAX && !id[len];
}

struct budget_session *
budget_find(struct budget *b, const char *tenant, const char *id)
{
    struct budget_session *s;

    DL_FOREACH(b->sessions, s) {
        if (strcmp(s->tenant, tenant) == 0 && (id ? strcmp(s->id, id) == 0 : s->current)) {
            return s;
        }
    }
    return NULL;
}

/* How many a tenant has that are not current, and the one of them that was used least recently. */
struct part {
    const char *tenant;
    unsigned count;
    struct budget_session *oldest;
};

/* The part of the tenant that has most; 'mine' is that of 'tenant'. */
static struct part
greatest_part(struct budget *b, const char *tenant, struct part *mine) REQUIRES(LC_BUDGET)
{
    struct part *parts = xcalloc(b->count + 1, sizeof *parts), most = {.count = 0};
    struct budget_session *s;
    unsigned known = 0;

    *mine = most;
    DL_FOREACH(b->sessions, s) {
        unsigned i = 0;

        while (i < known && strcmp(parts[i].tenant, s->tenant) != 0) {
            i++;
        }
        known += i == known;
        parts[i].tenant = s->tenant;
        if (!s->current) {
            bool older = !parts[i].oldest || s->used_ns < parts[i].oldest->used_ns;
            parts[i].oldest = older ? s : parts[i].oldest;
            parts[i].count++;
        }
        *mine = strcmp(s->tenant, tenant) == 0 ? parts[i] : *mine;
        most = parts[i].count > most.count ? parts[i] : most;
    }
    free(parts);
    return most;
}

/* Sees to it that there is room for one of 'tenant': who has more than it would then have makes it.
 */
static bool
make_room(struct budget *b, const char *tenant, int64_t now_ns) REQUIRES(LC_BUDGET)
{
    struct part mine, most;

    if (b->count < BUDGET_SESSIONS_MAX) {
        return true;
    }
    most = greatest_part(b, tenant, &mine);
    if (most.count <= mine.count) {
        return false;
    }
    budget_archive(b, most.oldest, "crowded out", now_ns);
    return true;
}

struct budget_session *
budget_add(struct budget *b, const char *tenant, const char *id, int64_t now_ns)
{
    struct budget_session *s;
    char random[33];

    if ((!id && !random_hex(random, sizeof random)) || !make_room(b, tenant, now_ns)) {
        return NULL;
    }
    s = xcalloc(1, sizeof *s);
    budget_copy(s->id, id ? id : random);
    budget_copy(s->tenant, tenant);
    s->created_ns = s->used_ns = now_ns;
    DL_PREPEND(b->sessions, s);
    b->count++;
    b->counters.started++;
    b->changes++;
    return s;
}

void
budget_remove(struct budget *b, struct budget_session *s)
{
    DL_DELETE(b->sessions, s);
    b->count--;
    b->changes++;
    free(s);
}

void
budget_archive(struct budget *b, struct budget_session *s, const char *why, int64_t now_ns)
{
    json_t *kept = budget_session_json(s);

    json_put_text(kept, "ended", why);
    budget_put_time(kept, "ended_at", now_ns);
    json_add(b->archive, kept);
    while (json_array_size(b->archive) > BUDGET_ARCHIVE_MAX) {
        json_array_remove(b->archive, 0);
    }
    budget_remove(b, s);
}

void
budget_expire(struct budget *b, int64_t now_ns)
{
    struct budget_session *s, *next;

    DL_FOREACH_SAFE(b->sessions, s, next)
    {
        if (!s->current && now_ns - s->created_ns >= DAY) {
            budget_archive(b, s, "expired", now_ns);
            b->counters.expired++;
        }
    }
}

/* ---- As JSON ---- */

void
budget_put_time(json_t *object, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_ns, text);
    json_put_text(object, key, text);
}

static json_t *
text_or_null(const char *text)
{
    return json_text(*text ? text : NULL);
}

json_t *
budget_metrics_json(const struct budget_session *s)
{
    json_t *told = json_must(json_object()), *crossed = json_must(json_array());
    int64_t used = s->input + s->output;
    const char *status = "ok", *name;

    for (unsigned i = 0; budget_threshold(i, &name); i++) {
        if (s->crossed & 1u << i) {
            json_add(crossed, json_text(name));
        }
        if ((double)used * 100 >= (double)s->total * budget_threshold(i, &name)) {
            status = name;
        }
    }
    json_put_text(told, "session_id", s->id);
    json_put_int(told, "total_budget", s->total);
    json_put_int(told, "used_tokens", used);
    json_put_int(told, "input_tokens", s->input);
    json_put_int(told, "output_tokens", s->output);
    json_put_int(told, "remaining_tokens", used < s->total ? s->total - used : 0);
    json_put(told, "percentage_used",
             json_must(json_real(s->total ? (double)used * 100 / (double)s->total : 0)));
    json_put_text(told, "status", status);
    json_put(told, "thresholds_crossed", crossed);
    json_put(told, "stop_reason", text_or_null(s->stop_reason));
    json_put(told, "model", text_or_null(s->model));
    return told;
}

json_t *
budget_session_json(const struct budget_session *s)
{
    json_t *told = json_must(json_object()), *agents = json_must(json_array());

    for (unsigned i = 0; i < s->agent_count; i++) {
        json_t *agent = json_must(json_object());

        json_put_text(agent, "agent", s->agents[i].agent);
        json_put_text(agent, "task", s->agents[i].task);
        budget_put_time(agent, "timestamp", s->agents[i].at_ns);
        json_add(agents, agent);
    }
    json_put_text(told, "id", s->id);
    json_put_text(told, "tenant", s->tenant);
    json_put_bool(told, "current", s->current);
    json_put(told, "context", text_or_null(s->context));
    budget_put_time(told, "created_at", s->created_ns);
    budget_put_time(told, "last_used", s->used_ns);
    json_put_int(told, "use_count", (int64_t)s->uses);
    json_put(told, "agents_run", agents);
    json_put(told, "metrics", budget_metrics_json(s));
    return told;
}

/* Copies a member that must be a text which fits, or with 'optional' not there. */
static bool
read_text(const json_t *object, const char *key, bool optional, char *out, size_t size)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);

    *out = '\0';
    if (!text || json_string_length(value) >= size || strlen(text) != json_string_length(value)) {
        return !text && optional;
    }
    budget_copy(out, text);
    return true;
}

static bool
read_time(const json_t *object, const char *key, int64_t *wall_ns)
{
    const char *text = json_string_value(json_object_get(object, key));

    *wall_ns = text ? clock_parse(text) : -1;
    return *wall_ns >= 0;
}

static bool
read_count(const json_t *object, const char *key, int64_t *count)
{
    const json_t *value = json_object_get(object, key);

    *count = json_integer_value(value);
    return json_is_integer(value) && *count >= 0 && *count < INT64_MAX / 4;
}

static bool
read_agents(const json_t *list, struct budget_session *s)
{
    const json_t *agent;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > BUDGET_AGENTS_MAX) {
        return false;
    }
    json_array_foreach(list, i, agent) {
        struct budget_agent *a = &s->agents[s->agent_count++];

        if (!read_text(agent, "agent", false, a->agent, sizeof a->agent) ||
            !read_text(agent, "task", true, a->task, sizeof a->task) ||
            !read_time(agent, "timestamp", &a->at_ns)) {
            return false;
        }
    }
    return true;
}

bool
budget_session_read(const json_t *json, struct budget_session *s)
{
    const json_t *metrics = json_object_get(json, "metrics"), *name;
    int64_t uses = 0;
    size_t at;

    *s = (struct budget_session){.current = json_is_true(json_object_get(json, "current"))};
    json_array_foreach(json_object_get(metrics, "thresholds_crossed"), at, name) {
        for (size_t i = 0; i < THRESHOLD_COUNT && json_is_string(name); i++) {
            s->crossed |= (unsigned)(strcmp(thresholds[i].name, json_string_value(name)) == 0) << i;
        }
    }
    return read_text(json, "id", false, s->id, sizeof s->id) && budget_id_good(s->id) &&
           read_text(json, "tenant", false, s->tenant, sizeof s->tenant) &&
           tenant_id_valid(slice_of(s->tenant)) &&
           read_text(json, "context", true, s->context, sizeof s->context) &&
           read_time(json, "created_at", &s->created_ns) &&
           read_time(json, "last_used", &s->used_ns) && read_count(json, "use_count", &uses) &&
           (s->uses = (uint64_t)uses, true) &&
           read_agents(json_object_get(json, "agents_run"), s) &&
           read_count(metrics, "total_budget", &s->total) &&
           read_count(metrics, "input_tokens", &s->input) &&
           read_count(metrics, "output_tokens", &s->output) &&
           read_text(metrics, "stop_reason", true, s->stop_reason, sizeof s->stop_reason) &&
           read_text(metrics, "model", true, s->model, sizeof s->model);
}
