/* quota_tell.c -- what the log and the bus are told of quotas. */
#include "state/quota_private.h"

#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/bus.h"

LOG_MODULE("quota");

static void
publish(struct quota *q, const char *topic, const char *tenant, json_t *data)
{
    bus_publish(q->bus, &(struct bus_draft){
                            .topic = topic, .tenant = tenant, .source = "quota", .data = data});
}

static json_t *
describe(const struct quota_view *v)
{
    json_t *data = json_must(json_object());
    char reset[CLOCK_TEXT_SIZE];

    clock_format_utc(v->window.end * 1000000000, reset);
    json_put_text(data, "service", v->service);
    json_put_text(data, "period", quota_period_name(v->window.period));
    json_put_int(data, "used", (int64_t)v->used);
    json_put_int(data, "limit", (int64_t)v->limit);
    json_put_int(data, "remaining", (int64_t)v->remaining);
    json_put_text(data, "reset_at", reset);
    return data;
}

static void
tell_levels(struct quota *q, const char *tenant, const struct quota_news *news)
{
    static const struct {
        enum quota_level level;
        const char *topic;
    } rows[] = {
        {LEVEL_WARNING, "quota.warning"},
        {LEVEL_CRITICAL, "quota.critical"},
        {LEVEL_EXHAUSTED, "quota.exhausted"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (news->levels & rows[i].level) {
            log_warn("a quota comes to its end", F_STR("topic", rows[i].topic),
                     F_STR("service", news->view.service),
                     F_STR("tenant", tenant ? tenant : "(all)"), F_UINT("used", news->view.used),
                     F_UINT("limit", news->view.limit));
            publish(q, rows[i].topic, tenant, describe(&news->view));
        }
    }
}

static void
tell_mode(struct quota *q, const struct quota_news *news)
{
    json_t *data;

    if (news->reduced || news->restored) {
        const char *topic = news->reduced ? "quota.reduced" : "quota.restored";
        log_warn("what is left of quotas has changed", F_STR("topic", topic),
                 F_UINT("failed_writes", news->writes), F_INT("ms", news->lasted_ns / 1000000));
        data = json_must(json_object());
        json_put_int(data, "failed_writes", (int64_t)news->writes);
        json_put_int(data, "duration_ms", news->lasted_ns / 1000000);
        json_put_int(data, "percent_of_limit", news->reduced ? QUOTA_REDUCED_PERCENT : 100);
        publish(q, topic, NULL, data);
    }
    if (news->alert) {
        log_error("the store of quotas is out of reach", F_STR("store", q->store->class->name),
                  F_STR("why", news->fault.text));
        data = json_must(json_object());
        json_put_text(data, "store", q->store->class->name);
        json_put_text(data, "reason", news->fault.text);
        publish(q, "quota.store_unreachable", NULL, data);
    }
}

void
quota_tell(struct quota *q, const char *tenant, const struct quota_news *news)
{
    if (news->trouble && !news->alert) {
        log_warn_rl("the store of quotas failed", F_STR("store", q->store->class->name),
                    F_STR("why", news->fault.text));
    }
    if (news->reset) {
        log_info("quota.reset", F_STR("service", news->view.service),
                 F_STR("tenant", tenant ? tenant : "(all)"));
        publish(q, "quota.reset", tenant, describe(&news->view));
    }
    tell_levels(q, tenant, news);
    tell_mode(q, news);
}
