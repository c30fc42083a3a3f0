/* tool_quota.c -- the quota group: may a paid or limited service be called, and what was used.
 *
 * A tenant whose settings have limits of their own asks for those; all others share the server's.
 */
#include "handlers/service_resources.h"
#include "handlers/tenant.h"
#include "handlers/tool.h"
#include "handlers/tools.h"
#include "state/base/json_put.h"
#include "state/changes.h"
#include "state/config.h"
#include "state/quota.h"
#include "state/state.h"
#include "state/tenants.h"

/* ---- Arguments ---- */

/* The tracker, by the settings in force. */
static struct quota *
tracker(struct request *req)
{
    struct settings *settings = config_settings(state_config(req->state));

    quota_follow(state_quota(req->state), settings);
    settings_unref(settings);
    return state_quota(req->state);
}

/* What is asked, of what the request's tenant has; 'args' may be null. */
static struct quota_ask
ask_of(const struct request *req, const json_t *args)
{
    const json_t *count = json_object_get(args, "count");
    const char *priority = json_string_value(json_object_get(args, "priority"));

    return (struct quota_ask){
        .tenant = req->tenant,
        .own = tenant_section(req->customer.tenant, "quota"),
        .service = json_string_value(json_object_get(args, "service")),
        .count = count ? (uint64_t)json_number_value(count) : 1,
        .high = priority && strcmp(priority, "high") == 0,
        .bound = req->tenant_bound,
    };
}

/* ---- Answers ---- */

static void
put_view(json_t *out, const struct quota_view *v)
{
    char reset[CLOCK_TEXT_SIZE];

    clock_format_utc(v->window.end * 1000000000, reset);
    json_put_text(out, "service", v->service);
    json_put_text(out, "period", quota_period_name(v->window.period));
    json_put_int(out, "limit", (int64_t)v->limit);
    json_put_int(out, "used", (int64_t)v->used);
    json_put_int(out, "remaining", (int64_t)v->remaining);
    json_put(out, "percent_used",
             json_real(v->limit ? 100.0 * (double)v->used / (double)v->limit : 0.0));
    json_put_bool(out, "is_warning", v->warning);
    json_put_bool(out, "is_critical", v->critical);
    json_put_text(out, "reset_at", reset);
}

static json_t *
answer_of(const struct quota_view *v)
{
    json_t *out = json_must(json_object());

    json_put_bool(out, "allowed", v->verdict == QUOTA_ALLOWED);
    if (v->verdict != QUOTA_ALLOWED) {
        json_put_text(out, "reason", quota_verdict_name(v->verdict));
    }
    put_view(out, v);
    if (v->reduced) {
        json_put_bool(out, "reduced_rate", true);
    }
    return out;
}

/* Of what was counted: it is in the store, or the store is still to be told.  Whoever subscribes to
 * the summary is told of any change, where the bus is only told of crossings. */
static json_t *
counted_of(const struct request *req, const struct quota_view *v, const char *what, uint64_t count)
{
    json_t *out = answer_of(v);

    changes_publish_resource(state_changes(req->state), URI_QUOTA "summary");
    json_put_int(out, what, (int64_t)count);
    json_put_bool(out, "stored", !v->owed);
    return out;
}

/* The error that a refusal is, with what there is to know about the counter. */
static json_t *
refusal_of(const struct quota_view *v, const struct fault *f)
{
    json_t *out = tools_fault_json(f);

    put_view(json_own(out, "details", json_object()), v);
    return out;
}

static json_t *
summary_of(const struct quota_summary *s)
{
    json_t *out = json_must(json_object()), *services = json_must(json_array());
    char updated[CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < s->count; i++) {
        const struct quota_view *v = &s->views[i];
        json_t *service = json_must(json_object());
        put_view(service, v);
        json_put_int(service, "reserve", (int64_t)(v->limit / 10));
        json_put_int(service, "calls_today", (int64_t)v->today);
        json_put_bool(service, "own", v->own);
        json_add(services, service);
    }
    clock_format_utc(s->updated_ns, updated);
    json_put(out, "services", services);
    json_put_int(out, "total_calls_today", (int64_t)s->total_today);
    json_put(out, "estimated_daily_cost", json_real(s->cost_today));
    json_put_bool(out, "reduced_rate", s->reduced);
    json_put_text(out, "updated_at", updated);
    return out;
}

/* ---- The tools ---- */

#define SERVICE "\"service\":{\"type\":\"string\",\"maxLength\":64}"
#define COUNT "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000,\"default\":1}"
#define PRIORITY \
    "\"priority\":{\"type\":\"string\",\"enum\":[\"normal\",\"high\"],\"default\":\"normal\"}"
#define INPUT(PROPERTIES)                                   \
    "{\"type\":\"object\",\"properties\":{" PROPERTIES "}," \
    "\"required\":[\"service\"],\"additionalProperties\":false}"
#define NO_INPUT "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define OUTPUT(MORE, REQUIRED)                                                          \
    "{\"type\":\"object\",\"properties\":{\"service\":{\"type\":\"string\"},"           \
    "\"used\":{\"type\":\"integer\"},\"limit\":{\"type\":\"integer\"},"                 \
    "\"remaining\":{\"type\":\"integer\"},\"reset_at\":{\"type\":\"string\"}" MORE "}," \
    "\"required\":[\"service\",\"used\",\"limit\",\"remaining\",\"reset_at\"" REQUIRED "]}"
#define ALLOWED ",\"allowed\":{\"type\":\"boolean\"}"

static enum err
acquire_quota(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct quota_ask ask = ask_of(req, args);
    struct quota_view view;
    enum err err = quota_acquire(tracker(req), &ask, &view, f);

    if (!err) {
        *result = counted_of(req, &view, "acquired", ask.count);
    } else if (err == E_OVER_QUOTA) {
        *result = refusal_of(&view, f);
    }
    return err;
}

const struct tool tool_acquire_quota = {
    .name = "acquire_quota",
    .title = "Acquire quota",
    .group = "quota",
    .core = true,
    .description = "Asks for and counts units of a limited service in one step. Call it before "
                   "calling the service; a refusal counts nothing and says when to come back.",
    .input_schema = INPUT(SERVICE "," COUNT "," PRIORITY),
    .output_schema = OUTPUT(ALLOWED, ",\"allowed\""),
    .hints = 0,
    .runs = WORKER,
    .call = acquire_quota,
};

static enum err
check_quota(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct quota_ask ask = ask_of(req, args);
    struct quota_view view;
    enum err err = quota_check(tracker(req), &ask, &view, f);

    if (!err) {
        *result = answer_of(&view);
    }
    return err;
}

const struct tool tool_check_quota = {
    .name = "check_quota",
    .title = "Check quota",
    .group = "quota",
    .description = "Tells what is left of a limited service, and whether a call would be allowed "
                   "now. It reserves nothing: use acquire_quota before a call.",
    .input_schema = INPUT(SERVICE "," COUNT "," PRIORITY),
    .output_schema = OUTPUT(ALLOWED, ",\"allowed\""),
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = check_quota,
};

static enum err
get_quota_summary(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct quota_ask ask = ask_of(req, args);
    struct quota_summary summary;
    enum err err = quota_summary(tracker(req), ask.tenant, ask.own, &summary, f);

    if (!err) {
        *result = summary_of(&summary);
        quota_summary_fini(&summary);
    }
    return err;
}

enum err
read_quota_summary(struct request *req, const struct slice *variables, struct buf *out,
                   struct fault *f)
{
    json_t *summary = NULL;
    enum err err = get_quota_summary(req, NULL, &summary, f);

    (void)variables;
    return service_resource_tell(err, summary, out);
}

const struct tool tool_get_quota_summary = {
    .name = "get_quota_summary",
    .title = "Quota summary",
    .group = "quota",
    .core = true,
    .description = "Every limited service: used, limit, what remains, when it starts over; calls "
                   "and cost of today.",
    .input_schema = NO_INPUT,
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"services\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
                     "\"total_calls_today\":{\"type\":\"integer\"},"
                     "\"reduced_rate\":{\"type\":\"boolean\"}},"
                     "\"required\":[\"services\",\"total_calls_today\",\"reduced_rate\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = get_quota_summary,
};

static enum err
record_quota_usage(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct quota_ask ask = ask_of(req, args);
    struct quota_view view;
    enum err err = quota_record(tracker(req), &ask, &view, f);

    if (!err) {
        *result = counted_of(req, &view, "recorded", ask.count);
        json_object_del(*result, "allowed");
    }
    return err;
}

const struct tool tool_record_quota_usage = {
    .name = "record_quota_usage",
    .title = "Record quota usage",
    .group = "quota",
    .description = "Counts units of a service that were used without acquire_quota. Counts always, "
                   "past the limit too. Who is bound to a tenant does so on its own limits only.",
    .input_schema = INPUT(SERVICE "," COUNT),
    .output_schema = OUTPUT(",\"recorded\":{\"type\":\"integer\"}", ",\"recorded\""),
    .hints = 0,
    .runs = WORKER,
    .call = record_quota_usage,
};

static enum err
release_quota(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const char *text = json_string_value(json_object_get(args, "reset_at"));
    int64_t reset_at = text ? clock_parse(text) / 1000000000 : 0;
    const struct quota_ask ask = ask_of(req, args);
    struct quota_view view;
    uint64_t given;
    enum err err;

    if (text && reset_at <= 0) {
        fault_set(f, E_ARGUMENT, "'reset_at' is no time");
        return fault_remedy(f, "give the reset_at that acquire_quota answered");
    }
    err = quota_release(tracker(req), &ask, reset_at, &given, &view, f);
    if (!err) {
        *result = counted_of(req, &view, "released", given);
        json_object_del(*result, "allowed");
    }
    return err;
}

const struct tool tool_release_quota = {
    .name = "release_quota",
    .title = "Release quota",
    .group = "quota",
    .description = "Gives back units that acquire_quota counted and whose call never left. With "
                   "its 'reset_at', nothing is given back to a later period. Who is bound to a "
                   "tenant gives back what that acquired.",
    .input_schema = INPUT(SERVICE "," COUNT ",\"reset_at\":{\"type\":\"string\"}"),
    .output_schema = OUTPUT(",\"released\":{\"type\":\"integer\"}", ",\"released\""),
    .hints = 0,
    .runs = WORKER,
    .call = release_quota,
};

static enum err
reset_quota(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct quota_ask ask = ask_of(req, args);
    struct quota_view view;
    enum err err = tenant_check_operator(req, "counts of quotas", f);
    err = err ? err : quota_reset(tracker(req), &ask, &view, f);
    if (!err) {
        *result = json_must(json_object());
        put_view(*result, &view);
    }
    return err;
}

const struct tool tool_reset_quota = {
    .name = "reset_quota",
    .title = "Reset quota",
    .group = "quota",
    .description = "Starts a service's count of this period over. For whoever runs the server: the "
                   "provider goes on counting.",
    .input_schema = INPUT(SERVICE),
    .output_schema = OUTPUT("", ""),
    .hints = HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = reset_quota,
};

static enum err
sync_quotas(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct quota *quota = state_quota(req->state);
    struct quota_counters counters;
    uint64_t owed;
    enum err err = tenant_check_operator(req, "when counts of quotas are written", f);

    (void)args;
    err = err ? err : quota_sync(quota, &owed, f);
    if (!err) {
        counters = quota_counters(quota);
        *result = json_must(json_object());
        json_put_int(*result, "owed", (int64_t)owed);
        json_put_int(*result, "syncs", (int64_t)counters.syncs);
        json_put_int(*result, "writes", (int64_t)counters.atomic_writes);
        json_put_int(*result, "failed_writes", (int64_t)counters.failed_writes);
    }
    return err;
}

const struct tool tool_sync_quotas = {
    .name = "sync_quotas",
    .title = "Sync quotas",
    .group = "quota",
    .description = "Writes what was counted to its snapshot now, and tries again what failed. The "
                   "server does so by itself. For whoever runs the server.",
    .input_schema = NO_INPUT,
    .output_schema = "{\"type\":\"object\",\"properties\":{\"owed\":{\"type\":\"integer\"},"
                     "\"syncs\":{\"type\":\"integer\"}},\"required\":[\"owed\",\"syncs\"]}",
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = sync_quotas,
};
